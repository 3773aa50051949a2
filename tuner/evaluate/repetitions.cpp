#include "tuner/evaluate/repetitions.h"

#include <iterator>

#include "core/base/repeated_times.h"

namespace tilewright {

bool is_settled(std::span<const double> times_us, const RepetitionRule& rule) {
  const auto count = std::ssize(times_us);
  if (count < rule.min) return false;
  if (count >= rule.max) return true;
  const Estimate estimate = time_estimate(times_us);
  return estimate.standard_error <= rule.precision * estimate.mean;
}

}  // namespace tilewright
