#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/space/expression_value.h"

namespace tilewright {

/// The bytecode of an expression: registers, of which the first hold its inputs, and operations
/// without jumps, each on registers written before. What need not be computed is computed too; its
/// errors go nowhere (docs/spaces.md).
struct ExpressionProgram {
  struct Instruction {
    Operator op;
    uint32_t out;
    uint32_t a;
    uint32_t b;  ///< equal to `a` for unary operators
    uint32_t c;  ///< of kSelect: c ? a : b
  };

  std::vector<ExpressionValue> registers;  ///< with the constants; inputs and results unset
  std::vector<Instruction> code;
  uint32_t result = 0;
};

/// Runs one operation on registers.
void run(const ExpressionProgram::Instruction& instruction, std::span<ExpressionValue> registers);

/// A condition or formula over named values, in the subset of Python that tuning-space files use
/// (docs/spaces.md lists it). Its meaning is Python's, with whole numbers of 64 bits.
class Expression {
 public:
  /// Error (usage) with line:column: what was expected, or which of `names` may have been meant.
  Expression(std::string_view text, std::span<const std::string> names);

  const std::string& text() const { return text_; }
  /// Positions in `names` of the names that it uses, ascending.
  const std::vector<size_t>& inputs() const { return inputs_; }

  /// `inputs` has a value for each of inputs(). An error value where Python raises an exception.
  ExpressionValue evaluate(std::span<const ExpressionValue> inputs) const;

  /// The expression is true just when each of these is: the parts of an outermost `and`. Each takes
  /// all inputs().
  const std::vector<ExpressionProgram>& conjuncts() const { return conjuncts_; }

 private:
  std::string text_;
  std::vector<size_t> inputs_;
  ExpressionProgram whole_;
  std::vector<ExpressionProgram> conjuncts_;
  /// What the constants point to.
  std::shared_ptr<const void> constants_;
};

/// Values that an expression without names gives: "[16, 32]", "list(range(1, 9))",
/// "[2**i for i in range(5) if i != 2]", "[1] + [2*i for i in range(1, 11)]".
struct ValueList {
  std::vector<ExpressionValue> values;
  /// What texts point to.
  std::shared_ptr<const void> storage;
};

/// Values of one list, also of lists made on the way.
constexpr int64_t kMaxListValues = 1'000'000;

/// Error (usage) with line:column, also for what is no list or longer than kMaxListValues.
ValueList parse_value_list(std::string_view text);

}  // namespace tilewright
