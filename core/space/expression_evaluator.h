#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/space/expression_syntax.h"

namespace tilewright {

/// What a function of expressions does with its arguments.
struct ExpressionFunction {
  enum class Shape {
    kFold,    ///< of two or more values, or of one list that is not empty: by `op`
    kReduce,  ///< of one list: by `op`, from `start`
    kUnary,   ///< of one value: `op`
    kRange,   ///< of one to three whole numbers
    kList,    ///< of one list: itself
  };
  std::string_view name;
  Shape shape;
  Operator op;
  ExpressionValue start;  ///< what kReduce gives of an empty list
};

/// Error (usage) for an unknown function or a number of arguments it does not take; `listed` says
/// that there is one argument, which is a list.
const ExpressionFunction& function_of(const ExpressionSyntax& syntax, const SyntaxNode& call,
                                      bool listed);

/// Evaluates trees that name no parameter, with lists and comprehensions. The work of all calls
/// together is bounded.
class TreeEvaluator {
 public:
  /// Made lists go to `lists`, which outlives the results as `syntax` does. `names` are what an
  /// unknown name may have been meant to be.
  TreeEvaluator(const ExpressionSyntax& syntax, std::span<const std::string> names,
                std::deque<std::vector<ExpressionValue>>& lists)
      : syntax_(syntax), names_(names), lists_(lists) {}

  /// Never an error value: Error (usage) with the place where an operation has no value.
  ExpressionValue evaluate(size_t node);

 private:
  ExpressionValue computed(const SyntaxNode& node);
  ExpressionValue joined(const SyntaxNode& node);
  ExpressionValue chain(const SyntaxNode& node);
  ExpressionValue call(const SyntaxNode& node);
  ExpressionValue range(const SyntaxNode& node, std::span<const ExpressionValue> bounds);
  ExpressionValue variable(const SyntaxNode& node) const;
  void comprehend(const SyntaxNode& node, size_t clause, std::vector<ExpressionValue>& made);
  const std::vector<ExpressionValue>& list_of(size_t node);
  ExpressionValue keep(std::vector<ExpressionValue> list);
  void spend(const SyntaxNode& node, int64_t steps);

  const ExpressionSyntax& syntax_;
  std::span<const std::string> names_;
  std::deque<std::vector<ExpressionValue>>& lists_;
  std::vector<std::pair<std::string_view, ExpressionValue>> variables_;
  int64_t spent_ = 0;
};

}  // namespace tilewright
