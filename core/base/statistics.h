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

/// Spearman's rank correlation, ties by their mean rank, -1 to 1; 0 where one side is constant or
/// has fewer than two values. Both have one length.
double rank_correlation(std::span<const double> a, std::span<const double> b);

}  // namespace tilewright
