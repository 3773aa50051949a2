#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/space/expression.h"
#include "core/space/space.h"

namespace tilewright {

/// The expression behind a constraint together with the meaning of the values of its parameters:
/// whole numbers, or what their labels say ("0.5" a number, "True" and "False" truth, others text).
class SpaceExpression {
 public:
  SpaceExpression(std::string_view text, std::span<const Parameter> parameters);

  const Expression& expression() const { return expression_; }
  /// Names of its inputs.
  const std::vector<std::string>& names() const { return names_; }

  /// The value that an input has in expressions; `value` as in the parameter's list.
  ExpressionValue value(size_t input, int64_t value) const;
  bool holds(std::span<const int64_t> values) const;
  /// Empty, or why the expression has no value: "no value for a=0: division by zero".
  std::string error(std::span<const int64_t> values) const;
  /// Empty, or "MWG % 3 == 0 does not hold for MWG=16".
  std::string violation(std::span<const int64_t> values) const;

 private:
  std::string given(std::span<const int64_t> values) const;
  ExpressionValue evaluate(std::span<const int64_t> values) const;

  Expression expression_;
  std::vector<std::string> names_;
  struct Labels {
    std::vector<std::string> texts;  ///< none: the value is a whole number
    std::vector<ExpressionValue> values;
  };
  std::vector<std::shared_ptr<const Labels>> labels_;  // shared: values point into texts
};

/// A constraint that is written as an expression over the names of parameters. Where the expression
/// has no value (a division by zero, too large a number) the constraint does not hold. Error
/// (usage) with line:column for a malformed one and for unknown names.
Constraint expression_constraint(std::string_view text, std::span<const Parameter> parameters);

}  // namespace tilewright
