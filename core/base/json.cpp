#include "core/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kMaxDepth = 64;
/// Objects that keep the order of their keys find one by looking at all: an object of millions of
/// keys would take hours. Far above every file that is read here.
constexpr size_t kMaxKeys = 1 << 14;

/// "line:column" of a byte offset (1-based, as editors count).
std::string line_and_column(std::string_view text, size_t offset) {
  size_t line = 1;
  size_t line_start = 0;
  for (size_t i = 0; i < std::min(offset, text.size()); ++i) {
    if (text[i] == '\n') {
      ++line;
      line_start = i + 1;
    }
  }
  return fmt::format("{}:{}", line, std::min(offset, text.size()) - line_start + 1);
}

/// The offset of the bracket that opens one level too many; the end where there is none.
size_t too_deep_offset(std::string_view text) {
  int depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
    } else if (rest.starts_with("/*")) {
      at = std::min(text.find("*/", at + 2), text.size()) + 1;
    } else if (text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
    } else if (text[at] == '[' || text[at] == '{') {
      if (++depth > kMaxDepth) return at;
    } else if (text[at] == ']' || text[at] == '}') {
      --depth;
    }
  }
  return text.size();
}

/// The part of the library's message that says what was expected.
std::string reason_of(const std::string& message) {
  const size_t at = message.find(": ", message.find("column"));
  return printable(at == std::string::npos ? message : message.substr(at + 2), 160);
}

/// Parses with place(offset) naming where the parser stood when the text went wrong.
Json parse(std::string_view text, const std::string& where,
           const std::function<std::string(size_t)>& place) {
  std::vector<std::set<std::string>> keys_of_open_objects;
  std::vector<std::string> path;  // the last key of each open object
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) {
      throw Error(ErrorKind::kFailed, fmt::format("{}:{}: nested deeper than {} levels", where,
                                                  place(too_deep_offset(text)), kMaxDepth));
    }
    if (event == Json::parse_event_t::object_start) {
      keys_of_open_objects.emplace_back();
      path.emplace_back();
    }
    if (event == Json::parse_event_t::object_end) {
      keys_of_open_objects.pop_back();
      path.pop_back();
    }
    if (event == Json::parse_event_t::key) {
      path.back() = printable(parsed.get<std::string>());
      if (!keys_of_open_objects.back().insert(parsed.get<std::string>()).second) {
        throw Error(ErrorKind::kFailed,
                    fmt::format("{}: key {} stands twice in one object", where, join(path, ".")));
      }
      if (keys_of_open_objects.back().size() > kMaxKeys) {
        throw Error(ErrorKind::kFailed,
                    fmt::format("{}: an object with more than {} keys", where, kMaxKeys));
      }
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch, true, true);
  } catch (const nlohmann::json::parse_error& error) {
    const size_t offset = error.byte == 0 ? 0 : error.byte - 1;
    throw Error(ErrorKind::kFailed, fmt::format("{}:{}: not valid JSON: {}", where, place(offset),
                                                reason_of(error.what())));
  } catch (const nlohmann::json::exception& error) {
    // Numbers that are too large, under the key where the parser stood.
    const std::string_view message = error.what();
    const size_t end_of_id = message.find("] ");
    throw Error(
        ErrorKind::kFailed,
        fmt::format(
            "{}: {}: not valid JSON: {}", where, join(path, "."),
            printable(message.substr(end_of_id == std::string_view::npos ? 0 : end_of_id + 2),
                      160)));
  }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  return parse(text, where, [&](size_t offset) { return line_and_column(text, offset); });
}

Json parse_json_line(std::string_view line, const std::string& where) {
  return parse(line, where,
               [&](size_t offset) { return std::to_string(std::min(offset, line.size()) + 1); });
}

JsonReader::JsonReader(const Json& document, std::string where)
    : value_(&document), where_(std::move(where)) {}

bool JsonReader::has(std::string_view key) const {
  return value_->is_object() && value_->find(std::string(key)) != value_->end();
}

JsonReader JsonReader::at(std::string_view key) const {
  if (!value_->is_object()) fail("expected an object");
  const auto found = value_->find(std::string(key));
  if (found == value_->end()) fail(fmt::format("key '{}' is missing", key));
  const bool at_root = where_.find(": ") == std::string::npos;
  return {*found, fmt::format("{}{}{}", where_, at_root ? ": " : ".", key)};
}

std::vector<JsonReader> JsonReader::items() const {
  if (!value_->is_array()) fail("expected a list");
  std::vector<JsonReader> elements;
  for (size_t i = 0; i < value_->size(); ++i) {
    elements.push_back({(*value_)[i], fmt::format("{}[{}]", where_, i)});
  }
  return elements;
}

std::vector<std::string> JsonReader::keys() const {
  if (!value_->is_object()) fail("expected an object");
  std::vector<std::string> names;
  for (const auto& item : value_->items()) names.push_back(item.key());
  return names;
}

bool JsonReader::is_null() const {
  return value_->is_null();
}
bool JsonReader::is_object() const {
  return value_->is_object();
}
bool JsonReader::is_array() const {
  return value_->is_array();
}
bool JsonReader::is_string() const {
  return value_->is_string();
}
bool JsonReader::is_number() const {
  return value_->is_number();
}

std::string JsonReader::string() const {
  if (!value_->is_string()) fail("expected a text");
  return value_->get<std::string>();
}

bool JsonReader::boolean() const {
  if (!value_->is_boolean()) fail("expected true or false");
  return value_->get<bool>();
}

int64_t JsonReader::integer(int64_t min, int64_t max) const {
  // A float that is a whole number (1e6 in HF configs) counts as one.
  if (value_->is_number_unsigned() && value_->get<uint64_t>() > uint64_t{INT64_MAX}) {
    fail(fmt::format("{} is outside [{}, {}]", value_->get<uint64_t>(), min, max));
  }
  int64_t value = 0;
  if (value_->is_number_integer()) {
    value = value_->get<int64_t>();
  } else if (value_->is_number_float() && std::abs(value_->get<double>()) < 0x1p53 &&
             std::trunc(value_->get<double>()) == value_->get<double>()) {
    value = static_cast<int64_t>(value_->get<double>());
  } else {
    fail("expected a whole number");
  }
  if (value < min || value > max) fail(fmt::format("{} is outside [{}, {}]", value, min, max));
  return value;
}

double JsonReader::number(double min, double max) const {
  if (!value_->is_number()) fail("expected a number");
  const double value = value_->get<double>();
  if (!(value >= min && value <= max)) {
    fail(fmt::format("{} is outside [{}, {}]", value, min, max));
  }
  return value;
}

void JsonReader::only(const std::set<std::string>& known) const {
  const std::vector<std::string> candidates(known.begin(), known.end());
  for (const std::string& key : keys()) {
    if (!known.contains(key)) {
      fail(fmt::format("unknown key '{}'{}", printable(key), did_you_mean(key, candidates)));
    }
  }
}

void JsonReader::fail(const std::string& message) const {
  throw Error(ErrorKind::kFailed, fmt::format("{}: {}", where_, message));
}

}  // namespace tilewright
