#include "core/space/expression_evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/space/expression.h"

namespace tilewright {

namespace {

using Kind = SyntaxNode::Kind;
using Shape = ExpressionFunction::Shape;
using Values = std::vector<ExpressionValue>;

/// Operations of one evaluator, and values in its lists: seconds and tens of megabytes.
constexpr int64_t kMaxSteps = 4 * kMaxListValues;

const std::vector<ExpressionFunction>& functions() {
  static const std::vector<ExpressionFunction> all = {
      {"min", Shape::kFold, Operator::kMin, {}},
      {"max", Shape::kFold, Operator::kMax, {}},
      {"sum", Shape::kReduce, Operator::kAdd, int_value(0)},
      {"any", Shape::kReduce, Operator::kOr, bool_value(false)},
      {"all", Shape::kReduce, Operator::kAnd, bool_value(true)},
      {"abs", Shape::kUnary, Operator::kAbs, {}},
      {"int", Shape::kUnary, Operator::kInt, {}},
      {"float", Shape::kUnary, Operator::kFloat, {}},
      {"bool", Shape::kUnary, Operator::kBool, {}},
      {"round", Shape::kUnary, Operator::kRound, {}},
      {"len", Shape::kUnary, Operator::kLen, {}},
      {"range", Shape::kRange, Operator::kLen, {}},
      {"list", Shape::kList, Operator::kLen, {}},
  };
  return all;
}

}  // namespace

const ExpressionFunction& function_of(const ExpressionSyntax& syntax, const SyntaxNode& call,
                                      bool listed) {
  const auto found = std::ranges::find(functions(), call.name, &ExpressionFunction::name);
  if (found == functions().end()) {
    std::vector<std::string> names;
    for (const ExpressionFunction& function : functions()) names.emplace_back(function.name);
    throw syntax.error(call.offset,
                       fmt::format("unknown function '{}'{} (functions: {})", printable(call.name),
                                   did_you_mean(call.name, names), join(names, ", ")));
  }
  const size_t count = call.children.size();
  const auto refuse = [&](std::string_view wanted) {
    return syntax.error(call.offset, fmt::format("{} takes {}", call.name, wanted));
  };
  switch (found->shape) {
    case Shape::kFold:
      if (count == 0 || (count == 1 && !listed)) throw refuse("two or more values, or a list");
      break;
    case Shape::kReduce:
    case Shape::kList:
      if (count != 1 || !listed) throw refuse("a list");
      break;
    case Shape::kUnary:
      if (count != 1) throw refuse("one value");
      break;
    case Shape::kRange:
      if (count == 0 || count > 3) throw refuse("one to three whole numbers");
      break;
  }
  return *found;
}

void TreeEvaluator::spend(const SyntaxNode& node, int64_t steps) {
  spent_ += steps;
  if (spent_ > kMaxSteps) {
    throw syntax_.error(node.offset,
                        fmt::format("takes more than {} operations; name fewer values", kMaxSteps));
  }
}

ExpressionValue TreeEvaluator::keep(Values list) {
  lists_.push_back(std::move(list));
  return list_value(&lists_.back());
}

ExpressionValue TreeEvaluator::evaluate(size_t index) {
  const SyntaxNode& node = syntax_.node(index);
  spend(node, 1);
  const ExpressionValue value = computed(node);
  if (value.is_error()) throw syntax_.error(node.offset, value.reason);
  return value;
}

ExpressionValue TreeEvaluator::computed(const SyntaxNode& node) {
  switch (node.kind) {
    case Kind::kConstant:
      return node.constant;
    case Kind::kName:
      return variable(node);
    case Kind::kUnary:
      return apply(node.op, evaluate(node.children[0]), {});
    case Kind::kBinary:
      return joined(node);
    case Kind::kChain:
      return chain(node);
    case Kind::kConditional:
      return evaluate(node.children[is_true(evaluate(node.children[0])) ? 1 : 2]);
    case Kind::kCall:
      return call(node);
    case Kind::kList: {
      Values list;
      for (const size_t child : node.children) list.push_back(evaluate(child));
      return keep(std::move(list));
    }
    case Kind::kComprehension: {
      Values list;
      const size_t bound = variables_.size();
      comprehend(node, 0, list);
      variables_.resize(bound);
      return keep(std::move(list));
    }
  }
  return {};
}

ExpressionValue TreeEvaluator::variable(const SyntaxNode& node) const {
  for (size_t i = variables_.size(); i-- > 0;) {
    if (variables_[i].first == node.name) return variables_[i].second;
  }
  throw syntax_.error(node.offset, fmt::format("unknown name '{}'{}", printable(node.name),
                                               did_you_mean(node.name, names_)));
}

ExpressionValue TreeEvaluator::joined(const SyntaxNode& node) {
  ExpressionValue value = evaluate(node.children[0]);
  for (size_t i = 1; i < node.children.size(); ++i) {
    if (node.op == Operator::kAnd && !is_true(value)) return value;
    if (node.op == Operator::kOr && is_true(value)) return value;
    const ExpressionValue right = evaluate(node.children[i]);
    const bool lists = value.kind == ExpressionValue::Kind::kList && value.kind == right.kind;
    if (lists && node.op == Operator::kAdd) {
      spend(node, std::ssize(*value.list) + std::ssize(*right.list));
      Values list = *value.list;
      list.insert(list.end(), right.list->begin(), right.list->end());
      value = keep(std::move(list));
    } else {
      if (right.kind == ExpressionValue::Kind::kList) spend(node, std::ssize(*right.list));
      value = apply(node.op, value, right);
    }
  }
  return value;
}

ExpressionValue TreeEvaluator::chain(const SyntaxNode& node) {
  ExpressionValue left = evaluate(node.children[0]);
  ExpressionValue truth = bool_value(true);
  for (size_t i = 0; i < node.operators.size(); ++i) {
    const ExpressionValue right = evaluate(node.children[i + 1]);
    if (right.kind == ExpressionValue::Kind::kList) spend(node, std::ssize(*right.list));
    truth = apply(node.operators[i], left, right);
    if (!is_true(truth)) return truth;
    left = right;
  }
  return truth;
}

const Values& TreeEvaluator::list_of(size_t index) {
  const ExpressionValue value = evaluate(index);
  if (value.kind != ExpressionValue::Kind::kList) {
    throw syntax_.error(syntax_.node(index).offset, "expected a list");
  }
  spend(syntax_.node(index), std::ssize(*value.list));
  return *value.list;
}

void TreeEvaluator::comprehend(const SyntaxNode& node, size_t index, Values& made) {
  if (index == node.clauses.size()) {
    made.push_back(evaluate(node.children[0]));
    return;
  }
  const SyntaxNode::Clause& clause = node.clauses[index];
  const size_t bound = variables_.size();
  for (const ExpressionValue& element : list_of(clause.list)) {
    variables_.resize(bound);
    variables_.emplace_back(clause.variable, element);
    const bool holds = std::ranges::all_of(
        clause.conditions, [&](size_t condition) { return is_true(evaluate(condition)); });
    if (holds) comprehend(node, index + 1, made);
  }
}

ExpressionValue TreeEvaluator::range(const SyntaxNode& node,
                                     std::span<const ExpressionValue> bounds) {
  for (const ExpressionValue& bound : bounds) {
    if (!bound.is_whole()) throw syntax_.error(node.offset, "range takes whole numbers");
  }
  const int64_t begin = bounds.size() == 1 ? 0 : bounds[0].integer;
  const int64_t end = bounds.size() == 1 ? bounds[0].integer : bounds[1].integer;
  const int64_t step = bounds.size() == 3 ? bounds[2].integer : 1;
  if (step == 0) throw syntax_.error(node.offset, "range with a step of 0");
  Values list;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    spend(node, 1);
    list.push_back(int_value(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return keep(std::move(list));
}

ExpressionValue TreeEvaluator::call(const SyntaxNode& node) {
  Values arguments;
  for (const size_t child : node.children) arguments.push_back(evaluate(child));
  const bool listed = arguments.size() == 1 && arguments[0].kind == ExpressionValue::Kind::kList;
  const ExpressionFunction& function = function_of(syntax_, node, listed);
  if (function.shape == Shape::kRange) return range(node, arguments);
  if (function.shape == Shape::kList) return arguments[0];
  if (function.shape == Shape::kUnary) return apply(function.op, arguments[0], {});
  const Values& elements = listed ? *arguments[0].list : arguments;
  spend(node, std::ssize(elements));
  if (function.shape == Shape::kFold && elements.empty()) {
    throw syntax_.error(node.offset, fmt::format("{} of an empty list", node.name));
  }
  const bool folds = function.shape == Shape::kFold;
  ExpressionValue value = folds ? elements[0] : function.start;
  const bool logical = function.op == Operator::kAnd || function.op == Operator::kOr;
  for (size_t i = folds ? 1 : 0; i < elements.size(); ++i) {
    value = apply(function.op, value, logical ? bool_value(is_true(elements[i])) : elements[i]);
  }
  return value;
}

}  // namespace tilewright
