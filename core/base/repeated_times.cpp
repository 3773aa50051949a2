#include "core/base/repeated_times.h"

#include <algorithm>

namespace tilewright {

namespace {
constexpr double kTrimmed = 0.2;
}  // namespace

bool first_is_cold(std::span<const double> times_us) {
  constexpr size_t kOthers = 3;
  constexpr double kDeviations = 3;
  constexpr double kShare = 0.01;
  if (times_us.size() < kOthers + 1) return false;
  const double first = times_us.front();
  const std::span<const double> others = times_us.subspan(1);
  const double above = first - mean(others);
  return first > *std::ranges::max_element(others) &&
         above > kDeviations * standard_deviation(others) && above > kShare * mean(others);
}

Estimate time_estimate(std::span<const double> times_us) {
  return trimmed_estimate(first_is_cold(times_us) ? times_us.subspan(1) : times_us, kTrimmed);
}

}  // namespace tilewright
