#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/space/expression.h"
#include "core/space/space.h"
#include "core/space/space_expression.h"

namespace tilewright {

/// An expression that is evaluated one input after the other, in the order of the space's
/// parameters: what does not depend on later inputs is computed once for all of their values.
class StagedExpression {
 public:
  /// `domains[k]` has the values of the k-th input by place; `order[k]` is its register.
  StagedExpression(const ExpressionProgram& program, std::span<const size_t> order,
                   std::vector<std::vector<ExpressionValue>> domains);

  size_t stages() const { return domains_.size(); }
  size_t values(size_t stage) const { return domains_[stage].size(); }
  /// Gives the input of a stage its value; those before it have theirs.
  void set(size_t stage, size_t place);
  /// With all inputs set.
  bool holds() const { return is_true(registers_[result_]); }
  /// What later stages need of those up to `stage`, as words, and back.
  void save(size_t stage, std::vector<uint32_t>& words) const;
  void restore(size_t stage, std::span<const uint32_t> words);

 private:
  std::vector<std::vector<ExpressionValue>> domains_;
  std::vector<uint32_t> inputs_;
  std::vector<std::vector<ExpressionProgram::Instruction>> code_;  // by stage
  std::vector<std::vector<uint32_t>> live_;  // behind each stage: registers used later
  std::vector<ExpressionValue> registers_;
  uint32_t result_;
};

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
