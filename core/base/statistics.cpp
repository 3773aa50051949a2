#include "core/base/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Mean rank of each value among all.
std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (size_t i = first; i <= last; ++i) {
      ranks[order[i]] = static_cast<double>(first + last) / 2;
    }
    first = last + 1;
  }
  return ranks;
}

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double squares = 0;
  for (double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

double percentile(std::span<const double> sorted, double percent) {
  if (sorted.empty()) return 0;
  const double rank = percent / 100.0 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double fraction = rank - static_cast<double>(below);
  return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> of_a = ranks_of(a);
  const std::vector<double> of_b = ranks_of(b);
  const double deviations = standard_deviation(of_a) * standard_deviation(of_b);
  if (deviations <= 0) return 0;
  const double mean_a = mean(of_a), mean_b = mean(of_b);
  double sum = 0;
  for (size_t i = 0; i < of_a.size(); ++i) sum += (of_a[i] - mean_a) * (of_b[i] - mean_b);
  return sum / static_cast<double>(of_a.size()) / deviations;
}

Estimate mean_estimate(std::span<const double> values) {
  return trimmed_estimate(values, 0);
}

Estimate trimmed_estimate(std::span<const double> values, double share) {
  TW_CHECK(!values.empty() && share >= 0 && share < 0.5, "an estimate of nothing");
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const auto cut = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  const auto kept = std::span(sorted).subspan(cut, sorted.size() - 2 * cut);
  Estimate estimate;
  estimate.mean = mean(kept);
  if (kept.size() < 2) return estimate;
  // Winsorised: what was cut counts as the outermost that was kept.
  std::fill_n(sorted.begin(), cut, kept.front());
  std::fill_n(sorted.rbegin(), cut, kept.back());
  const double deviation = standard_deviation(sorted);
  const auto n = static_cast<double>(sorted.size());
  const auto h = static_cast<double>(kept.size());
  estimate.standard_error = std::sqrt(n * deviation * deviation / (h * (h - 1)));
  estimate.degrees = h - 1;
  return estimate;
}

double student_t_below(double t, double degrees) {
  if (std::isinf(t)) return t < 0 ? 0 : 1;
  return boost::math::cdf(boost::math::students_t(degrees), t);
}

double student_t_quantile(double probability, double degrees) {
  return boost::math::quantile(boost::math::students_t(degrees), probability);
}

WelchTest welch_test(const Estimate& a, const Estimate& b) {
  const double of_a = a.standard_error * a.standard_error;
  const double of_b = b.standard_error * b.standard_error;
  const double difference = a.mean - b.mean;
  WelchTest test;
  if (of_a + of_b <= 0) {
    if (difference != 0) {
      test.t = std::copysign(std::numeric_limits<double>::infinity(), difference);
    }
    return test;
  }
  test.t = difference / std::sqrt(of_a + of_b);
  double below = 0;
  if (of_a > 0) below += of_a * of_a / a.degrees;
  if (of_b > 0) below += of_b * of_b / b.degrees;
  test.degrees = (of_a + of_b) * (of_a + of_b) / below;
  return test;
}

double confidence_below(const Estimate& a, const Estimate& b) {
  const WelchTest test = welch_test(a, b);
  if (test.degrees <= 0) return test.t == 0 ? 0.5 : student_t_below(-test.t, 1);
  return student_t_below(-test.t, test.degrees);
}

}  // namespace tilewright
