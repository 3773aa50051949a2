#include "tuner/search/history.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

History::History(const SpaceIndex* space, uint64_t seed)
    : space_(space),
      seed_(seed),
      order_(space->size(), seed),
      known_(static_cast<size_t>(space->size())) {}

const Observation* History::best() const {
  return best_ ? &told_[*best_] : nullptr;
}

void History::mark(int64_t rank) {
  TW_CHECK(rank >= 0 && rank < space_->size(), "a rank is below the size of its space");
  if (known_[static_cast<size_t>(rank)]) return;
  known_[static_cast<size_t>(rank)] = true;
  ++known_count_;
}

void History::propose(int64_t rank) {
  mark(rank);
  pending_.push_back(rank);
}

void History::tell(const Observation& observation) {
  mark(observation.rank);
  const auto pending = std::ranges::find(pending_, observation.rank);
  if (pending != pending_.end()) pending_.erase(pending);
  if (observation.status == AttemptStatus::kOk &&
      (!best_ || observation.time_us < told_[*best_].time_us)) {
    best_ = told_.size();
  }
  told_.push_back(observation);
}

int64_t History::unknown_rank(Random& random) const {
  TW_CHECK(!exhausted(), "a config is left");
  constexpr int kTries = 64;
  for (int i = 0; i < kTries; ++i) {
    const auto rank = static_cast<int64_t>(random.below(static_cast<uint64_t>(space_->size())));
    if (!knows(rank)) return rank;
  }
  while (knows(order_.at(known_prefix_))) ++known_prefix_;
  return order_.at(known_prefix_);
}

OneByOneStrategy::OneByOneStrategy(const SearchContext& context)
    : history_(context.space, context.seed) {}

std::vector<Proposal> OneByOneStrategy::ask(size_t at_most) {
  std::vector<Proposal> batch;
  while (batch.size() < at_most && !history_.exhausted()) {
    batch.push_back(next());
    history_.propose(batch.back().rank);
  }
  return batch;
}

void OneByOneStrategy::tell(const Observation& observation, std::string_view proposer) {
  history_.tell(observation);
  learn(observation, proposer);
}

}  // namespace tilewright
