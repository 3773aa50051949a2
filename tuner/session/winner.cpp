#include "tuner/session/winner.h"

#include <algorithm>
#include <cmath>
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
  if (contender.spread_us > 0 && contender.repetitions > 1) {
    const auto count = static_cast<double>(contender.repetitions);
    const double share = contender.spread_us / contender.time_us;
    noise_degrees_ += count - 1;
    noise_squares_ += (count - 1) * count * share * share;
  }
  if (incumbency == 0) ++challengers_;
  if (incumbency > 0) incumbents_.push_back({incumbency, contender});
  const bool leads = fastest_.empty() || contender.time_us < fastest_.front().time_us;
  const auto place = std::ranges::find_if(
      fastest_, [&](const Contender& other) { return better(contender, other); });
  fastest_.insert(place, contender);
  if (fastest_.size() > 2) fastest_.pop_back();
  return leads;
}

double WinnerChoice::confidence_over(const Contender& incumbent) const {
  const Contender& fastest = fastest_.front();
  if (noise_degrees_ == 0) return confidence_of(fastest, incumbent);
  // Few repetitions say little of a spread, and the fastest of many is one whose spread happens to
  // be small: all are taken to have at least the noise that they have together.
  const double noise = std::sqrt(noise_squares_ / noise_degrees_);
  const auto estimate = [&](const Contender& contender) {
    const double least =
        contender.time_us * noise / std::sqrt(static_cast<double>(contender.repetitions));
    return Estimate{contender.time_us, std::max(contender.spread_us, least), noise_degrees_};
  };
  // Any of the challengers could have been the fastest by chance (Bonferroni).
  const double mistaken = 1 - confidence_below(estimate(fastest), estimate(incumbent));
  return std::max(0.0, 1 - mistaken * static_cast<double>(std::max<int64_t>(1, challengers_)));
}

std::optional<WinnerChoice::Verdict> WinnerChoice::verdict() const {
  if (fastest_.empty()) return std::nullopt;
  Verdict verdict;
  verdict.winner = fastest_.front();
  const auto stays = [&](const Incumbent& incumbent) {
    return confidence_over(incumbent.contender) < kConfidence;
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
