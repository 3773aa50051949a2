#include "tuner/session/winner.h"

#include <algorithm>
#include <tuple>

#include "core/base/statistics.h"

namespace tilewright {

Contender contender(const Config& config, const Measurement& measurement) {
  // A spread comes from at least two repetitions.
  const int64_t least = measurement.spread_us > 0 ? 2 : 1;
  return {config, measurement.time_us, measurement.spread_us,
          std::max(std::ssize(measurement.times_us), least)};
}

double confidence_of(const Contender& a, const Contender& b) {
  const auto estimate = [](const Contender& contender) {
    return Estimate{contender.time_us, contender.spread_us,
                    static_cast<double>(contender.repetitions - 1)};
  };
  return confidence_below(estimate(a), estimate(b));
}

bool WinnerChoice::better(const Contender& a, const Contender& b) const {
  if (a.time_us != b.time_us) return a.time_us < b.time_us;
  const int64_t of_a = footprint_ ? footprint_(a.config) : 0;
  const int64_t of_b = footprint_ ? footprint_(b.config) : 0;
  return std::tie(of_a, a.config.values) < std::tie(of_b, b.config.values);
}

bool WinnerChoice::add(const Contender& contender, int incumbency) {
  if (incumbency > 0) incumbents_.push_back({incumbency, contender});
  const bool leads = fastest_.empty() || contender.time_us < fastest_.front().time_us;
  const auto place = std::ranges::find_if(
      fastest_, [&](const Contender& other) { return better(contender, other); });
  fastest_.insert(place, contender);
  if (fastest_.size() > 2) fastest_.pop_back();
  return leads;
}

std::optional<WinnerChoice::Verdict> WinnerChoice::verdict() const {
  if (fastest_.empty()) return std::nullopt;
  Verdict verdict;
  verdict.winner = fastest_.front();
  const auto stays = [&](const Incumbent& incumbent) {
    return confidence_of(fastest_.front(), incumbent.contender) < kConfidence;
  };
  std::vector<Incumbent> incumbents = incumbents_;
  std::ranges::stable_sort(incumbents, {}, &Incumbent::place);
  const auto incumbent = std::ranges::find_if(incumbents, stays);
  if (incumbent != incumbents.end()) verdict.winner = incumbent->contender;
  for (const Contender& other : fastest_) {
    if (other.config == verdict.winner.config) continue;
    verdict.runner_up = other;
    verdict.confidence = confidence_of(verdict.winner, other);
    break;
  }
  return verdict;
}

}  // namespace tilewright
