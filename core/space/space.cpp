#include "core/space/space.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <mutex>
#include <set>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/legal_set.h"
#include "core/space/space_expression.h"

namespace tilewright {

namespace {

constexpr size_t kMaxConfigBytes = 4096;

const std::pair<std::string, int64_t>* find_value(const Config& config, std::string_view name) {
  const auto found =
      std::ranges::find(config.values, name, &std::pair<std::string, int64_t>::first);
  return found == config.values.end() ? nullptr : &*found;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                              std::string_view::npos;
}

/// What a value is called; `value` need not be in the list.
std::string name_of(const Parameter& parameter, int64_t value) {
  const bool labelled = value >= 0 && value < std::ssize(parameter.labels);
  return labelled ? printable(parameter.labels[static_cast<size_t>(value)]) : std::to_string(value);
}

/// "16, 32, 64", or "16, 32, 48, ..., 512" when there are many.
std::string list_values(const Parameter& parameter) {
  constexpr size_t kShown = 12;
  const std::vector<int64_t>& values = parameter.values;
  std::string listed;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool hidden = values.size() > kShown && i >= 3 && i + 1 < values.size();
    if (hidden && i > 3) continue;
    listed +=
        fmt::format("{}{}", i == 0 ? "" : ", ", hidden ? "..." : name_of(parameter, values[i]));
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
  return fmt::format("{}={} is not one of {}", parameter.name, name_of(parameter, value),
                     parameter.values.empty() ? "(no value fits)" : list_values(parameter));
}

void check(const Parameter& parameter) {
  TW_CHECK(std::ranges::adjacent_find(parameter.values, std::greater_equal<>()) ==
               parameter.values.end(),
           "values of a parameter ascend and are distinct");
  const std::vector<std::string>& labels = parameter.labels;
  TW_CHECK(std::set(labels.begin(), labels.end()).size() == labels.size(),
           "two values of a parameter have one label");
  TW_CHECK(labels.empty() || parameter.values.empty() ||
               (parameter.values.front() >= 0 && parameter.values.back() < std::ssize(labels)),
           "values with labels count them");
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

bool Constraint::holds(std::span<const int64_t> values) const {
  if (resource) return resource->needed(values) <= resource->capacity;
  return expression ? expression->holds(values) : violation(values).empty();
}

struct Space::Found {
  std::mutex mutex;
  std::weak_ptr<const LegalSet> shared;
  std::shared_ptr<const LegalSet> kept;
};

Space::Space(std::vector<Parameter> parameters, std::vector<Constraint> constraints)
    : parameters_(std::move(parameters)),
      constraints_(std::move(constraints)),
      found_(std::make_shared<Found>()) {
  const std::vector<std::string> names = names_of(parameters_);
  TW_CHECK(std::set(names.begin(), names.end()).size() == names.size(),
           "two parameters have one name");
  for (const Parameter& parameter : parameters_) check(parameter);
  for (const Constraint& constraint : constraints_) {
    std::vector<size_t> inputs;
    for (const std::string& name : constraint.parameters) {
      const auto found = std::ranges::find(names, name);
      TW_CHECK(found != names.end(), "a constraint names a parameter that does not exist");
      inputs.push_back(static_cast<size_t>(found - names.begin()));
    }
    TW_CHECK(!constraint.rows || constraint.parameters == names,
             "a list of rows is of all parameters");
    inputs_.push_back(std::move(inputs));
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

std::shared_ptr<const LegalSet> Space::legal(const std::function<bool()>& stop) const {
  // Combinations below which finding the legal ones takes milliseconds.
  constexpr int64_t kQuick = int64_t{1} << 22;
  TW_CHECK(found_ != nullptr, "a space that was moved away is not used");
  const std::scoped_lock lock(found_->mutex);
  std::shared_ptr<const LegalSet> legal = found_->shared.lock();
  if (legal) return legal;
  legal = std::make_shared<const LegalSet>(*this, stop);
  found_->shared = legal;
  if (product_size() > kQuick) found_->kept = legal;
  return legal;
}

std::vector<Config> Space::enumerate() const {
  const std::shared_ptr<const LegalSet> found = this->legal();
  const LegalSet& legal = *found;
  if (legal.size() > kMostEnumerated) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} legal configs are too many to list (at most {})",
                            legal.size() == LegalSet::kTooMany ? "more than 2^62"
                                                               : format_count(legal.size()),
                            format_count(kMostEnumerated)));
  }
  Config config;
  for (const Parameter& parameter : parameters_) config.values.emplace_back(parameter.name, 0);
  std::vector<Config> configs;
  configs.reserve(static_cast<size_t>(legal.size()));
  legal.each([&](std::span<const int> places) {
    for (size_t i = 0; i < places.size(); ++i) {
      config.values[i].second = parameters_[i].values[static_cast<size_t>(places[i])];
    }
    configs.push_back(config);
  });
  return configs;
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
  const std::vector<std::string> names = names_of(parameters_);
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
  for (size_t i = 0; i < constraints_.size(); ++i) {
    std::vector<int64_t> inputs;
    for (const size_t input : inputs_[i]) inputs.push_back(values[input]);
    std::string wrong = constraints_[i].violation(inputs);
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
