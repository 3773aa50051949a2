#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/space.h"

// Configs as texts in which values have their labels.

namespace tilewright {

namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 16;

bool is_escaped(unsigned char c) {
  return c <= ' ' || c == 0x7f || c == ',' || c == '=' || c == '%';
}

std::string escaped(std::string_view label) {
  fmt::memory_buffer out;
  for (const char c : label) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_escaped(byte)) {
      fmt::format_to(std::back_inserter(out), "%{:02X}", byte);
    } else {
      out.push_back(c);
    }
  }
  return fmt::to_string(out);
}

/// Null for a value that is a number, or that no parameter has.
const std::string* label_of(const std::vector<Parameter>& parameters, std::string_view name,
                            int64_t value) {
  const auto parameter = std::ranges::find(parameters, name, &Parameter::name);
  if (parameter == parameters.end() || value < 0 || value >= std::ssize(parameter->labels)) {
    return nullptr;
  }
  return &parameter->labels[static_cast<size_t>(value)];
}

/// The value behind a label as text() writes it.
std::optional<int64_t> labelled_value(const Parameter& parameter, std::string_view label) {
  for (size_t i = 0; i < parameter.labels.size(); ++i) {
    if (escaped(parameter.labels[i]) == label) return static_cast<int64_t>(i);
  }
  return std::nullopt;
}

int64_t parse_value(const Parameter& parameter, std::string_view text) {
  if (parameter.labels.empty()) {
    return parse_int(text, fmt::format("config value of {}", parameter.name));
  }
  if (const auto value = labelled_value(parameter, text)) return *value;
  std::vector<std::string> labels;
  for (const std::string& label : parameter.labels) labels.push_back(escaped(label));
  throw Error(ErrorKind::kUsage,
              fmt::format("{}={} is none of its {} values{}", parameter.name, printable(text),
                          labels.size(), did_you_mean(text, labels)));
}

}  // namespace

std::string unescaped_label(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string label;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 &&
                        digit(text[at + 2]) >= 0;
    label += escape ? static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2])) : text[at];
    if (escape) at += 2;
  }
  return label;
}

std::string Space::value_text(std::string_view name, int64_t value) const {
  const std::string* label = label_of(parameters_, name, value);
  return label != nullptr ? *label : std::to_string(value);
}

std::string Space::text(const Config& config) const {
  fmt::memory_buffer out;
  for (const auto& [name, value] : config.values) {
    const std::string* label = label_of(parameters_, name, value);
    fmt::format_to(std::back_inserter(out), "{}{}=", out.size() == 0 ? "" : ",", name);
    if (label != nullptr) {
      fmt::format_to(std::back_inserter(out), "{}", escaped(*label));
    } else {
      fmt::format_to(std::back_inserter(out), "{}", value);
    }
  }
  return fmt::to_string(out);
}

Config Space::parse(std::string_view text) const {
  if (text.size() > kMaxTextBytes) {
    throw Error(ErrorKind::kUsage,
                fmt::format("config '{}' is longer than {} bytes", printable(text), kMaxTextBytes));
  }
  Config config;
  if (trim(text).empty()) return config;
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters_) names.push_back(parameter.name);
  for (const std::string_view part : split(text, ',')) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      throw Error(ErrorKind::kUsage, fmt::format("config '{}': '{}' is not NAME=VALUE",
                                                 printable(text), printable(part)));
    }
    const std::string_view name = trim(part.substr(0, equals));
    const auto parameter = std::ranges::find(parameters_, name, &Parameter::name);
    if (parameter == parameters_.end()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("config '{}': unknown parameter '{}'{}", printable(text),
                              printable(name), did_you_mean(name, names)));
    }
    if (config.has(name)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("config '{}': {} stands twice", printable(text), name));
    }
    config.values.emplace_back(name, parse_value(*parameter, trim(part.substr(equals + 1))));
  }
  return config;
}

std::optional<Config> Space::try_parse(std::string_view text) const {
  try {
    return parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace tilewright
