#pragma once

#include <cstdint>

namespace tilewright {

/// SplitMix64: a small seeded generator whose stream is the same on every platform and library.
/// (std::*_distribution is not: its algorithms are the implementation's choice.)
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t bits();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, bound); bound >= 1.
  uint64_t below(uint64_t bound);
  /// Standard normal (Box-Muller).
  double normal();
  /// Exponential with mean 1.
  double exponential();
  /// Gamma with the given shape (> 0) and mean 1 (Marsaglia and Tsang 2000).
  double gamma(double shape);

 private:
  uint64_t state_;
};

/// A well-mixed 64-bit value of (seed, index): counter-based, so that element i of a stream does
/// not depend on who asked for element i-1.
uint64_t mix_bits(uint64_t seed, uint64_t index);

}  // namespace tilewright
