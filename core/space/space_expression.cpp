#include "core/space/space_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

namespace {

std::vector<std::string> names_of(std::span<const Parameter> parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

/// What a label of an ordered parameter is in expressions, as Python reads it.
ExpressionValue number_of(const std::string& label) {
  const char* const end = label.data() + label.size();
  int64_t whole = 0;
  const auto as_whole = std::from_chars(label.data(), end, whole);
  if (as_whole.ec == std::errc() && as_whole.ptr == end) return int_value(whole);
  double number = 0;
  const auto as_number = std::from_chars(label.data(), end, number);
  if (as_number.ec == std::errc() && as_number.ptr == end) return float_value(number);
  return text_value(&label);
}

ExpressionValue label_value(const std::string& label, bool ordered) {
  if (label == "True" || label == "False") return bool_value(label == "True");
  return ordered ? number_of(label) : text_value(&label);
}

}  // namespace

SpaceExpression::SpaceExpression(std::string_view text, std::span<const Parameter> parameters)
    : expression_(text, names_of(parameters)) {
  for (const size_t input : expression_.inputs()) {
    const Parameter& parameter = parameters[input];
    const auto labels = std::make_shared<Labels>();
    labels->texts = parameter.labels;
    for (const std::string& label : labels->texts) {
      labels->values.push_back(label_value(label, parameter.ordered));
    }
    names_.push_back(parameter.name);
    labels_.push_back(labels);
  }
}

ExpressionValue SpaceExpression::value(size_t input, int64_t value) const {
  const std::vector<ExpressionValue>& labelled = labels_[input]->values;
  return labelled.empty() ? int_value(value) : labelled[static_cast<size_t>(value)];
}

ExpressionValue SpaceExpression::evaluate(std::span<const int64_t> values) const {
  std::vector<ExpressionValue> inputs;
  for (size_t i = 0; i < values.size(); ++i) inputs.push_back(value(i, values[i]));
  return expression_.evaluate(inputs);
}

bool SpaceExpression::holds(std::span<const int64_t> values) const {
  return is_true(evaluate(values));
}

std::string SpaceExpression::given(std::span<const int64_t> values) const {
  std::string given;
  for (size_t i = 0; i < values.size(); ++i) {
    given += fmt::format("{}{}={}", i == 0 ? "" : ",", names_[i], text_of(value(i, values[i])));
  }
  return given;
}

std::string SpaceExpression::error(std::span<const int64_t> values) const {
  const ExpressionValue result = evaluate(values);
  if (!result.is_error()) return "";
  return values.empty() ? fmt::format("no value: {}", result.reason)
                        : fmt::format("no value for {}: {}", given(values), result.reason);
}

std::string SpaceExpression::violation(std::span<const int64_t> values) const {
  if (holds(values)) return "";
  const std::string wrong = error(values);
  if (!wrong.empty()) return fmt::format("{} has {}", expression_.text(), wrong);
  return values.empty() ? fmt::format("{} does not hold", expression_.text())
                        : fmt::format("{} does not hold for {}", expression_.text(), given(values));
}

Constraint expression_constraint(std::string_view text, std::span<const Parameter> parameters) {
  const auto expression = std::make_shared<const SpaceExpression>(text, parameters);
  Constraint constraint{
      std::string(text), expression->names(),
      [expression](std::span<const int64_t> values) { return expression->violation(values); }};
  constraint.expression = expression;
  return constraint;
}

}  // namespace tilewright
