#include "tuner/session/space_limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/empty_space.h"
#include "core/space/space_expression.h"

namespace tilewright {

namespace {

Parameter& parameter_of(std::vector<Parameter>& parameters, const std::string& name,
                        const char* option) {
  const auto found = std::ranges::find(parameters, name, &Parameter::name);
  if (found != parameters.end()) return *found;
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  throw Error(ErrorKind::kUsage,
              fmt::format("--{}: the space has no parameter '{}'{} (it has {})", option,
                          printable(name), did_you_mean(name, names), join(names, ", ")));
}

std::string text_of(const Parameter& parameter, int64_t value) {
  return parameter.labels.empty() ? fmt::format("{}", value)
                                  : parameter.labels[static_cast<size_t>(value)];
}

int64_t value_of(const Parameter& parameter, const std::string& text, const char* option) {
  std::vector<std::string> texts;
  for (const int64_t value : parameter.values) {
    texts.push_back(text_of(parameter, value));
    if (texts.back() == text) return value;
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("--{} {}={}: not a value of it{} (values: {})", option, parameter.name,
                          printable(text), did_you_mean(text, texts), join(texts, ", ")));
}

}  // namespace

void SpaceLimits::add(const SpaceLimits& more) {
  pins.insert(pins.end(), more.pins.begin(), more.pins.end());
  bans.insert(bans.end(), more.bans.begin(), more.bans.end());
  constraints.insert(constraints.end(), more.constraints.begin(), more.constraints.end());
}

Space limited(const Space& space, const SpaceLimits& limits) {
  std::vector<Parameter> parameters = space.parameters();
  std::vector<Constraint> constraints = space.constraints();
  const auto rule = [&](const std::string& name, const std::string& text,
                        std::function<bool(int64_t)> allowed) {
    constraints.push_back({text, {name}, [text, allowed](std::span<const int64_t> values) {
                             return allowed(values[0]) ? std::string() : text + " excludes it";
                           }});
  };
  for (const auto& [name, text] : limits.pins) {
    const int64_t value = value_of(parameter_of(parameters, name, "pin"), text, "pin");
    rule(name, fmt::format("--pin {}={}", name, text), [=](int64_t v) { return v == value; });
  }
  for (const auto& [name, text] : limits.bans) {
    const int64_t value = value_of(parameter_of(parameters, name, "ban"), text, "ban");
    rule(name, fmt::format("--ban {}={}", name, text), [=](int64_t v) { return v != value; });
  }
  for (const std::string& text : limits.constraints) {
    constraints.push_back(expression_constraint(text, parameters));
    constraints.back().name = "--constraint " + text;
  }
  return Space(std::move(parameters), std::move(constraints));
}

void refuse_empty_space(const Space& space, const std::string& problem,
                        const std::function<bool()>& stop) {
  const std::string why = why_empty(space, stop);
  if (why.empty()) return;
  throw Error(ErrorKind::kInfeasible,
              fmt::format("no config of {} is left: {}", printable(problem, 160), why));
}

}  // namespace tilewright
