#pragma once

#include <cstdint>

namespace tilewright {

/// The numbers 0 to count - 1 in an order drawn from a seed, computed number by number, so that it
/// takes no memory for 10^8 of them: a Feistel network over the next power of four, of which
/// results beyond the count are permuted again (Black and Rogaway, "Ciphers with arbitrary finite
/// domains", 2002: cycle walking).
class RankPermutation {
 public:
  /// count >= 1.
  RankPermutation(int64_t count, uint64_t seed);

  /// 0 <= index < count.
  int64_t at(int64_t index) const;

 private:
  uint64_t count_;
  uint64_t seed_;
  int half_bits_ = 1;
};

}  // namespace tilewright
