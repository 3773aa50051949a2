#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// What an expression and its parts evaluate to, with the meaning that Python gives to it. A value
/// does not own the text or list it points to: whoever made it does. A failed operation is a value
/// too, so that `a == 0 or 8 % a == 0` is decided without looking at the right side.
struct ExpressionValue {
  enum class Kind : uint8_t { kInt, kBool, kFloat, kText, kList, kError };

  Kind kind = Kind::kInt;
  union {
    int64_t integer = 0;  ///< also of a bool
    double number;
    const std::string* text;
    const std::vector<ExpressionValue>* list;
    const char* reason;  ///< of an error: "division by zero"
  };

  bool is_whole() const { return kind == Kind::kInt || kind == Kind::kBool; }
  bool is_number() const { return is_whole() || kind == Kind::kFloat; }
  bool is_error() const { return kind == Kind::kError; }
};

ExpressionValue int_value(int64_t integer);
ExpressionValue bool_value(bool truth);
ExpressionValue float_value(double number);
ExpressionValue text_value(const std::string* text);
ExpressionValue list_value(const std::vector<ExpressionValue>* list);
/// `reason` lives as long as the program.
ExpressionValue error_value(const char* reason);

/// Operators of expressions. Those up to kNegate take two values, those behind take one; kSelect
/// takes three (condition, then, else).
enum class Operator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kIn,
  kAnd,
  kOr,
  kMin,
  kMax,
  kNegate,
  kPlus,
  kNot,
  kAbs,
  kInt,
  kFloat,
  kBool,
  kRound,
  kLen,
  kSelect,
};

/// Python's truth of a value: not zero, not empty. False of an error.
bool is_true(const ExpressionValue& value);

/// Python's result, whole numbers in 64 bits: beyond them, and where Python raises an exception,
/// an error. kAnd and kOr give one of their operands. A unary operator ignores `b`.
ExpressionValue apply(Operator op, const ExpressionValue& a, const ExpressionValue& b);

/// "16", "0.5", "True", "fast": as Python's str() has it, floats in their shortest form.
std::string text_of(const ExpressionValue& value);

}  // namespace tilewright
