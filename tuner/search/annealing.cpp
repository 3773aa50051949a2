#include "tuner/search/annealing.h"

#include <cmath>

namespace tilewright {

void Annealing::restart() {
  at_.reset();
  steps_ = 0;
  since_best_ = 0;
}

Proposal Annealing::next() {
  constexpr std::string_view kName = "annealing";
  constexpr double kFar = 0.2;  // steps to any value of a parameter
  constexpr int kWalk = 100;    // over known configs, to one that is not
  Random random = history().random();
  if (!at_) return {history().unknown_rank(random), kName};
  int64_t rank = at_->rank;
  for (int i = 0; i < kWalk; ++i) {
    const Neighbourhood kind =
        random.uniform() < kFar ? Neighbourhood::kAny : Neighbourhood::kAdjacent;
    const std::vector<int64_t> near = history().space().neighbours(rank, kind);
    if (near.empty()) break;
    const int64_t step = near[random.below(near.size())];
    if (!history().knows(step)) return {step, kName};
    // Known: try other neighbours of the chain's config first, then walk on from there.
    if (i >= kWalk / 4) rank = step;
  }
  return {history().unknown_rank(random), kName};
}

void Annealing::learn(const Observation& observation, std::string_view) {
  constexpr double kStart = 0.1;     // relative loss that is accepted once in e times
  constexpr double kCooling = 0.99;  // a step
  constexpr int64_t kPatience = 60;  // steps without a new best of the chain
  if (observation.status == AttemptStatus::kOk) {
    const bool first = !at_;
    const double loss = first ? 0 : (observation.time_us - at_->time_us) / at_->time_us;
    const double temperature = kStart * std::pow(kCooling, static_cast<double>(steps_));
    Random random = history().random();
    if (loss <= 0 || random.uniform() < std::exp(-loss / temperature)) at_ = observation;
    if (first || observation.time_us < chain_best_us_) {
      chain_best_us_ = observation.time_us;
      since_best_ = -1;
    }
  }
  ++steps_;
  if (at_ && ++since_best_ >= kPatience) restart();
}

}  // namespace tilewright
