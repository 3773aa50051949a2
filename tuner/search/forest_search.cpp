#include "tuner/search/forest_search.h"

#include <algorithm>
#include <cmath>

#include "tuner/search/surrogate_model.h"

namespace tilewright {

namespace {

constexpr size_t kMaxFitted = 512;
constexpr size_t kCenters = 6;
constexpr int kDrawn = 300;

}  // namespace

ForestSearch::ForestSearch(const SearchContext& context)
    : OneByOneStrategy(context),
      seed_(context.seed),
      features_(context.space->space()),
      opening_(context, features_, history()) {}

void ForestSearch::learn(const Observation& observation, std::string_view) {
  if (observation.status != AttemptStatus::kOk) return;
  const auto place =
      std::ranges::upper_bound(best_, observation.time_us, {}, &Observation::time_us);
  best_.insert(place, observation);
  if (best_.size() > kCenters) best_.pop_back();
}

void ForestSearch::fit(size_t count) {
  fitted_ = count;
  const std::span<const Observation> told = history().told().first(count);
  const std::span<const Observation> kept =
      told.subspan(told.size() - std::min(kMaxFitted, told.size()));
  double worst = 0;
  std::vector<ProcessSample> samples;
  for (const Observation& one : kept) {
    ProcessSample sample;
    sample.codes.resize(features_.size());
    features_.codes(history().space().places(one.rank), sample.codes);
    if (one.status == AttemptStatus::kOk) sample.value = std::log(std::max(one.time_us, 1e-9));
    worst = samples.empty() ? sample.value : std::max(worst, sample.value);
    samples.push_back(std::move(sample));
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].status != AttemptStatus::kOk) samples[i].value = worst;
  }
  forest_.emplace(features_, samples, mix_bits(seed_, count));
}

std::vector<int64_t> ForestSearch::candidates(Random& random) const {
  std::vector<int64_t> ranks;
  for (const Observation& center : best_) {
    for (const int64_t rank : history().space().neighbours(center.rank, Neighbourhood::kAny)) {
      if (!history().knows(rank)) ranks.push_back(rank);
    }
  }
  for (int i = 0; i < kDrawn; ++i) ranks.push_back(history().unknown_rank(random));
  return ranks;
}

Proposal ForestSearch::next() {
  Random random = history().random();
  const size_t count = history().told().size();
  if (!opening_.over()) return {opening_.next(random), "opening"};
  const size_t point = fitting_point(count);
  if (!forest_ || point != fitted_) fit(point);
  std::vector<uint8_t> codes(features_.size());
  std::optional<int64_t> best;
  double least = 0;
  for (const int64_t rank : candidates(random)) {
    features_.codes(history().space().places(rank), codes);
    const Forest::Prediction predicted = forest_->predict(codes);
    const double value = predicted.mean - predicted.deviation;
    if (best && value >= least) continue;
    best = rank;
    least = value;
  }
  return {*best, "forest"};
}

}  // namespace tilewright
