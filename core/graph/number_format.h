#pragma once

#include <cstdint>

#include "core/graph/shape.h"

namespace tilewright {

/// Number formats of the element types, for arithmetic on wider numbers.

/// The number of the float type that is nearest to `value`, ties to even. What is too large becomes
/// an infinity, or where the type has none NaN, or where it has neither its largest number.
/// Error (usage) for f8e8m0fnu, which holds powers of two for scaled dots only.
double round_to(ElementType type, double value);

/// The float `value` with fewer bits, rounded to nearest even: too large becomes an infinity and
/// too small for a normal number zero, as XLA's reduce-precision says. `value` is one of `type`.
/// Error (usage) for less than one exponent bit or a negative number of mantissa bits.
double reduce_precision(ElementType type, double value, int64_t exponent_bits,
                        int64_t mantissa_bits);

/// Bits of one element: 1 for pred, 4 for s4, ...
int width_of(ElementType type);
/// `value` modulo two to the width of the integer type; pred: whether it is not 0.
int64_t wrap_to(ElementType type, int64_t value);
/// Of an integer type (pred: 1). For u64 the largest s64.
int64_t largest_integer(ElementType type);
/// `value` cut towards zero, saturating at the ends of the integer type; NaN gives 0. The bits of
/// the result for u64.
int64_t saturate_to(ElementType type, double value);

/// The bits in memory of a number of a type: integers, pred, f16, bf16, f32, f64. Error (usage) for
/// the smaller floats.
uint64_t bits_of_float(ElementType type, double value);
double float_of_bits(ElementType type, uint64_t bits);

}  // namespace tilewright
