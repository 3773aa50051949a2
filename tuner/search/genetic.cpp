#include "tuner/search/genetic.h"

#include <algorithm>

namespace tilewright {

namespace {

constexpr size_t kPopulation = 20;

}  // namespace

const Observation& Genetic::parent(Random& random) const {
  // Tournament of two: the population is sorted.
  const size_t a = random.below(population_.size());
  const size_t b = random.below(population_.size());
  return population_[std::min(a, b)];
}

std::vector<int> Genetic::child(Random& random) const {
  const std::vector<Parameter>& parameters = history().space().space().parameters();
  std::vector<int> places = history().space().places(parent(random).rank);
  const std::vector<int> other = history().space().places(parent(random).rank);
  const double mutation = 1.0 / static_cast<double>(places.size() + 1);
  for (size_t d = 0; d < places.size(); ++d) {
    if (random.uniform() < 0.5) places[d] = other[d];
    if (random.uniform() < mutation) {
      places[d] = static_cast<int>(random.below(parameters[d].values.size()));
    }
  }
  return places;
}

Proposal Genetic::next() {
  constexpr std::string_view kName = "genetic";
  constexpr int kTries = 100;  // children that are illegal or known
  Random random = history().random();
  if (population_.size() < kPopulation) return {history().unknown_rank(random), kName};
  for (int i = 0; i < kTries; ++i) {
    const std::optional<int64_t> rank = history().space().rank_of(child(random));
    if (rank && !history().knows(*rank)) return {*rank, kName};
  }
  return {history().unknown_rank(random), kName};
}

void Genetic::learn(const Observation& observation, std::string_view) {
  if (observation.status != AttemptStatus::kOk) return;
  const auto place =
      std::ranges::upper_bound(population_, observation.time_us, {}, &Observation::time_us);
  population_.insert(place, observation);
  if (population_.size() > kPopulation) population_.pop_back();
}

}  // namespace tilewright
