#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/integers.h"
#include "core/base/random.h"
#include "core/base/thread_pool.h"
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
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    double worst = 0;
    for (size_t j = 0; j < scores.size(); ++j) {
      sum += std::exp(scores[j] - largest);
      if (std::isfinite(scores[j])) worst = std::max(worst, errors[j]);
    }
    // Of each key: its probability, what of it may move elsewhere, and by how much rounding and
    // summing may change it.
    std::vector<double> exact(static_cast<size_t>(dim));
    std::vector<std::array<double, 3>> weights;
    for (size_t j = 0; j < scores.size(); ++j) {
      const double log_p = scores[j] - largest - std::log(sum);
      const double p = std::exp(log_p);
      const double factor = errors[j] > 30 ? errors[j] : std::log(std::expm1(errors[j]));
      const double moves =
          std::isfinite(log_p) ? std::exp(std::min(0.0, log_p + worst + factor)) : 0;
      weights.push_back(
          {p, moves, p * (unit + sum_error(static_cast<int64_t>(scores.size()))) + subnormal});
      for (size_t d = 0; d < exact.size(); ++d) exact[d] += p * values[j * exact.size() + d];
    }
    for (size_t d = 0; d < exact.size(); ++d) {
      double allowed = unit * std::abs(exact[d]) + subnormal;
      for (size_t j = 0; j < scores.size(); ++j) {
        const double value = values[j * exact.size() + d];
        allowed += weights[j][1] * std::abs(value - exact[d]) + weights[j][2] * std::abs(value);
      }
      ASSERT_NEAR(static_cast<double>(got[d]), exact[d], allowed) << what << " column " << d;
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
    {{DType::kF32, 8, 2, 16, 16}, {1000, 17, 1}}, {{DType::kF32, 3, 3, 128, 37}, {333, 38}},
};

/// Legal configs taken at random.
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

AttentionShape llama_2_7b() {
  return {DType::kBF16, 32, 32, 128, 128};
}
AttentionShape llama_3_1_8b() {
  return {DType::kBF16, 32, 8, 128, 128};
}
AttentionShape qwen2_7b() {
  return {DType::kBF16, 28, 4, 128, 128};
}

TimingResult time_of(const AttentionShape& shape, const DecodeSequences& sequences,
                     const Config& config) {
  return time_detailed(build_decode_launch(shape, sequences, config, machine()), machine());
}

/// Time that HBM needs for keys, values, queries and results, launch included, over the time of the
/// default.
double share_of_bound(const AttentionShape& shape, int64_t batch, int64_t keys) {
  const DecodeSequences sequences{std::vector<int64_t>(static_cast<size_t>(batch), keys), {}};
  const Config config = decode_default(shape, sequences.keys, machine());
  const TimingResult result = time_of(shape, sequences, config);
  const int64_t rows = 2 * batch * (keys * shape.kv_heads + shape.heads);
  const auto bytes = static_cast<double>(rows * shape.dim * bytes_of(shape.type));
  const double bound_us = bytes / machine().hbm.gb_per_s * 1e-3;
  return bound_us / machine().us_of_ticks(result.ticks);
}

TEST(DecodeAttention, ComesCloseToTheMemoryBound) {
  EXPECT_GT(share_of_bound(llama_2_7b(), 8, 512), 0.85);
  EXPECT_GT(share_of_bound(llama_2_7b(), 8, 4096), 0.88);
  EXPECT_GT(share_of_bound(llama_2_7b(), 32, 2048), 0.94);
  EXPECT_GT(share_of_bound(llama_3_1_8b(), 32, 512), 0.85);
  EXPECT_GT(share_of_bound(llama_3_1_8b(), 64, 1024), 0.90);
  EXPECT_GT(share_of_bound(qwen2_7b(), 32, 4096), 0.88);
}

TEST(DecodeAttention, ScoresAreForVectorCoresWithoutAndForTheCubeCoreWithGroups) {
  const std::vector<int64_t> keys(32, 2048);
  for (const auto& [shape, pipeline] :
       {std::pair(llama_2_7b(), 2), std::pair(llama_3_1_8b(), 3), std::pair(qwen2_7b(), 3)}) {
    const Config best = decode_default(shape, keys, machine());
    EXPECT_EQ(best.at("pipeline"), pipeline);
    const Config other = decode_space(shape, machine())
                             .complete({{{"pipeline", 5 - pipeline},
                                         {"tile_kv", pipeline == 2 ? 128 : 32},
                                         {"max_keys", 1024},
                                         {"buffers", 2},
                                         {"fetch", pipeline == 2 ? 4 : 0}}},
                                       best);
    EXPECT_LT(time_of(shape, {keys, {}}, best).ticks, time_of(shape, {keys, {}}, other).ticks);
  }
}

TEST(DecodeAttention, ReadsEachKeyAndValueFromHbmOnce) {
  const std::vector<int64_t> keys(8, 1000);
  for (const AttentionShape& shape : {llama_2_7b(), llama_3_1_8b()}) {
    const TimingResult result = time_of(shape, {keys, {}}, decode_default(shape, keys, machine()));
    EXPECT_EQ(result.memory.hbm_read_bytes,
              8 * (2 * 1000 * shape.kv_heads + shape.heads) * 128 * 2);
  }
}

TEST(DecodeAttention, ALongSequenceKeepsAllCoresBusy) {
  for (const AttentionShape& shape : {llama_2_7b(), qwen2_7b()}) {
    const std::vector<int64_t> keys = {131072};
    const TimingResult result = time_of(shape, {keys, {}}, decode_default(shape, keys, machine()));
    ASSERT_EQ(result.cores.size(), 72u);
    for (const CoreCounters& core : result.cores) EXPECT_GT(core.load_bytes, 0);
    EXPECT_GT(share_of_bound(shape, 1, 131072), 0.85);
  }
}

TEST(DecodeAttention, SplittingKeysPaysWhereTasksAreFewerThanCores) {
  const std::vector<int64_t> keys = {4000};
  for (const AttentionShape& shape : {llama_2_7b(), llama_3_1_8b(), qwen2_7b()}) {
    const Config split = decode_default(shape, keys, machine());
    const Config whole = decode_space(shape, machine()).complete({{{"split_kv", 1}}}, split);
    EXPECT_LT(1.3 * static_cast<double>(time_of(shape, {keys, {}}, split).ticks),
              static_cast<double>(time_of(shape, {keys, {}}, whole).ticks));
  }
}

TEST(DecodeAttention, SmallBlocksCostBandwidth) {
  const std::vector<int64_t> keys(8, 2048);
  int64_t last = 0;
  for (const int64_t block : {128, 64, 32}) {
    AttentionShape shape = llama_2_7b();
    shape.block_size = block;
    const int64_t ticks = time_of(shape, {keys, {}}, decode_default(shape, keys, machine())).ticks;
    EXPECT_GT(ticks, last) << block;
    last = ticks;
  }
}

/// Merging, gaps between blocks that tiles cut, and both pipelines, in every legal config.
TEST(DecodeAttention, SlowHasNoHazardInItsSpace) {
  const Case cases[] = {{{DType::kBF16, 2, 2, 32, 37}, {300, 1, 700}},
                        {{DType::kF16, 6, 2, 64, 150}, {900, 40}},
                        {{DType::kF32, 4, 2, 16, 37}, {300, 1, 700}}};
  for (const Case& c : cases) {
    const std::vector<Config> space = decode_space(c.shape, machine()).enumerate();
    std::vector<std::string> alarms(space.size());
    const auto check = [&](size_t i) {
      const Launch launch = build_decode_launch(c.shape, sequences_of(c), space[i], machine());
      const auto hazards = find_hazards(launch, machine());
      if (!hazards.empty()) alarms[i] = hazards.front().kind + ": " + hazards.front().message;
    };
    const auto look = [&](size_t i) { EXPECT_EQ(alarms[i], "") << space[i].text(); };
    parallel_in_order(space.size(), processor_count(), check, look, [] { return HasFailure(); });
  }
}

}  // namespace
}  // namespace tilewright
