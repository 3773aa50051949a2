#include "db/formats/moe_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMostTokens = int64_t{1} << 31;
constexpr int64_t kMostValue = int64_t{1} << 40;
constexpr int64_t kMostSize = int64_t{1} << 31;
constexpr std::string_view kVersionKey = "triton_version";
constexpr std::string_view kSuffix = ".json";

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::kFailed, fmt::format("{}: {}", where, what));
}

int64_t size_of(std::string_view text, std::string_view what, const std::string& where) {
  int64_t size = 0;
  try {
    size = parse_int(text, what);
  } catch (const Error& error) {
    refuse(where, error.message());
  }
  if (size < 1 || size > kMostSize) refuse(where, fmt::format("{} {} is no size", what, size));
  return size;
}

/// "[128,128]".
std::vector<int64_t> block_shape_of(std::string_view text, const std::string& where) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') {
    refuse(where, fmt::format("block_shape '{}' is not [N,K]", printable(text)));
  }
  std::vector<int64_t> shape;
  for (const std::string_view part : split(text.substr(1, text.size() - 2), ',')) {
    shape.push_back(size_of(trim(part), "block_shape", where));
  }
  return shape;
}

/// Commas separate fields, but not inside of [ ].
std::vector<std::string_view> fields_of(std::string_view name) {
  std::vector<std::string_view> fields;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || (name[i] == ',' && depth == 0)) {
      fields.push_back(name.substr(begin, i - begin));
      begin = i + 1;
    } else if (name[i] == '[') {
      ++depth;
    } else if (name[i] == ']') {
      --depth;
    }
  }
  return fields;
}

MoeTable key_of(std::string_view name, const std::string& where) {
  if (!name.ends_with(kSuffix)) {
    refuse(where, "the name of such a file is E=..,N=..,device_name=...json");
  }
  name.remove_suffix(kSuffix.size());
  MoeTable table;
  std::set<std::string_view> seen;
  for (const std::string_view field : fields_of(name)) {
    const size_t equals = std::min(field.find('='), field.size());
    const std::string_view key = field.substr(0, equals);
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    if (value.empty() || !seen.insert(key).second) {
      refuse(where, fmt::format("'{}' in its name is not NAME=VALUE", printable(field)));
    }
    if (key == "E") {
      table.experts = size_of(value, "E", where);
    } else if (key == "N") {
      table.n = size_of(value, "N", where);
    } else if (key == "device_name") {
      table.device = value;
    } else if (key == "dtype") {
      table.dtype = value;
    } else if (key == "block_shape") {
      table.block_shape = block_shape_of(value, where);
    } else {
      refuse(where, fmt::format("unknown field '{}' in its name", printable(key)));
    }
  }
  if (table.experts == 0 || table.n == 0 || table.device.empty()) {
    refuse(where, "its name lacks E, N or device_name");
  }
  return table;
}

MoeTable::Entry entry_of(const std::string& key, const JsonReader& json) {
  MoeTable::Entry entry;
  const bool is_number = !key.empty() && key.size() <= 10 &&
                         key.find_first_not_of("0123456789") == std::string::npos &&
                         (key[0] != '0' || key.size() == 1);
  if (is_number) entry.tokens = parse_int(key, "tokens");
  if (!is_number || entry.tokens > kMostTokens) json.fail("its key is no number of tokens");
  for (const std::string& name : json.keys()) {
    entry.values.emplace_back(name, json.at(name).integer(-kMostValue, kMostValue));
  }
  if (entry.values.empty()) json.fail("a config without values");
  return entry;
}

void read_entries(const JsonReader& json, MoeTable& table) {
  for (const std::string& key : json.keys()) {
    const JsonReader value = json.at(key);
    if (key == kVersionKey) {
      table.triton_version = value.string();
    } else {
      table.entries.push_back(entry_of(key, value));
    }
  }
  if (table.entries.empty()) json.fail("no number of tokens has a config");
}

Json entries_json(const MoeTable& table) {
  Json document = Json::object();
  if (!table.triton_version.empty()) document[std::string(kVersionKey)] = table.triton_version;
  for (const MoeTable::Entry& entry : table.entries) {
    Json config = Json::object();
    for (const auto& [name, value] : entry.values) config[name] = value;
    document[std::to_string(entry.tokens)] = std::move(config);
  }
  return document;
}

}  // namespace

const std::vector<int64_t> kMoeTokens = {1,  2,   4,   8,   16,   24,   32,   48,   64,
                                         96, 128, 256, 512, 1024, 1536, 2048, 3072, 4096};

MoeTable read_moe_table(std::string_view text, std::string_view file_name,
                        const std::string& where) {
  MoeTable table = key_of(file_name, where);
  const Json document = parse_json(text, where);
  read_entries(JsonReader(document, where), table);
  return table;
}

std::string write_moe_table(const MoeTable& table) {
  // As Python's json.dump(indent=4) with a line end behind it.
  return entries_json(table).dump(4) + "\n";
}

std::string moe_file_name(const MoeTable& table) {
  std::string name = fmt::format("E={},N={},device_name={}", table.experts, table.n, table.device);
  if (!table.dtype.empty()) name += ",dtype=" + table.dtype;
  if (!table.block_shape.empty()) {
    std::vector<std::string> shape;
    for (const int64_t size : table.block_shape) shape.push_back(std::to_string(size));
    name += fmt::format(",block_shape=[{}]", join(shape, ","));
  }
  return name + std::string(kSuffix);
}

Json to_json(const MoeTable& table) {
  Json json;
  json["file"] = moe_file_name(table);
  json["configs"] = entries_json(table);
  return json;
}

MoeTable moe_table_of(const Json& json, const std::string& where) {
  const JsonReader reader(json, where);
  MoeTable table = key_of(reader.at("file").string(), where);
  read_entries(reader.at("configs"), table);
  return table;
}

const MoeTable::Entry& nearest_entry(const MoeTable& table, int64_t tokens) {
  TW_CHECK(!table.entries.empty(), "a table has entries");
  return *std::ranges::min_element(table.entries, {}, [&](const MoeTable::Entry& entry) {
    return std::abs(entry.tokens - tokens);
  });
}

}  // namespace tilewright
