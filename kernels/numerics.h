#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "simulator/functional.h"
#include "simulator/launch.h"

namespace tilewright {

/// What the inputs of a check hold, relative to the range [low, high) that a kernel asks for.
enum class InputPattern : uint8_t {
  kUniform,   ///< uniform in the range
  kLarge,     ///< the range times 2^7 (f16) or 2^30 (bf16, f32); i8: only -127 and 127
  kTiny,      ///< the range times 2^-20 (f16: subnormal) or 2^-100 (bf16, f32); i8: -1, 0, 1
  kEqual,     ///< one value everywhere
  kMinusInf,  ///< of every four rows one is all -inf, one half -inf; i8: as kUniform
};
constexpr InputPattern kInputPatterns[] = {InputPattern::kUniform, InputPattern::kLarge,
                                           InputPattern::kTiny, InputPattern::kEqual,
                                           InputPattern::kMinusInf};
std::string_view name_of(InputPattern pattern);

/// The pattern of that name; Error (usage) suggests the nearest.
InputPattern parse_input_pattern(std::string_view name);

/// The same seed and pattern give the same values.
struct InputValues {
  uint64_t seed = 0;
  InputPattern pattern = InputPattern::kUniform;
};

/// Values of the pattern for `rows` x `cols` elements of `type`, row-major. `stream` tells the
/// tensors of one check apart.
std::vector<float> input_values(DType type, int64_t rows, int64_t cols, double low, double high,
                                const InputValues& values, uint64_t stream);

/// Fills a whole tensor of a launch; its number is the stream.
void fill_tensor(const Launch& launch, int tensor, double low, double high,
                 const InputValues& values, GmImage& image);

// Tolerances. A kernel's result may differ from the reference in f64 by
//
//   rounding_unit(out) |exact| + subnormal_error(out)       the result's own rounding
//   + sum_error(k) * sum of |a_i b_i|                        sums of k products in f32
//
// and by the same terms again for every intermediate result that is rounded to a type. The bound on
// sums is that of k additions in any order (Higham, Accuracy and Stability of Numerical Algorithms,
// section 3.1: gamma_k with u = 2^-24). Sums of i8 products in i32 are exact.

/// Largest relative error of rounding to a type; 0 for whole numbers.
double rounding_unit(DType type);

/// Largest absolute error of rounding to a type where its numbers are subnormal.
double subnormal_error(DType type);

/// gamma_k: relative to the sum of the absolute values of the k terms, for sums in f32.
double sum_error(int64_t k);

/// The largest finite number of a type: what rounds to more is infinite.
double largest_finite(DType type);

}  // namespace tilewright
