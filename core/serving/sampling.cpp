#include "core/serving/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

/// Uniform in [0, 1): number `draw` of a token.
double uniform(const SamplingParams& params, uint64_t request, int64_t position, uint64_t draw) {
  const uint64_t stream = mix_bits(mix_bits(params.seed, request), static_cast<uint64_t>(position));
  return static_cast<double>(mix_bits(stream, draw) >> 11) * 0x1p-53;
}

int32_t first_largest(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Probabilities of all tokens: softmax of logits / temperature, cut to the top_k largest and then
/// to the smallest set of largest that reaches top_p. Equal logits are kept in order of their id.
std::vector<double> probabilities(std::span<const float> logits, const SamplingParams& params) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  size_t kept = order.size();
  if (params.top_k > 0) kept = std::min(kept, static_cast<size_t>(params.top_k));
  std::vector<double> chances(logits.size(), 0.0);
  const double largest = logits[static_cast<size_t>(order[0])];
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) {
    const auto token = static_cast<size_t>(order[i]);
    chances[token] = std::exp((static_cast<double>(logits[token]) - largest) / params.temperature);
    sum += chances[token];
  }
  double reached = 0;
  for (size_t i = 0; i < kept; ++i) {
    double& chance = chances[static_cast<size_t>(order[i])];
    const bool within = i == 0 || reached < params.top_p * sum;
    reached += chance;
    if (!within) chance = 0;
  }
  const double total = std::accumulate(chances.begin(), chances.end(), 0.0);
  for (double& chance : chances) chance /= total;
  return chances;
}

/// The token whose part of [0, sum) holds `at` * sum.
int32_t draw(std::span<const double> chances, double at) {
  const double goal = at * std::accumulate(chances.begin(), chances.end(), 0.0);
  double passed = 0;
  int32_t last = 0;
  for (size_t token = 0; token < chances.size(); ++token) {
    if (chances[token] == 0) continue;
    last = static_cast<int32_t>(token);
    passed += chances[token];
    if (passed > goal) break;
  }
  return last;
}

}  // namespace

int32_t sample(std::span<const float> logits, const SamplingParams& params, uint64_t request,
               int64_t position) {
  TW_CHECK(!logits.empty(), "a model has a vocabulary");
  if (params.greedy()) return first_largest(logits);
  return draw(probabilities(logits, params), uniform(params, request, position, 0));
}

std::vector<int32_t> verify(std::span<const float> logits, int64_t vocab,
                            std::span<const int32_t> drafts, const SamplingParams& params,
                            uint64_t request, int64_t position) {
  TW_CHECK(logits.size() == (drafts.size() + 1) * static_cast<size_t>(vocab),
           "each draft has logits, and so has the token after the last");
  const auto row = [&](size_t i) {
    return logits.subspan(i * static_cast<size_t>(vocab), static_cast<size_t>(vocab));
  };
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < drafts.size(); ++i) {
    const int64_t at = position + static_cast<int64_t>(i);
    if (params.greedy()) {
      tokens.push_back(first_largest(row(i)));
      if (tokens.back() != drafts[i]) return tokens;
      continue;
    }
    std::vector<double> chances = probabilities(row(i), params);
    double& drafted = chances[static_cast<size_t>(drafts[i])];
    // The second number of the token: the first is what sample() would draw it with.
    if (uniform(params, request, at, 1) < drafted) {
      tokens.push_back(drafts[i]);
      continue;
    }
    drafted = 0;
    tokens.push_back(draw(chances, uniform(params, request, at, 0)));
    return tokens;
  }
  tokens.push_back(
      sample(row(drafts.size()), params, request, position + static_cast<int64_t>(drafts.size())));
  return tokens;
}

}  // namespace tilewright
