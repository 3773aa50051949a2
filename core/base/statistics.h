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

/// The mean behind noisy values, and how well it is known.
struct Estimate {
  double mean = 0;
  double standard_error = 0;  ///< of the mean
  double degrees = 0;         ///< of freedom of the standard error; 0: the spread is not known
};

/// The mean of all values (at least one) with its standard error.
Estimate mean_estimate(std::span<const double> values);

/// The mean without the `share` (in [0, 0.5)) of the values at either end, rounded down, and its
/// standard error from the winsorised variance (Tukey and McLaughlin 1963; Yuen 1974): one
/// disturbed repetition in five does not move it. At least one value.
Estimate trimmed_estimate(std::span<const double> values, double share);

/// Probability that a Student t variable with `degrees` > 0 of freedom is below `t`.
double student_t_below(double t, double degrees);
/// The value that such a variable stays below with `probability` in (0, 1).
double student_t_quantile(double probability, double degrees);

/// Welch's t test of two estimates with unequal variances (Welch 1947).
struct WelchTest {
  double t = 0;        ///< (a - b) / standard error of the difference; infinite when that is 0
  double degrees = 0;  ///< of freedom (Welch and Satterthwaite); 0 when neither spread is known
};
WelchTest welch_test(const Estimate& a, const Estimate& b);

/// Confidence in [0, 1] that the mean behind `a` is below the mean behind `b`: one minus the
/// one-sided p value of Welch's test. Of two exact values (no spread) it is 0, 0.5 or 1.
double confidence_below(const Estimate& a, const Estimate& b);

}  // namespace tilewright
