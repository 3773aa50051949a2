#include "kernels/vector/cache_slots.h"

#include <bit>
#include <cstddef>

namespace tilewright {

int64_t slot_count(int64_t tokens) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(tokens + tokens / 2 + 1)));
}

std::vector<int64_t> scatter_slots(int64_t tokens) {
  const int64_t slots = slot_count(tokens);
  const int64_t step = (slots * 5 / 8) | 1;
  std::vector<int64_t> table(static_cast<size_t>(tokens));
  for (int64_t t = 0; t < tokens; ++t) table[static_cast<size_t>(t)] = (1 + t * step) % slots;
  return table;
}

}  // namespace tilewright
