#include "core/space/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/expression_evaluator.h"
#include "core/space/expression_syntax.h"

namespace tilewright {

namespace {

using Kind = SyntaxNode::Kind;
using Shape = ExpressionFunction::Shape;

/// Each conjunct has registers of its own for all inputs.
constexpr size_t kMostConjuncts = 256;

/// What the constants of an expression point to.
struct Storage {
  ExpressionSyntax syntax;
  std::deque<std::vector<ExpressionValue>> lists;
};

/// Which nodes name a parameter, themselves or below.
std::vector<char> nodes_with_names(const ExpressionSyntax& syntax,
                                   const std::map<std::string_view, size_t>& names) {
  std::vector<char> named;
  for (const SyntaxNode& node : syntax.nodes) {
    const auto is_named = [&](size_t child) { return named[child] != 0; };
    bool found = std::ranges::any_of(node.children, is_named) ||
                 (node.kind == Kind::kName && names.contains(node.name));
    for (const SyntaxNode::Clause& clause : node.clauses) {
      found = found || is_named(clause.list) || std::ranges::any_of(clause.conditions, is_named);
    }
    named.push_back(found ? 1 : 0);
  }
  return named;
}

/// Makes the bytecode of one tree. Subtrees without names are evaluated at once.
class Compiler {
 public:
  Compiler(Storage& storage, std::span<const std::string> names, const std::vector<char>& named,
           std::span<const size_t> inputs)
      : syntax_(storage.syntax),
        names_(names),
        named_(named),
        inputs_(inputs),
        evaluator_(storage.syntax, names, storage.lists) {
    program_.registers.resize(inputs.size());
  }

  ExpressionProgram compile(size_t root) {
    program_.result = value(root);
    return std::move(program_);
  }

 private:
  uint32_t constant(ExpressionValue value) {
    program_.registers.push_back(value);
    return static_cast<uint32_t>(program_.registers.size() - 1);
  }

  uint32_t emit(Operator op, uint32_t a, uint32_t b, uint32_t c = 0) {
    const uint32_t out = constant({});
    program_.code.push_back({op, out, a, b, c});
    return out;
  }

  uint32_t unary(Operator op, uint32_t a) { return emit(op, a, a); }

  uint32_t value(size_t index) {
    const SyntaxNode& node = syntax_.node(index);
    if (named_[index] == 0) return constant(evaluator_.evaluate(index));
    switch (node.kind) {
      case Kind::kName:
        return input(node);
      case Kind::kUnary:
        return unary(node.op, value(node.children[0]));
      case Kind::kBinary:
        return joined(node);
      case Kind::kChain:
        return chain(node);
      case Kind::kConditional: {
        const uint32_t condition = value(node.children[0]);
        const uint32_t then = value(node.children[1]);
        return emit(Operator::kSelect, then, value(node.children[2]), condition);
      }
      case Kind::kCall:
        return call(node);
      default:
        throw syntax_.error(node.offset,
                            node.kind == Kind::kList
                                ? "a list of parameters has a meaning behind 'in' and in min, max, "
                                  "sum, any, all alone"
                                : "a comprehension must not name parameters");
    }
  }

  uint32_t input(const SyntaxNode& node) const {
    const auto name = static_cast<size_t>(std::ranges::find(names_, node.name) - names_.begin());
    return static_cast<uint32_t>(std::ranges::lower_bound(inputs_, name) - inputs_.begin());
  }

  /// One comparison; `in` of a list with parameters is one of several equalities.
  uint32_t compared(Operator op, uint32_t left, size_t right) {
    const SyntaxNode& list = syntax_.node(right);
    if (op != Operator::kIn || named_[right] == 0) return emit(op, left, value(right));
    if (list.kind != Kind::kList) {
      throw syntax_.error(list.offset, "expected a list behind 'in'");
    }
    uint32_t found = constant(bool_value(false));
    for (const size_t element : list.children) {
      found = emit(Operator::kOr, found, emit(Operator::kEqual, left, value(element)));
    }
    return found;
  }

  uint32_t joined(const SyntaxNode& node) {
    uint32_t result = value(node.children[0]);
    for (size_t i = 1; i < node.children.size(); ++i) {
      result = node.op == Operator::kIn ? compared(node.op, result, node.children[i])
                                        : emit(node.op, result, value(node.children[i]));
    }
    return result;
  }

  uint32_t chain(const SyntaxNode& node) {
    uint32_t left = value(node.children[0]);
    uint32_t truth = 0;
    for (size_t i = 0; i < node.operators.size(); ++i) {
      const bool is_list = node.operators[i] == Operator::kIn;
      const size_t right = node.children[i + 1];
      if (is_list && i + 1 < node.operators.size()) {
        throw syntax_.error(node.offset, "'in' cannot stand in a chain of comparisons");
      }
      const uint32_t value_right = is_list ? 0 : value(right);
      const uint32_t holds = is_list ? compared(Operator::kIn, left, right)
                                     : emit(node.operators[i], left, value_right);
      truth = i == 0 ? holds : emit(Operator::kAnd, truth, holds);
      left = value_right;
    }
    return truth;
  }

  uint32_t call(const SyntaxNode& node) {
    const bool listed =
        node.children.size() == 1 && syntax_.node(node.children[0]).kind == Kind::kList;
    const ExpressionFunction& function = function_of(syntax_, node, listed);
    if (function.shape == Shape::kRange || function.shape == Shape::kList) {
      throw syntax_.error(node.offset, fmt::format("{} must not name parameters here", node.name));
    }
    const std::vector<size_t>& elements =
        listed ? syntax_.node(node.children[0]).children : node.children;
    if (function.shape == Shape::kUnary) {
      if (listed && function.op == Operator::kLen) return constant(int_value(std::ssize(elements)));
      return unary(function.op, value(node.children[0]));
    }
    const bool folds = function.shape == Shape::kFold;
    const bool logical = function.op == Operator::kAnd || function.op == Operator::kOr;
    uint32_t result = folds ? value(elements[0]) : constant(function.start);
    for (size_t i = folds ? 1 : 0; i < elements.size(); ++i) {
      uint32_t element = value(elements[i]);
      if (logical) element = unary(Operator::kBool, element);
      result = emit(function.op, result, element);
    }
    return result;
  }

  const ExpressionSyntax& syntax_;
  std::span<const std::string> names_;
  const std::vector<char>& named_;
  std::span<const size_t> inputs_;
  TreeEvaluator evaluator_;
  ExpressionProgram program_;
};

}  // namespace

void run(const ExpressionProgram::Instruction& instruction, std::span<ExpressionValue> registers) {
  const auto& [op, out, a, b, c] = instruction;
  if (op != Operator::kSelect) {
    registers[out] = apply(op, registers[a], registers[b]);
  } else if (registers[c].is_error()) {
    registers[out] = registers[c];
  } else {
    registers[out] = registers[is_true(registers[c]) ? a : b];
  }
}

Expression::Expression(std::string_view text, std::span<const std::string> names) : text_(text) {
  const auto storage = std::make_shared<Storage>();
  storage->syntax = parse_expression(text);
  const ExpressionSyntax& syntax = storage->syntax;
  std::map<std::string_view, size_t> positions;
  for (size_t i = 0; i < names.size(); ++i) positions.emplace(names[i], i);
  const std::vector<char> named = nodes_with_names(syntax, positions);
  std::set<size_t> used;
  for (const SyntaxNode& node : syntax.nodes) {
    const auto found = positions.find(node.name);
    if (node.kind == Kind::kName && found != positions.end()) used.insert(found->second);
  }
  inputs_.assign(used.begin(), used.end());
  const auto compiled = [&](size_t root) {
    return Compiler(*storage, names, named, inputs_).compile(root);
  };
  whole_ = compiled(syntax.root);
  const SyntaxNode& root = syntax.node(syntax.root);
  if (root.kind == Kind::kBinary && root.op == Operator::kAnd &&
      root.children.size() <= kMostConjuncts) {
    for (const size_t part : root.children) conjuncts_.push_back(compiled(part));
  } else {
    conjuncts_.push_back(whole_);
  }
  constants_ = storage;
}

ExpressionValue Expression::evaluate(std::span<const ExpressionValue> inputs) const {
  TW_CHECK(inputs.size() == inputs_.size(), "an expression gets a value for each of its inputs");
  std::vector<ExpressionValue> registers = whole_.registers;
  std::ranges::copy(inputs, registers.begin());
  for (const auto& instruction : whole_.code) run(instruction, registers);
  return registers[whole_.result];
}

ValueList parse_value_list(std::string_view text) {
  const auto storage = std::make_shared<Storage>();
  storage->syntax = parse_expression(text);
  const ExpressionSyntax& syntax = storage->syntax;
  const ExpressionValue value = TreeEvaluator(syntax, {}, storage->lists).evaluate(syntax.root);
  if (value.kind != ExpressionValue::Kind::kList) {
    throw syntax.error(0, "expected a list, such as [16, 32, 64]");
  }
  if (std::ssize(*value.list) > kMaxListValues) {
    throw syntax.error(0, fmt::format("a list of more than {} values", kMaxListValues));
  }
  return {*value.list, storage};
}

}  // namespace tilewright
