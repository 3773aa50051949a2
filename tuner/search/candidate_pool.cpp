#include "tuner/search/candidate_pool.h"

#include <algorithm>
#include <numeric>

#include "tuner/search/rank_permutation.h"

namespace tilewright {

CandidatePool::CandidatePool(const SpaceIndex& space, const FeatureSet& features, uint64_t seed,
                             std::span<const int64_t> extra) {
  if (space.size() <= kWhole) {
    ranks_.resize(static_cast<size_t>(space.size()));
    std::iota(ranks_.begin(), ranks_.end(), int64_t{0});
  } else {
    const RankPermutation order(space.size(), seed);
    ranks_.assign(extra.begin(), extra.end());
    for (int64_t i = 0; i < kDrawn; ++i) ranks_.push_back(order.at(i));
    std::ranges::sort(ranks_);
    ranks_.erase(std::unique(ranks_.begin(), ranks_.end()), ranks_.end());
  }
  codes_.resize(features.size() * size());
  oddness_.resize(size());
  std::vector<int> places(space.dimensions());
  std::vector<uint8_t> codes(features.size());
  for (size_t slot = 0; slot < size(); ++slot) {
    space.places(ranks_[slot], places);
    features.codes(places, codes);
    for (size_t f = 0; f < codes.size(); ++f) codes_[f * size() + slot] = codes[f];
    oddness_[slot] = static_cast<float>(features.oddness(places));
  }
  find_changes(features);
}

CandidatePool::CandidatePool(const CandidatePool& from, const FeatureSet& features,
                             std::span<const size_t> slots) {
  for (const size_t slot : slots) {
    ranks_.push_back(from.ranks_[slot]);
    oddness_.push_back(from.oddness_[slot]);
  }
  for (size_t f = 0; f < features.size(); ++f) {
    for (const size_t slot : slots) codes_.push_back(from.codes(f)[slot]);
  }
  find_changes(features);
}

void CandidatePool::find_changes(const FeatureSet& features) {
  first_change_.assign(size(), 0);
  for (size_t slot = 1; slot < size(); ++slot) {
    size_t f = 0;
    while (f + 1 < features.parameters() && codes(f)[slot] == codes(f)[slot - 1]) ++f;
    first_change_[slot] = static_cast<uint16_t>(f);
  }
}

std::optional<size_t> CandidatePool::slot_of(int64_t rank) const {
  const auto found = std::ranges::lower_bound(ranks_, rank);
  if (found == ranks_.end() || *found != rank) return {};
  return static_cast<size_t>(found - ranks_.begin());
}

}  // namespace tilewright
