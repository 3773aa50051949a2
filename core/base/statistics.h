#pragma once

#include <span>
#include <vector>

namespace tilewright {

double mean(std::span<const double> values);

/// Population standard deviation; 0 for fewer than two values.
double standard_deviation(std::span<const double> values);

/// Percentile by linear interpolation between closest ranks (numpy's default), percent in [0, 100].
/// `sorted` must be ascending; 0 when empty.
double percentile(std::span<const double> sorted, double percent);

}  // namespace tilewright
