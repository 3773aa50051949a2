#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/space/expression.h"

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

  // What it consists of, for those who compute the same in another way.
  const std::vector<ExpressionValue>& domain(size_t stage) const { return domains_[stage]; }
  /// The register of a stage's input.
  size_t input(size_t stage) const { return inputs_[stage]; }
  /// What set() runs; what depends on no input has run.
  std::span<const ExpressionProgram::Instruction> code(size_t stage) const { return code_[stage]; }
  const std::vector<ExpressionValue>& registers() const { return registers_; }
  uint32_t result() const { return result_; }

 private:
  std::vector<std::vector<ExpressionValue>> domains_;
  std::vector<size_t> inputs_;                                     // register of each stage's input
  std::vector<std::vector<ExpressionProgram::Instruction>> code_;  // by stage
  std::vector<std::vector<uint32_t>> live_;  // behind each stage: registers used later
  std::vector<ExpressionValue> registers_;
  uint32_t result_;
};

}  // namespace tilewright
