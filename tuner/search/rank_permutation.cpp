#include "tuner/search/rank_permutation.h"

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

RankPermutation::RankPermutation(int64_t count, uint64_t seed)
    : count_(static_cast<uint64_t>(count)), seed_(seed) {
  TW_CHECK(count >= 1, "a permutation has an element");
  while ((uint64_t{1} << (2 * half_bits_)) < count_) ++half_bits_;
}

int64_t RankPermutation::at(int64_t index) const {
  // Few rounds are visibly uneven on a handful of elements; each costs a nanosecond or two.
  constexpr uint64_t kRounds = 8;
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<uint64_t>(index);
  do {
    uint64_t left = value >> half_bits_;
    uint64_t right = value & mask;
    for (uint64_t round = 0; round < kRounds; ++round) {
      const uint64_t mixed = mix_bits(mix_bits(seed_, round), right) & mask;
      const uint64_t next = left ^ mixed;
      left = right;
      right = next;
    }
    value = (left << half_bits_) | right;
  } while (value >= count_);
  return static_cast<int64_t>(value);
}

}  // namespace tilewright
