#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "core/base/random.h"
#include "kernels/attention/decode_launch.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

struct Case {
  AttentionShape shape;
  std::vector<int64_t> keys;
};

/// The sequences of a case, their blocks in reverse order.
DecodeSequences sequences_of(const Case& c) {
  DecodeSequences sequences{c.keys, {}};
  int64_t blocks = 0;
  for (const int64_t keys : c.keys) blocks += ceil_div(keys, c.shape.block_size);
  for (int64_t block = blocks; block-- > 0;) sequences.block_of.push_back(block);
  return sequences;
}

/// One row of attention in f64, and how far the kernel may be off. With weights that are wrong by
/// factors f_j, at most e^error_j, the result moves by sum p_j (f_j - 1) (v_j - o) / sum p_j f_j;
/// probabilities are rounded to the type, then P V is summed and rounded.
struct Row {
  std::vector<double> scores, errors, values;  // values: keys x dim
  double unit = 0, subnormal = 0;

  void expect_near(const float* got, int64_t dim, const std::string& what) const {
    const auto keys = static_cast<int64_t>(scores.size());
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    double worst = 0;
    for (size_t j = 0; j < scores.size(); ++j) {
      sum += std::exp(scores[j] - largest);
      if (std::isfinite(scores[j])) worst = std::max(worst, errors[j]);
    }
    for (int64_t d = 0; d < dim; ++d) {
      const auto value = [&](size_t j) {
        return values[j * static_cast<size_t>(dim) + static_cast<size_t>(d)];
      };
      double exact = 0;
      for (size_t j = 0; j < scores.size(); ++j) {
        exact += std::exp(scores[j] - largest) / sum * value(j);
      }
      double allowed = unit * std::abs(exact) + subnormal;
      for (size_t j = 0; j < scores.size(); ++j) {
        const double log_p = scores[j] - largest - std::log(sum);
        if (!std::isfinite(log_p)) continue;
        const double moved = errors[j] > 30 ? errors[j] : std::log(std::expm1(errors[j]));
        allowed += std::exp(std::min(0.0, log_p + worst + moved)) * std::abs(value(j) - exact);
        allowed += (std::exp(log_p) * (unit + sum_error(keys)) + subnormal) * std::abs(value(j));
      }
      ASSERT_NEAR(static_cast<double>(got[d]), exact, allowed) << what << " column " << d;
    }
  }
};

void expect_right(const Case& c, const Config& config, const InputValues& values) {
  const DecodeSequences sequences = sequences_of(c);
  const Launch launch = build_decode_launch(c.shape, sequences, config, machine());
  GmImage image = make_image(launch);
  for (int tensor = 0; tensor < 3; ++tensor) {
    InputValues filled = values;
    const bool hides = values.pattern == InputPattern::kMinusInf;
    // Keys of minus infinity are hidden from queries that are positive; values stay finite.
    if (hides && tensor != 1) filled.pattern = InputPattern::kUniform;
    fill_tensor(launch, tensor, hides && tensor == 0 ? 0.25 : -1, 1, filled, image);
  }
  const std::vector<float> q = read_tensor(launch.tensors[0], image[0]);
  const std::vector<float> k = read_tensor(launch.tensors[1], image[1]);
  const std::vector<float> v = read_tensor(launch.tensors[2], image[2]);
  run_functional(launch, machine(), image);
  const std::vector<float> out = read_tensor(launch.tensors[3], image[3]);
  const int64_t dim = c.shape.dim;
  const int64_t group = c.shape.heads / c.shape.kv_heads;
  const auto count = static_cast<int64_t>(c.keys.size());
  for (int64_t row = 0; row < count * c.shape.heads; ++row) {
    const int64_t head = row / (count * group);
    const auto sequence = static_cast<size_t>(row / group % count);
    int64_t first_block = 0;
    for (size_t s = 0; s < sequence; ++s) first_block += ceil_div(c.keys[s], c.shape.block_size);
    Row expected;
    expected.unit = rounding_unit(c.shape.type);
    expected.subnormal = subnormal_error(c.shape.type);
    const double scale = 1 / std::sqrt(static_cast<double>(dim));
    for (int64_t key = 0; key < c.keys[sequence]; ++key) {
      const int64_t block =
          sequences.block_of[static_cast<size_t>(first_block + key / c.shape.block_size)];
      const int64_t place =
          (block * c.shape.kv_heads + head) * c.shape.block_size + key % c.shape.block_size;
      double score = 0;
      double size = 0;
      for (int64_t d = 0; d < dim; ++d) {
        const double product = static_cast<double>(q[static_cast<size_t>(row * dim + d)]) *
                               static_cast<double>(k[static_cast<size_t>(place * dim + d)]);
        score += product * scale;
        size += std::abs(product) * scale;
        expected.values.push_back(static_cast<double>(v[static_cast<size_t>(place * dim + d)]));
      }
      expected.scores.push_back(score);
      // Product and sum, the distance to the maximum, the exponential and the sum of all.
      expected.errors.push_back(sum_error(dim + 4) * size + sum_error(c.keys[sequence] + 8));
    }
    expected.expect_near(
        &out[static_cast<size_t>(row * dim)], dim,
        config.text() + " " + std::string(name_of(values.pattern)) + " row " + std::to_string(row));
    if (testing::Test::HasFatalFailure()) return;
  }
}

const Case kCases[] = {
    {{DType::kBF16, 1, 1, 16, 16}, {1}},          {{DType::kF16, 4, 4, 128, 128}, {128, 129, 700}},
    {{DType::kBF16, 28, 4, 128, 128}, {301, 40}}, {{DType::kF16, 8, 2, 64, 16}, {1000, 17}},
    {{DType::kBF16, 6, 3, 80, 1}, {70}},       // a block a token
    {{DType::kF16, 4, 4, 96, 37}, {333, 38}},  // prime blocks, several in a tile
    {{DType::kBF16, 2, 2, 192, 257}, {600}},   // prime blocks that tiles cut
    {{DType::kF16, 8, 8, 32, 48}, {100, 1300}},   {{DType::kBF16, 3, 1, 256, 64}, {520}},
};

/// Every `step`-th legal config from a place that depends on the case.
std::vector<Config> sample(const Case& c, size_t count, uint64_t seed) {
  const std::vector<Config> all = decode_space(c.shape, machine()).enumerate();
  std::vector<Config> chosen;
  Random random(seed);
  for (size_t i = 0; i < count; ++i) chosen.push_back(all[random.below(all.size())]);
  return chosen;
}

TEST(DecodeAttention, IsRightWithItsDefault) {
  for (const Case& c : kCases) {
    const Config config = decode_default(c.shape, c.keys, machine());
    for (const InputPattern pattern : kInputPatterns) {
      const bool all_hidden = c.keys[0] == 1 && pattern == InputPattern::kMinusInf;
      if (!all_hidden) expect_right(c, config, {7, pattern});
    }
  }
}

TEST(DecodeAttention, IsRightOverItsSpace) {
  uint64_t seed = 0;
  for (const Case& c : kCases) {
    for (const Config& config : sample(c, 12, ++seed)) {
      expect_right(c, config, {seed, kInputPatterns[seed % 4]});
    }
  }
}

TEST(DecodeAttention, HasNoHazard) {
  uint64_t seed = 0;
  for (const Case& c : kCases) {
    for (const Config& config : sample(c, 12, ++seed)) {
      const Launch launch = build_decode_launch(c.shape, sequences_of(c), config, machine());
      const auto hazards = find_hazards(launch, machine());
      EXPECT_TRUE(hazards.empty()) << config.text() << ": " << hazards.front().message;
    }
  }
}

}  // namespace
}  // namespace tilewright
