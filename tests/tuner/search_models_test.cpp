#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "tuner/search/bandit.h"
#include "tuner/search/feasibility.h"
#include "tuner/search/forest.h"
#include "tuner/search/gaussian_process.h"
#include "tuner/search/rank_permutation.h"

namespace tilewright {
namespace {

SpaceIndex line() {
  return SpaceIndex(Space({{"x", "", {0, 1, 2, 3, 4}}, {"fast", "", {0, 1}}}, {}));
}

std::vector<uint8_t> codes_of(const SpaceIndex& space, const FeatureSet& features, int64_t rank) {
  std::vector<uint8_t> codes(features.size());
  features.codes(space.places(rank), codes);
  return codes;
}

TEST(RankPermutation, HoldsEachNumberOnce) {
  for (const int64_t count : {1, 2, 3, 16, 17, 1000}) {
    const RankPermutation order(count, 7);
    std::set<int64_t> seen;
    for (int64_t i = 0; i < count; ++i) {
      seen.insert(order.at(i));
      EXPECT_LT(order.at(i), count);
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), count);
  }
}

TEST(FeatureSet, SeesMagnitudesOddPartsAndProducts) {
  const Space space({{"a", "", {16, 48, 64}}, {"b", "", {1, 2, 4}}, {"one", "", {5}}}, {});
  const FeatureSet features(space);
  ASSERT_EQ(features.parameters(), 2u);
  ASSERT_EQ(features.size(), 4u);  // a, b, odd part of a, product
  EXPECT_EQ(features[2].kind, Feature::Kind::kOddPart);
  EXPECT_EQ(features[3].kind, Feature::Kind::kProduct);
  std::vector<uint8_t> left(4);
  std::vector<uint8_t> right(4);
  features.codes(std::array{0, 2, 0}, left);   // 16 x 4
  features.codes(std::array{2, 0, 0}, right);  // 64 x 1
  EXPECT_EQ(left[3], right[3]);
  EXPECT_EQ(left[2], right[2]);
  EXPECT_DOUBLE_EQ(features.oddness(std::array{0, 0, 0}), 0);
  EXPECT_NEAR(features.oddness(std::array{1, 0, 0}), std::log2(3.0), 1e-12);
}

TEST(Covariance, IsOneOfAConfigWithItselfAndFallsWithDistance) {
  const SpaceIndex space = line();
  const FeatureSet features(space.space());
  const Covariance kernel(features, Roughness::kRough);
  const auto at = [&](int64_t rank) { return codes_of(space, features, rank); };
  EXPECT_DOUBLE_EQ(kernel(at(0), at(0)), 1);
  EXPECT_GT(kernel(at(0), at(2)), kernel(at(0), at(4)));
  // x from 0 to 1 is a quarter of its range at length 4, so exp(-1/16); main effects are a third.
  const double one = std::exp(-0.25 / 4);
  EXPECT_NEAR(kernel(at(0), at(2)), 0.7 * one + 0.3 * (one + 1) / 2, 1e-6);
}

TEST(GaussianProcess, PredictsASortedPoolAsItsKernelSays) {
  // Names, sizes with odd parts and products, and a parameter with one value in between.
  const SpaceIndex space{Space({{"m", "", {8, 24, 32, 64}},
                                {"one", "", {7}},
                                {"n", "", {8, 16, 48}},
                                {"kind", "", {0, 1, 2}, {"x", "y", "z"}, false}},
                               {})};
  const FeatureSet features(space.space());
  const CandidatePool whole(space, features, 0, {});
  const std::array<size_t, 5> slots = {1, 2, 14, 20, 35};
  const CandidatePool pool(whole, features, slots);
  const Covariance kernel(features, Roughness::kRough);
  GaussianProcess process(pool, kernel, {0, 1, 0}, std::vector<float>(pool.size(), 0));
  process.add({codes_of(space, features, 5), 0, 1});
  for (size_t slot = 0; slot < pool.size(); ++slot) {
    const double alike =
        kernel(codes_of(space, features, 5), codes_of(space, features, pool.rank(slot)));
    EXPECT_NEAR(process.mean()[slot], alike / (1 + kernel.noise()), 1e-5);
  }
}

TEST(GaussianProcess, AgreesWithTheFormulaForThreePoints) {
  const SpaceIndex space = line();
  const FeatureSet features(space.space());
  const CandidatePool pool(space, features, 0, {});
  const Covariance kernel(features, Roughness::kSmooth);
  GaussianProcess process(pool, kernel, {10, 2, 0}, std::vector<float>(pool.size(), 0));
  const std::array<int64_t, 3> ranks = {0, 5, 8};
  const std::array<double, 3> values = {11, 9, 14};
  for (size_t i = 0; i < 3; ++i) process.add({codes_of(space, features, ranks[i]), 0, values[i]});

  // k* K^-1 y with Cramer's rule.
  std::array<std::array<double, 3>, 3> k{};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      k[i][j] = kernel(codes_of(space, features, ranks[i]), codes_of(space, features, ranks[j])) +
                (i == j ? kernel.noise() : 0);
    }
  }
  const auto determinant = [](const std::array<std::array<double, 3>, 3>& m) {
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
           m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  };
  for (int64_t rank = 0; rank < space.size(); ++rank) {
    std::array<double, 3> star{};
    for (size_t i = 0; i < 3; ++i) {
      star[i] = kernel(codes_of(space, features, rank), codes_of(space, features, ranks[i]));
    }
    double mean = 0;
    double explained = 0;
    for (size_t column = 0; column < 3; ++column) {
      auto with_values = k;
      auto with_star = k;
      for (size_t row = 0; row < 3; ++row) {
        with_values[row][column] = (values[row] - 10) / 2;
        with_star[row][column] = star[row];
      }
      mean += star[column] * determinant(with_values) / determinant(k);
      explained += star[column] * determinant(with_star) / determinant(k);
    }
    const auto slot = static_cast<size_t>(rank);
    EXPECT_NEAR(process.mean()[slot], mean, 1e-4);
    EXPECT_NEAR(process.variance()[slot], 1 - explained, 1e-4);
  }
}

TEST(GaussianProcess, GivingASampleAnotherValueIsAsIfItHadBeenAddedSo) {
  const SpaceIndex space = line();
  const FeatureSet features(space.space());
  const CandidatePool pool(space, features, 0, {});
  const Covariance kernel(features, Roughness::kSmooth);
  const std::vector<float> trend(pool.size(), 0.25F);
  GaussianProcess guessed(pool, kernel, {0, 1, 0}, trend);
  GaussianProcess right(pool, kernel, {0, 1, 0}, trend);
  guessed.add({codes_of(space, features, 1), 0.25, 1});
  guessed.add({codes_of(space, features, 6), 0.25, 7});
  guessed.replace_last(std::array{2.0});
  right.add({codes_of(space, features, 1), 0.25, 1});
  right.add({codes_of(space, features, 6), 0.25, 2});
  for (size_t i = 0; i < pool.size(); ++i) {
    EXPECT_EQ(guessed.mean()[i], right.mean()[i]);
    EXPECT_EQ(guessed.variance()[i], right.variance()[i]);
  }
}

TEST(FittedKernel, LearnsWhichParameterMatters) {
  const SpaceIndex space{Space({{"a", "", {0, 1, 2, 3, 4, 5}}, {"b", "", {0, 1, 2, 3, 4, 5}}}, {})};
  const FeatureSet features(space.space());
  std::vector<ProcessSample> samples;
  for (int64_t rank = 0; rank < space.size(); rank += 2) {
    const double a = space.places(rank)[0];
    samples.push_back({codes_of(space, features, rank), 0, std::sin(2 * a)});
  }
  const Covariance kernel = fitted_kernel(features, Roughness::kSmooth, samples);
  EXPECT_LT(kernel.length(0) * 3, kernel.length(1));
  EXPECT_GE(process_scale(kernel, samples).log_likelihood,
            process_scale(Covariance(features, Roughness::kSmooth), samples).log_likelihood);
}

TEST(Forest, SplitsWhereTheTimesDo) {
  const SpaceIndex space = line();
  const FeatureSet features(space.space());
  std::vector<ProcessSample> samples;
  for (int64_t rank = 0; rank < space.size(); ++rank) {
    samples.push_back({codes_of(space, features, rank), 0, space.places(rank)[1] == 1 ? 2.0 : 5.0});
  }
  const Forest forest(features, samples, 1);
  for (int64_t rank = 0; rank < space.size(); ++rank) {
    const Forest::Prediction predicted = forest.predict(codes_of(space, features, rank));
    EXPECT_DOUBLE_EQ(predicted.mean, space.places(rank)[1] == 1 ? 2.0 : 5.0);
    EXPECT_DOUBLE_EQ(predicted.deviation, 0);
  }
}

TEST(FeasibilityModel, ExpectsFailuresAroundFailuresOfElsewhereToo) {
  const SpaceIndex space = line();
  const FeatureSet features(space.space());
  const std::vector<Observation> elsewhere = {{8, AttemptStatus::kRuntime, 0}};
  FeasibilityModel model(features, space, elsewhere);
  model.fit(space, std::vector<Observation>{{0, AttemptStatus::kOk, 3}});
  ASSERT_TRUE(model.has_failures());
  EXPECT_LT(model.works(codes_of(space, features, 8)), 0.4);
  EXPECT_GT(model.works(codes_of(space, features, 0)), 0.6);
}

TEST(Bandit, TurnsToTheArmThatFindsMore) {
  Bandit bandit({{"a"}, {"b"}});
  EXPECT_DOUBLE_EQ(bandit.weight(0), bandit.weight(1));
  for (int i = 0; i < 10; ++i) {
    bandit.reward("a", false);
    bandit.reward("b", true);
    bandit.reward("seed", true);
  }
  EXPECT_GT(bandit.weight(1), 5 * bandit.weight(0));
  Random random(1);
  int b = 0;
  for (int i = 0; i < 100; ++i) b += bandit.draw(random) == 1 ? 1 : 0;
  EXPECT_GT(b, 80);
}

}  // namespace
}  // namespace tilewright
