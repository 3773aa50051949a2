#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/space/expression_value.h"

namespace tilewright {

/// A node of an expression's tree; others are named by their index in ExpressionSyntax::nodes.
struct SyntaxNode {
  enum class Kind {
    kConstant,
    kName,
    kUnary,          ///< op of children[0]
    kBinary,         ///< op of two children; two or more of kAnd and kOr
    kChain,          ///< children compared by operators, each with the next: a < b <= c
    kConditional,    ///< children: condition, then, else
    kCall,           ///< name(children...)
    kList,           ///< [children...] or (children...)
    kComprehension,  ///< [children[0] for ...]
  };
  /// "for variable in list if condition if ..."
  struct Clause {
    std::string variable;
    size_t list;
    std::vector<size_t> conditions;
  };

  Kind kind = Kind::kConstant;
  size_t offset = 0;  ///< in the text, of what an error about it points to
  int depth = 1;      ///< levels from here to the deepest leaf
  Operator op = Operator::kAdd;
  ExpressionValue constant = {};
  std::string name = {};
  std::vector<size_t> children = {};
  std::vector<Operator> operators = {};  ///< kNotIn does not exist: `not in` is kNot of kIn
  std::vector<Clause> clauses = {};
};

/// The tree of an expression in a subset of Python: numbers, texts, True, False, names, + - * / //
/// % **, comparisons (also chained, in, not in), and, or, not, a if c else b, calls, lists and
/// comprehensions. Parsing is bounded in length and depth.
struct ExpressionSyntax {
  std::string source;
  std::vector<SyntaxNode> nodes;
  size_t root = 0;
  std::deque<std::string> texts;  ///< what constants point to

  const SyntaxNode& node(size_t index) const { return nodes[index]; }
  /// "1:7: what, in 'source'" of kind usage.
  Error error(size_t offset, std::string_view what) const;
};

constexpr size_t kMaxExpressionBytes = size_t{1} << 20;

/// Error (usage) with line:column and what was expected.
ExpressionSyntax parse_expression(std::string_view text);

}  // namespace tilewright
