#include "tuner/search/opening.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tuner/search/candidate_pool.h"
#include "tuner/search/rank_permutation.h"

namespace tilewright {

Opening::Opening(const SearchContext& context, const FeatureSet& features, const History& history)
    : context_(context), features_(&features), history_(&history) {}

std::vector<uint8_t> Opening::codes(int64_t rank) const {
  std::vector<uint8_t> codes(features_->size());
  features_->codes(context_.space->places(rank), codes);
  return codes;
}

double Opening::distance(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) const {
  double sum = 0;
  for (size_t f = 0; f < features_->parameters(); ++f) {
    if (a[f] == b[f]) continue;
    const Feature& feature = (*features_)[f];
    sum += feature.ordered ? std::abs(feature.coordinates[a[f]] - feature.coordinates[b[f]]) : 1.0;
  }
  return sum;
}

int64_t Opening::drawn(Random& random) const {
  // A config of oddness 1 is drawn e^2 times less often than one of powers of two.
  constexpr double kPreference = 2;
  constexpr int kTries = 100;
  int64_t rank = history_->unknown_rank(random);
  for (int i = 0; i < kTries; ++i) {
    const double oddness = features_->oddness(context_.space->places(rank));
    if (random.uniform() <= std::exp(-kPreference * oddness)) break;
    rank = history_->unknown_rank(random);
  }
  return rank;
}

int Opening::lost_pairs(const std::vector<uint8_t>& own,
                        const std::vector<std::vector<uint8_t>>& failed,
                        const std::vector<std::vector<uint8_t>>& worked) const {
  constexpr std::ptrdiff_t kFailures = 2;
  int lost = 0;
  for (size_t f = 0; f < features_->parameters(); ++f) {
    for (size_t g = 0; g < f; ++g) {
      const auto shares = [&](const std::vector<uint8_t>& other) {
        return own[f] == other[f] && own[g] == other[g];
      };
      if (std::ranges::count_if(failed, shares) < kFailures) continue;
      if (std::ranges::none_of(worked, shares)) ++lost;
    }
  }
  return lost;
}

void Opening::rank_by_estimate() {
  ranked_ = true;
  constexpr size_t kKept = 32;
  std::vector<std::pair<double, int64_t>> all;
  const RankPermutation order(context_.space->size(), context_.seed);
  const int64_t count = std::min(context_.space->size(), CandidatePool::kWhole);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t rank = order.at(i);
    all.emplace_back(context_.estimate(rank), rank);
  }
  std::ranges::sort(all);
  for (size_t i = 0; i < std::min(kKept, all.size()); ++i) estimated_.push_back(all[i].second);
}

bool Opening::over() {
  // Enough for a first slope of most parameters, few enough to leave most of 25 evaluations to the
  // model.
  constexpr size_t kConfigs = 8;
  constexpr int64_t kLeastWorked = 2;  // a process of one value has no scale
  const std::span<const Observation> told = history_->told();
  for (; counted_ < told.size(); ++counted_) {
    worked_ += told[counted_].status == AttemptStatus::kOk ? 1 : 0;
  }
  return told.size() + history_->pending().size() >= kConfigs && worked_ >= kLeastWorked;
}

int64_t Opening::next(Random& random) {
  constexpr int kDraws = 30;
  if (context_.estimate && !ranked_) rank_by_estimate();
  std::vector<int64_t> candidates;
  for (const int64_t rank : estimated_) {
    if (!history_->knows(rank)) candidates.push_back(rank);
  }
  const bool has_failures = worked_ < static_cast<int64_t>(history_->told().size());
  const bool untouched = !candidates.empty() && candidates.size() == estimated_.size();
  if (candidates.empty() || has_failures) {
    for (int i = 0; i < kDraws; ++i) candidates.push_back(drawn(random));
  }
  if (untouched && !has_failures) {
    return candidates.front();
  }
  std::vector<std::vector<uint8_t>> known;
  std::vector<std::vector<uint8_t>> failed;
  std::vector<std::vector<uint8_t>> worked;
  const std::span<const Observation> told = history_->told();
  constexpr size_t kNewest = 64;
  for (const Observation& one : told.subspan(told.size() - std::min(kNewest, told.size()))) {
    known.push_back(codes(one.rank));
    (one.status == AttemptStatus::kOk ? worked : failed).push_back(known.back());
  }
  for (const int64_t rank : history_->pending()) known.push_back(codes(rank));
  int64_t best = candidates.front();
  double widest = -1;
  int least = std::numeric_limits<int>::max();
  for (const int64_t rank : candidates) {
    const std::vector<uint8_t> own = codes(rank);
    double nearest = std::numeric_limits<double>::infinity();
    for (const std::vector<uint8_t>& other : known) {
      nearest = std::min(nearest, distance(own, other));
    }
    const int lost = lost_pairs(own, failed, worked);
    if (lost > least || (lost == least && nearest <= widest)) continue;
    least = lost;
    widest = nearest;
    best = rank;
  }
  return best;
}

}  // namespace tilewright
