// Configs of which only some values are given.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "core/base/error.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

/// The space of the configs that have the values of `partial`, which are listed.
Space restricted(const Space& space, const Config& partial) {
  std::vector<Parameter> parameters = space.parameters();
  for (Parameter& parameter : parameters) {
    if (partial.has(parameter.name)) parameter.values = {partial.at(parameter.name)};
  }
  return {std::move(parameters), space.constraints()};
}

/// Steps through the values of a parameter from one to another.
int64_t steps_between(const Parameter& parameter, int64_t from, int64_t to) {
  const auto place = [&](int64_t value) {
    return std::ranges::lower_bound(parameter.values, value) - parameter.values.begin();
  };
  return std::abs(place(to) - place(from));
}

/// How far a config is from the default: parameters that differ, then steps.
std::pair<int64_t, int64_t> distance(const Space& space, const Config& config,
                                     const Config& fallback) {
  int64_t changed = 0;
  int64_t steps = 0;
  for (const Parameter& parameter : space.parameters()) {
    const int64_t from = fallback.at(parameter.name);
    const int64_t to = config.at(parameter.name);
    changed += from != to;
    steps += steps_between(parameter, from, to);
  }
  return {changed, steps};
}

/// The rule that the given values alone break; empty where it takes others.
std::string broken_by(const Space& space, const Config& partial) {
  for (const Constraint& constraint : space.constraints()) {
    std::vector<int64_t> values;
    for (const std::string& name : constraint.parameters) {
      if (partial.has(name)) values.push_back(partial.at(name));
    }
    if (values.size() != constraint.parameters.size()) continue;
    const std::string wrong = constraint.violation(values);
    if (!wrong.empty()) return fmt::format("{} (rule {})", wrong, constraint.name);
  }
  return "";
}

}  // namespace

Config complete_config(const Kernel& kernel, const Problem& problem, const Machine& machine,
                       const Config& partial) {
  const Space space = kernel.space(problem, machine);
  const Config fallback = kernel.default_config(problem, machine);
  std::string wrong;
  try {
    return space.complete(partial, fallback);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInfeasible) throw;
    wrong = error.message();
  }
  const std::vector<Config> legal = restricted(space, partial).enumerate();
  if (legal.empty()) {
    const std::string rule = broken_by(space, partial);
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no legal config of {} has {}: {}", kernel.name(), partial.text(),
                            rule.empty() ? wrong : rule));
  }
  return *std::ranges::min_element(
      legal, {}, [&](const Config& config) { return distance(space, config, fallback); });
}

}  // namespace tilewright
