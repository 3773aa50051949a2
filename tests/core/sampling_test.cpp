#include "core/serving/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tilewright {
namespace {

using Tokens = std::vector<int32_t>;

/// Shares of tokens over many requests at one position.
std::vector<double> shares(const std::vector<float>& logits, const SamplingParams& params) {
  std::vector<double> counts(logits.size(), 0.0);
  constexpr int kRequests = 20000;
  for (uint64_t request = 0; request < kRequests; ++request) {
    counts[static_cast<size_t>(sample(logits, params, request, 7))] += 1.0 / kRequests;
  }
  return counts;
}

TEST(Sampling, GreedyTakesTheFirstOfTheLargest) {
  EXPECT_EQ(sample(std::vector<float>{1, 3, 2, 3}, {}, 0, 0), 1);
}

TEST(Sampling, FollowsTheSoftmax) {
  const std::vector<double> got = shares({0, 1, 2}, {.temperature = 1, .seed = 3});
  const double sum = 1 + std::exp(1) + std::exp(2);
  EXPECT_NEAR(got[0], 1 / sum, 0.015);
  EXPECT_NEAR(got[1], std::exp(1) / sum, 0.015);
  EXPECT_NEAR(got[2], std::exp(2) / sum, 0.015);
}

TEST(Sampling, TopKAndTopPCutTheTail) {
  const std::vector<double> two = shares({0, 1, 2}, {.temperature = 1, .top_k = 2, .seed = 3});
  EXPECT_EQ(two[0], 0);
  EXPECT_GT(two[1], 0);
  // The largest has 0.665 of the whole: it reaches 0.6 alone.
  const std::vector<double> one = shares({0, 1, 2}, {.temperature = 1, .top_p = 0.6, .seed = 3});
  EXPECT_NEAR(one[2], 1, 1e-9);
}

TEST(Sampling, DependsOnSeedRequestAndPositionAlone) {
  const std::vector<float> logits(64, 0.5f);
  const SamplingParams params{.temperature = 1, .seed = 9};
  EXPECT_EQ(sample(logits, params, 4, 11), sample(logits, params, 4, 11));
  Tokens other;
  for (int64_t position = 0; position < 8; ++position) {
    other.push_back(sample(logits, params, 4, position));
  }
  EXPECT_NE(other, Tokens(8, other[0]));
}

TEST(Verify, GreedyAcceptsWhileTheModelAgrees) {
  const std::vector<float> logits = {0, 9, 0, 0, 0, 9, 9, 0, 0};  // says 1, 2, 0
  EXPECT_EQ(verify(logits, 3, Tokens{1, 2}, {}, 0, 5), (Tokens{1, 2, 0}));
  EXPECT_EQ(verify(logits, 3, Tokens{1, 1}, {}, 0, 5), (Tokens{1, 2}));
  EXPECT_EQ(verify(logits, 3, Tokens{0, 2}, {}, 0, 5), (Tokens{1}));
}

TEST(Verify, LeavesTheDistributionAsItIsWithoutDrafts) {
  const std::vector<float> row = {0, 1, 2};
  std::vector<float> logits = row;
  logits.insert(logits.end(), row.begin(), row.end());
  const SamplingParams params{.temperature = 1, .seed = 5};
  const std::vector<double> plain = shares(row, params);
  std::vector<double> first(3, 0.0);
  int accepted = 0;
  constexpr int kRequests = 20000;
  for (uint64_t request = 0; request < kRequests; ++request) {
    const Tokens tokens = verify(logits, 3, Tokens{1}, params, request, 7);
    first[static_cast<size_t>(tokens[0])] += 1.0 / kRequests;
    accepted += tokens.size() == 2 ? 1 : 0;
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(first[i], plain[i], 0.02);
  EXPECT_NEAR(accepted * 1.0 / kRequests, std::exp(1) / (1 + std::exp(1) + std::exp(2)), 0.015);
}

}  // namespace
}  // namespace tilewright
