#include "core/base/statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace tilewright {
namespace {

TEST(StudentT, AgreesWithTheTables) {
  // Two-sided 5 % and one-sided 1 % points of the usual tables.
  const struct {
    double degrees;
    double probability;
    double t;
  } rows[] = {{1, 0.975, 12.706}, {2, 0.975, 4.303}, {5, 0.975, 2.571}, {10, 0.975, 2.228},
              {30, 0.975, 2.042}, {4, 0.99, 3.747},  {20, 0.95, 1.725}, {120, 0.995, 2.617}};
  for (const auto& row : rows) {
    EXPECT_NEAR(student_t_quantile(row.probability, row.degrees), row.t, 6e-4) << row.degrees;
    EXPECT_NEAR(student_t_below(row.t, row.degrees), row.probability, 5e-5) << row.degrees;
  }
}

TEST(Estimate, OfTheMeanHasTheTextbookStandardError) {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};  // sample variance 32 / 7
  const Estimate estimate = mean_estimate(values);
  EXPECT_DOUBLE_EQ(estimate.mean, 5);
  EXPECT_NEAR(estimate.standard_error, 0.755929, 1e-6);
  EXPECT_EQ(estimate.degrees, 7);
  EXPECT_EQ(mean_estimate(std::vector<double>{3}).degrees, 0);
}

TEST(Estimate, TrimmedMeanIgnoresAnOutlierAndWinsorisesIt) {
  // One value cut at either end: 2, 3, 4 remain; winsorised 2 2 3 4 4 has the sum of squares 4, so
  // the standard error is sqrt(4 / (3 * 2)).
  const std::vector<double> values = {3, 100, 1, 4, 2};
  const Estimate estimate = trimmed_estimate(values, 0.2);
  EXPECT_DOUBLE_EQ(estimate.mean, 3);
  EXPECT_NEAR(estimate.standard_error, 0.816497, 1e-6);
  EXPECT_EQ(estimate.degrees, 2);
}

TEST(WelchTest, AgreesWithAPublishedExample) {
  // Two samples of 15 and 15 with means 20.8 and 23.0 and variances 7.9 and 3.8: t = -2.46 with 25
  // degrees of freedom.
  const std::vector<double> a = {27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1,
                                 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
  const std::vector<double> b = {27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0,
                                 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4};
  const WelchTest test = welch_test(mean_estimate(a), mean_estimate(b));
  EXPECT_NEAR(test.t, -2.46, 0.005);
  EXPECT_NEAR(test.degrees, 25.0, 0.05);
  EXPECT_NEAR(2 * (1 - confidence_below(mean_estimate(a), mean_estimate(b))), 0.021, 5e-4);
}

TEST(WelchTest, ExactTimesNeedNoSpread) {
  const Estimate one{1, 0, 0};
  const Estimate two{2, 0, 0};
  EXPECT_EQ(confidence_below(one, two), 1);
  EXPECT_EQ(confidence_below(two, one), 0);
  EXPECT_EQ(confidence_below(one, one), 0.5);
  EXPECT_GT(confidence_below(one, {2, 0.1, 4}), 0.999);
  EXPECT_LT(confidence_below(one, {1.1, 0.1, 4}), 0.9);
}

}  // namespace
}  // namespace tilewright
