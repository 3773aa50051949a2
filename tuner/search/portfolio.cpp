#include "tuner/search/portfolio.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace tilewright {

namespace {

/// The context with an estimate that is computed once for a config.
SearchContext remembering(SearchContext context) {
  if (!context.estimate) return context;
  const auto known = std::make_shared<std::unordered_map<int64_t, double>>();
  context.estimate = [known, estimate = std::move(context.estimate)](int64_t rank) {
    const auto found = known->find(rank);
    if (found != known->end()) return found->second;
    const double value = estimate(rank);
    known->emplace(rank, value);
    return value;
  };
  return context;
}

}  // namespace

Portfolio::Portfolio(const SearchContext& context)
    : OneByOneStrategy(context),
      context_(remembering(context)),
      smooth_(context_, history(), Roughness::kSmooth),
      rough_(context_, history(), Roughness::kRough),
      opening_(context_, smooth_.features(), history()),
      bandit_({{"slopes", 1}, {"jumps", 1}, {"local", 0.05}}) {}

void Portfolio::learn(const Observation& observation, std::string_view proposer) {
  const bool works = observation.status == AttemptStatus::kOk;
  const bool improved = works && (worked_ == 0 || observation.time_us < best_us_);
  if (improved) best_us_ = observation.time_us;
  if (works) ++worked_;
  bandit_.reward(proposer, improved);
}

std::optional<int64_t> Portfolio::local_move() {
  // Of the best config first; once all its neighbours are known it is a proven local optimum, and
  // the next best is left for instead.
  constexpr size_t kCenters = 8;
  std::vector<Observation> best;
  for (const Observation& one : history().told()) {
    if (one.status == AttemptStatus::kOk) best.push_back(one);
  }
  const size_t centers = std::min(kCenters, best.size());
  std::ranges::partial_sort(best, best.begin() + static_cast<std::ptrdiff_t>(centers),
                            [](const Observation& a, const Observation& b) {
                              return a.time_us != b.time_us ? a.time_us < b.time_us
                                                            : a.rank < b.rank;
                            });
  for (size_t i = 0; i < centers; ++i) {
    std::optional<int64_t> found;
    double least = 0;
    for (const int64_t rank : context_.space->neighbours(best[i].rank, Neighbourhood::kAny)) {
      if (history().knows(rank)) continue;
      const std::optional<double> value = rough_.optimistic(rank);
      if (!value || (found && *value >= least)) continue;
      found = rank;
      least = *value;
    }
    if (found) return found;
  }
  return {};
}

Proposal Portfolio::next() {
  Random random = history().random();
  if (!opening_.over()) return {opening_.next(random), "opening"};
  // Few data cannot tell jumps from noise around a slope: the others wait.
  constexpr size_t kSlopesOnly = 32;
  const size_t known = history().told().size() + history().pending().size();
  const size_t arm = known < kSlopesOnly ? 0 : bandit_.draw(random);
  std::optional<int64_t> rank;
  if (arm == 0) {
    smooth_.update();
    rank = smooth_.most_promising();
  } else {
    rough_.update();
    rank = arm == 1 ? rough_.most_promising() : local_move();
  }
  if (rank) return {*rank, bandit_.name(arm)};
  return {history().unknown_rank(random), "random"};
}

}  // namespace tilewright
