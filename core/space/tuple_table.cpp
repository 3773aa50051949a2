#include "core/space/tuple_table.h"

#include <algorithm>

namespace tilewright {

namespace {

constexpr int kHashShift = 32;

uint64_t hash_of(std::span<const uint32_t> tuple) {
  uint64_t hash = tuple.size() * 0x9e3779b97f4a7c15u;
  const auto mix = [&](uint64_t bits) {
    hash = (hash ^ bits) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  };
  size_t i = 0;
  for (; i + 1 < tuple.size(); i += 2) mix(tuple[i] | (uint64_t{tuple[i + 1]} << 32));
  if (i < tuple.size()) mix(tuple[i]);
  return hash & 0xffffffffu;
}

}  // namespace

std::span<const uint32_t> TupleTable::operator[](uint32_t number) const {
  const size_t begin = number == 0 ? 0 : ends_[number - 1];
  return std::span(words_).subspan(begin, ends_[number] - begin);
}

void TupleTable::grow() {
  const std::vector<uint64_t> before = std::move(slots_);
  slots_.assign(std::max<size_t>(16, before.size() * 2), 0);
  const size_t mask = slots_.size() - 1;
  for (const uint64_t entry : before) {
    if (entry == 0) continue;
    size_t slot = (entry >> kHashShift) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = entry;
  }
}

std::pair<uint32_t, bool> TupleTable::intern(std::span<const uint32_t> tuple) {
  if (2 * (ends_.size() + 1) > slots_.size()) grow();
  const size_t mask = slots_.size() - 1;
  const uint64_t hash = hash_of(tuple);
  size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (slots_[slot] >> kHashShift != hash) continue;
    const uint32_t number = static_cast<uint32_t>(slots_[slot]) - 1;
    if (std::ranges::equal((*this)[number], tuple)) return {number, false};
  }
  const auto number = static_cast<uint32_t>(ends_.size());
  words_.insert(words_.end(), tuple.begin(), tuple.end());
  ends_.push_back(words_.size());
  slots_[slot] = (hash << kHashShift) | (uint64_t{number} + 1);
  return {number, true};
}

}  // namespace tilewright
