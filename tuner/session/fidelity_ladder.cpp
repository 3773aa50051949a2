#include "tuner/session/fidelity_ladder.h"

#include <algorithm>
#include <cmath>

#include "core/base/statistics.h"

namespace tilewright {

void FidelityLadder::screened(const std::string& config, double time_us) {
  screened_us_.insert_or_assign(config, time_us);
}

void FidelityLadder::measured(const std::string& config, double time_us) {
  const auto cheap = screened_us_.find(config);
  if (cheap == screened_us_.end()) return;
  const double ratio = time_us / cheap->second;
  ratios_.insert(std::ranges::upper_bound(ratios_, ratio), ratio);
  screened_us_.erase(cheap);
}

double FidelityLadder::predicted(double screened_us) const {
  return ratios_.empty() ? screened_us : screened_us * percentile(ratios_, 50);
}

double FidelityLadder::slack() const {
  if (ratios_.size() < kPairs) return kMost;
  const double middle = percentile(ratios_, 50);
  std::vector<double> deviations;
  for (const double ratio : ratios_) deviations.push_back(std::abs(ratio / middle - 1));
  std::ranges::sort(deviations);
  constexpr double kSigmas = 3 * 1.4826;  // of a normal distribution, by the median of deviations
  return std::clamp(kSigmas * percentile(deviations, 50), kLeast, kMost);
}

}  // namespace tilewright
