#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/space/space.h"
#include "core/space/staged_expression.h"

namespace tilewright {

/// A constraint, or one part of its outermost `and`, made ready for a walk that gives parameters
/// their values in order. Where that is cheap it is an automaton without superfluous states: two
/// prefixes with the same legal continuations have the same state.
struct Rule {
  size_t constraint = 0;       ///< position in the space
  std::vector<size_t> inputs;  ///< positions of its parameters, ascending
  bool never = false;          ///< no values satisfy it
  /// next[k][state * values + place]: the state behind the k-th input, from state 0 before the
  /// first; negative where nothing legal follows. Empty: the rule is evaluated, by one of:
  std::vector<std::vector<int32_t>> next;
  std::optional<StagedExpression> staged;
  const Constraint* predicate = nullptr;  ///< of the space given to rules_of()
  std::vector<size_t> order;  ///< of a predicate: which of `inputs` each of its parameters is

  bool is_table() const { return !next.empty(); }
};

/// The rules of the constraints that are no list of rows, without those that always hold. The space
/// outlives them.
std::vector<Rule> rules_of(const Space& space);

}  // namespace tilewright
