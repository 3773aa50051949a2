#include "core/space/tuple_table.h"

#include <algorithm>

namespace tilewright {

namespace {

uint64_t hash_of(std::span<const uint32_t> tuple) {
  uint64_t hash = tuple.size() * 0x9e3779b97f4a7c15u;
  for (const uint32_t word : tuple) {
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

std::span<const uint32_t> TupleTable::operator[](uint32_t number) const {
  const size_t begin = number == 0 ? 0 : ends_[number - 1];
  return std::span(words_).subspan(begin, ends_[number] - begin);
}

void TupleTable::grow() {
  slots_.assign(std::max<size_t>(16, slots_.size() * 2), 0);
  const size_t mask = slots_.size() - 1;
  for (uint32_t number = 0; number < ends_.size(); ++number) {
    size_t slot = hash_of((*this)[number]) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = number + 1;
  }
}

std::pair<uint32_t, bool> TupleTable::intern(std::span<const uint32_t> tuple) {
  if (2 * (ends_.size() + 1) > slots_.size()) grow();
  const size_t mask = slots_.size() - 1;
  size_t slot = hash_of(tuple) & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const uint32_t number = slots_[slot] - 1;
    if (std::ranges::equal((*this)[number], tuple)) return {number, false};
  }
  const auto number = static_cast<uint32_t>(ends_.size());
  words_.insert(words_.end(), tuple.begin(), tuple.end());
  ends_.push_back(words_.size());
  slots_[slot] = number + 1;
  return {number, true};
}

}  // namespace tilewright
