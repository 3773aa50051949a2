#pragma once

#include <span>

#include "core/base/statistics.h"

namespace tilewright {

/// Whether the first repetition is a cold run (caches, clocks, code to load): slower than each of
/// at least three later ones, and above their mean by more than three of their standard deviations
/// and by more than 1 %.
bool first_is_cold(std::span<const double> times_us);

/// The time behind repetitions in the order measured (at least one): the mean without a cold first
/// one and without the fifth at either end, so that a disturbed repetition does not count.
Estimate time_estimate(std::span<const double> times_us);

}  // namespace tilewright
