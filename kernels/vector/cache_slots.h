#pragma once

#include <cstdint>
#include <vector>

namespace tilewright {

/// Slots of a paged KV cache that takes `tokens` new tokens: half as many again at least, a power
/// of two.
int64_t slot_count(int64_t tokens);

/// A slot for each token: a permutation by odd multiples modulo the number of slots, so that no two
/// neighbours lie side by side.
std::vector<int64_t> scatter_slots(int64_t tokens);

}  // namespace tilewright
