#include "core/space/space.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMaxConfigBytes = 4096;

const std::pair<std::string, int64_t>* find_value(const Config& config, std::string_view name) {
  const auto found =
      std::ranges::find(config.values, name, &std::pair<std::string, int64_t>::first);
  return found == config.values.end() ? nullptr : &*found;
}

bool is_name(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

/// "16, 32, 64", or "16, 32, 48, ..., 512" when there are many.
std::string list_values(const std::vector<int64_t>& values) {
  constexpr size_t kShown = 12;
  std::string listed;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool hidden = values.size() > kShown && i >= 3 && i + 1 < values.size();
    if (hidden && i > 3) continue;
    listed += fmt::format("{}{}", i == 0 ? "" : ", ", hidden ? "..." : std::to_string(values[i]));
  }
  return listed;
}

std::vector<std::string> names_of(const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  names.reserve(parameters.size());
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

/// Empty when `value` is in the list of `parameter`.
std::string outside_list(const Parameter& parameter, int64_t value) {
  if (std::ranges::binary_search(parameter.values, value)) return "";
  return fmt::format("{}={} is not one of {}", parameter.name, value,
                     parameter.values.empty() ? "(no value fits)" : list_values(parameter.values));
}

}  // namespace

std::string Config::text() const {
  fmt::memory_buffer out;
  for (const auto& [name, value] : values) {
    fmt::format_to(std::back_inserter(out), "{}{}={}", out.size() == 0 ? "" : ",", name, value);
  }
  return fmt::to_string(out);
}

int64_t Config::at(std::string_view name) const {
  const auto* value = find_value(*this, name);
  TW_CHECK(value != nullptr, "the config has no value of that name");
  return value->second;
}

bool Config::has(std::string_view name) const {
  return find_value(*this, name) != nullptr;
}

Config parse_config(std::string_view text) {
  if (text.size() > kMaxConfigBytes) {
    throw Error(ErrorKind::kUsage, fmt::format("config '{}' is longer than {} bytes",
                                               printable(text), kMaxConfigBytes));
  }
  Config config;
  if (trim(text).empty()) return config;
  std::set<std::string_view> names;
  for (const std::string_view part : split(text, ',')) {
    const size_t equals = part.find('=');
    const std::string_view name = trim(part.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(name)) {
      throw Error(ErrorKind::kUsage, fmt::format("config '{}': '{}' is not NAME=NUMBER",
                                                 printable(text), printable(part)));
    }
    if (!names.insert(name).second) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("config '{}': {} stands twice", printable(text), name));
    }
    config.values.emplace_back(
        name, parse_int(trim(part.substr(equals + 1)), fmt::format("config value of {}", name)));
  }
  return config;
}

Space::Space(std::vector<Parameter> parameters, std::vector<Constraint> constraints)
    : parameters_(std::move(parameters)),
      constraints_(std::move(constraints)),
      checks_at_(parameters_.size() + 1) {
  const std::vector<std::string> names = names_of(parameters_);
  TW_CHECK(std::set(names.begin(), names.end()).size() == names.size(),
           "two parameters have one name");
  for (const Parameter& parameter : parameters_) {
    TW_CHECK(std::ranges::adjacent_find(parameter.values, std::greater_equal<>()) ==
                 parameter.values.end(),
             "values of a parameter ascend and are distinct");
  }
  for (size_t i = 0; i < constraints_.size(); ++i) {
    Check check{i, {}};
    size_t needed = 0;
    for (const std::string& name : constraints_[i].parameters) {
      const auto found = std::ranges::find(names, name);
      TW_CHECK(found != names.end(), "a constraint names a parameter that does not exist");
      check.inputs.push_back(static_cast<size_t>(found - names.begin()));
      needed = std::max(needed, check.inputs.back() + 1);
    }
    checks_at_[needed].push_back(std::move(check));
  }
}

int64_t Space::product_size() const {
  int64_t product = 1;
  bool saturated = false;
  for (const Parameter& parameter : parameters_) {
    if (parameter.values.empty()) return 0;
    const auto count = static_cast<int64_t>(parameter.values.size());
    saturated = saturated || __builtin_mul_overflow(product, count, &product);
  }
  return saturated ? std::numeric_limits<int64_t>::max() : product;
}

std::string Space::broken(const Check& check, std::span<const int64_t> values) const {
  constexpr size_t kFew = 8;
  const auto& violation = constraints_[check.constraint].violation;
  int64_t few[kFew];
  if (check.inputs.size() <= kFew) {  // the walk over large spaces spends its time here
    for (size_t i = 0; i < check.inputs.size(); ++i) few[i] = values[check.inputs[i]];
    return violation(std::span(few, check.inputs.size()));
  }
  std::vector<int64_t> inputs;
  for (const size_t input : check.inputs) inputs.push_back(values[input]);
  return violation(inputs);
}

std::vector<Config> Space::enumerate() const {
  std::vector<Config> legal;
  Config config;
  for (const Parameter& parameter : parameters_) config.values.emplace_back(parameter.name, 0);
  std::vector<int64_t> values(parameters_.size());
  const auto holds = [&](size_t assigned) {
    return std::ranges::all_of(checks_at_[assigned],
                               [&](const Check& check) { return broken(check, values).empty(); });
  };
  const auto walk = [&](const auto& self, size_t assigned) -> void {
    if (assigned == parameters_.size()) {
      legal.push_back(config);
      return;
    }
    for (const int64_t value : parameters_[assigned].values) {
      values[assigned] = value;
      config.values[assigned].second = value;
      if (holds(assigned + 1)) self(self, assigned + 1);
    }
  };
  if (holds(0)) walk(walk, 0);
  return legal;
}

Config Space::complete(const Config& config, const Config& defaults) const {
  const std::vector<std::string> names = names_of(parameters_);
  for (const auto& [name, value] : config.values) {
    if (std::ranges::find(names, name) == names.end()) {
      throw Error(ErrorKind::kUsage, fmt::format("unknown parameter '{}'{} (parameters: {})",
                                                 printable(name), did_you_mean(name, names),
                                                 names.empty() ? "none" : join(names, ", ")));
    }
  }
  Config completed;
  for (const Parameter& parameter : parameters_) {
    const auto* given = find_value(config, parameter.name);
    completed.values.emplace_back(parameter.name,
                                  given ? given->second : defaults.at(parameter.name));
    const std::string wrong = outside_list(parameter, completed.values.back().second);
    if (!wrong.empty()) throw Error(ErrorKind::kUsage, wrong);
  }
  const std::string wrong = violation(completed);
  if (!wrong.empty()) throw Error(ErrorKind::kInfeasible, wrong);
  return completed;
}

std::string Space::violation(const Config& config) const {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters_) names.push_back(parameter.name);
  const bool same =
      std::equal(names.begin(), names.end(), config.values.begin(), config.values.end(),
                 [](const std::string& name, const auto& value) { return name == value.first; });
  if (!same) {
    return fmt::format("has not the parameters {}, in this order", join(names, ", "));
  }
  std::vector<int64_t> values;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    values.push_back(config.values[i].second);
    std::string wrong = outside_list(parameters_[i], values.back());
    if (!wrong.empty()) return wrong;
  }
  std::vector<const Check*> ordered(constraints_.size());
  for (const std::vector<Check>& checks : checks_at_) {
    for (const Check& check : checks) ordered[check.constraint] = &check;
  }
  for (const Check* check : ordered) {
    std::string wrong = broken(*check, values);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::vector<ResourceUse> Space::uses(const Config& config) const {
  const auto listed_value = [&](std::string_view name) -> std::optional<int64_t> {
    const auto* value = find_value(config, name);
    const auto parameter = std::ranges::find(parameters_, name, &Parameter::name);
    if (!value || !std::ranges::binary_search(parameter->values, value->second)) return {};
    return value->second;
  };
  std::vector<ResourceUse> uses;
  for (const Constraint& constraint : constraints_) {
    if (!constraint.resource) continue;
    std::vector<int64_t> values;
    for (const std::string& name : constraint.parameters) {
      if (const auto value = listed_value(name)) values.push_back(*value);
    }
    if (values.size() != constraint.parameters.size()) continue;
    uses.push_back(
        {constraint.name, constraint.resource->needed(values), constraint.resource->capacity});
  }
  return uses;
}

}  // namespace tilewright
