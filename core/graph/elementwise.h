#pragma once

#include <cstddef>

#include "core/graph/op_attributes.h"
#include "core/graph/opcode.h"
#include "core/graph/value.h"

namespace tilewright {

/// How the interpreter computes with floats. Integers are exact in their width either way.
enum class Arithmetic : uint8_t {
  /// In f64 without any rounding in between: what the program means. Conversions among floats and
  /// reduce-precision change nothing.
  kExact,
  /// Each op in f32 (f64 for f64), rounded to the type it states: what a machine computes.
  kStated,
};

/// An elementwise op (is_elementwise) that has been made ready for many elements.
struct Elementwise {
  HloOpcode opcode = HloOpcode::kCopy;
  ElementType from = ElementType::kF32;  ///< of the last operand
  ElementType to = ElementType::kF32;    ///< of the result
  Arithmetic arithmetic = Arithmetic::kExact;
  Comparison comparison = {};
  ReducePrecision precision = {};
};

/// Whether apply knows the opcode for the types: all of is_elementwise but stochastic-convert, and
/// no complex numbers.
bool can_apply(const Elementwise& op);

/// result[i] = op(operands[0][i], operands[1][i], ...) for i below count. The result may be one of
/// the operands. Integer division by zero gives all ones, and its remainder the dividend; shifts
/// beyond the width give what shifting on and on gives; maximum and minimum pass NaN on.
void apply(const Elementwise& op, const Element* const* operands, Element* result, size_t count);

/// acc = op(acc, elements[0]), op(acc, elements[1]), ... in this order, for a binary op of one
/// type.
Element fold(const Elementwise& op, Element acc, const Element* elements, size_t count);

/// The halves of apply, by the type of the operands: internal to elementwise*.cpp.
void apply_to_floats(const Elementwise& op, const Element* const* operands, Element* result,
                     size_t count);
void apply_to_integers(const Elementwise& op, const Element* const* operands, Element* result,
                       size_t count);

}  // namespace tilewright
