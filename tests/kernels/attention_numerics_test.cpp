#include "core/base/error.h"
#include "tests/kernels/attention_cases.h"

namespace tilewright {
namespace {

using Sizes = std::map<std::string, int64_t>;

/// Decodes, prompts and chunks, also with groups that no tile holds, keys that end inside blocks,
/// and blocks that tiles do not divide.
const std::vector<Sizes>& plain_batches() {
  static const std::vector<Sizes> batches = {
      {{"heads", 1}, {"dim", 16}, {"block", 16}},
      {{"sequences", 2}, {"context", 127}, {"heads", 4}, {"kv_heads", 4}},
      {{"sequences", 3}, {"context", 300}, {"heads", 28}, {"kv_heads", 4}},
      {{"tokens", 5}, {"heads", 2}, {"dim", 32}, {"block", 16}},
      {{"sequences", 2}, {"tokens", 40}, {"heads", 14}, {"kv_heads", 2}},
      {{"tokens", 70}, {"context", 129}, {"heads", 8}, {"kv_heads", 8}, {"dim", 64}, {"block", 32}},
      {{"tokens", 200}, {"context", 200}, {"heads", 2}, {"dim", 64}, {"block", 64}},
      {{"tokens", 3}, {"context", 50}, {"heads", 96}, {"dim", 32}, {"block", 16}},
      {{"tokens", 33}, {"context", 97}, {"heads", 5}, {"dim", 64}, {"block", 7}},
      {{"tokens", 20}, {"context", 600}, {"heads", 3}, {"dim", 32}, {"block", 257}},
      {{"tokens", 129}, {"context", 255}, {"heads", 1}, {"dim", 64}, {"block", 384}},
      {{"tokens", 17}, {"context", 130}, {"heads", 2}, {"dim", 64}, {"block", 96}},
  };
  return batches;
}

class AttentionBatch : public testing::TestWithParam<size_t> {};

TEST_P(AttentionBatch, IsRightWithAndWithoutMask) {
  size_t number = GetParam();
  for (const char* mask : {"causal", "none"}) {
    const Problem problem =
        attention_problem({plain_batches()[GetParam()], mask, number % 2 == 0 ? "f16" : "bf16"});
    for (const Config& config : some_configs(problem, 3, number++)) expect_right(problem, config);
  }
}

TEST_P(AttentionBatch, HasNoHazardInSamplesOfTheSpace) {
  const Problem problem = attention_problem({plain_batches()[GetParam()]});
  for (const Config& config : some_configs(problem, 4, 100 + GetParam()))
    expect_no_hazard(problem, config);
}

INSTANTIATE_TEST_SUITE_P(Batches, AttentionBatch, testing::Range<size_t>(0, 12));

TEST(AttentionNumerics, AreRightForEverySizeOfHeads) {
  size_t number = 0;
  for (int64_t dim : {16, 32, 64, 80, 96, 128, 192, 256}) {
    const Problem problem = attention_problem({{{"sequences", 2},
                                                {"tokens", 21},
                                                {"context", 90},
                                                {"heads", 6},
                                                {"kv_heads", 2},
                                                {"dim", dim},
                                                {"block", 16}},
                                               "causal",
                                               number % 2 == 0 ? "bf16" : "f16"});
    for (const Config& config : some_configs(problem, 2, number++)) expect_right(problem, config);
  }
}

TEST(AttentionNumerics, AreRightForLatentKeys) {
  for (const Sizes& batch : {Sizes{{"sequences", 2}, {"context", 200}},
                             Sizes{{"tokens", 3}, {"context", 70}, {"decodes", 2}}}) {
    Sizes sizes = batch;
    sizes.insert({{"heads", 32}, {"dim", 576}, {"v_dim", 512}, {"block", 64}});
    const Problem problem = attention_problem({sizes});
    for (const Config& config : some_configs(problem, 4, sizes.size()))
      expect_right(problem, config);
  }
}

/// Prompt, decodes and verifies in one launch.
AttentionCase mixed(const char* mask, int64_t drafts, int64_t verify_context) {
  return {{{"sequences", 1},
           {"tokens", 130},
           {"context", 30},
           {"decodes", 5},
           {"decode_context", 300},
           {"verifies", 3},
           {"drafts", drafts},
           {"verify_context", verify_context},
           {"heads", 3},
           {"kv_heads", 1},
           {"dim", 32},
           {"block", 32}},
          mask};
}

TEST(AttentionNumerics, AreRightForMixedBatchesWithLinearAndTreeDrafts) {
  size_t number = 0;
  for (const char* mask : {"causal", "tree"}) {
    // Corners inside a tile, over the border of two, longer than a tile.
    for (const auto& [drafts, context] :
         {std::pair<int64_t, int64_t>{7, 150}, {15, 250}, {40, 3}}) {
      const Problem problem = attention_problem(mixed(mask, drafts, context));
      for (const Config& config : some_configs(problem, 3, number++)) expect_right(problem, config);
    }
  }
}

TEST(AttentionNumerics, HoldAtTheEdgesOfTiles) {
  size_t number = 0;
  for (int64_t tokens : {1, 31, 32, 33, 127, 128, 129, 131}) {
    for (int64_t context : {0, 1, 127}) {
      const Problem problem = attention_problem(
          {{{"tokens", tokens}, {"context", context}, {"heads", 2}, {"dim", 32}, {"block", 32}}});
      for (const Config& config : some_configs(problem, 2, number++)) expect_right(problem, config);
    }
  }
}

TEST(AttentionNumerics, HoldForLargeTinyAndEqualValuesAndHiddenRows) {
  size_t number = 0;
  for (const char* dtype : {"f16", "bf16", "f32"}) {
    AttentionCase c = mixed("tree", 11, 140);
    c.dtype = dtype;
    const Problem problem = attention_problem(c);
    for (const InputPattern pattern : kInputPatterns) {
      for (const Config& config : some_configs(problem, 2, number++))
        expect_right(problem, config, {7, pattern});
    }
  }
}

TEST(AttentionNumerics, GiveZerosForRowsThatSeeNothing) {
  // Verifies without history whose masks hide whole rows.
  const Problem problem = attention_problem(
      {{{"sequences", 0}, {"verifies", 2}, {"drafts", 7}, {"heads", 1}, {"dim", 32}, {"block", 16}},
       "tree",
       "f16"});
  for (const Config& config : some_configs(problem, 4, 3))
    expect_right(problem, config, {5, InputPattern::kMinusInf});
}

TEST(AttentionNumerics, AreRightForKeysInParts) {
  size_t number = 0;
  for (const Sizes& batch : {Sizes{{"context", 2500}, {"heads", 8}, {"kv_heads", 2}},
                             Sizes{{"context", 1500}, {"heads", 3}, {"kv_heads", 3}},
                             Sizes{{"tokens", 30}, {"context", 900}, {"decodes", 1}}}) {
    Sizes sizes = batch;
    sizes.insert({{"dim", 32}, {"block", 16}});
    const Problem problem = attention_problem({sizes});
    const Kernel& kernel = find_kernel("attention");
    for (int64_t tile_kv : {32, 128}) {
      const Config config =
          complete_config(kernel, problem, attention_machine(),
                          parse_config("split_kv=16,tile_kv=" + std::to_string(tile_kv)));
      const Launch launch = kernel.build(problem, config, attention_machine());
      EXPECT_GE(tensor_named(launch, "parts"), 0);
      expect_right(problem, config, {number++});
      expect_no_hazard(problem, config);
    }
  }
}

// A tree hides keys before a tile of queries, too, and each KV tile has its own part of the mask.
TEST(AttentionNumerics, AreRightForTreesOfManyTiles) {
  const Kernel& kernel = find_kernel("attention");
  for (const auto& [context, drafts] : {std::pair<int64_t, int64_t>{0, 63}, {10, 200}, {21, 130}}) {
    const Problem problem = attention_problem({{{"sequences", 0},
                                                {"verifies", 1},
                                                {"verify_context", context},
                                                {"drafts", drafts},
                                                {"heads", 1},
                                                {"dim", 64}},
                                               "tree"});
    for (const char* text : {"tile_kv=16,pipeline=3,split_kv=1,tile_q=16", "tile_kv=16",
                             "tile_kv=32,tile_q=32", "tile_kv=64,pipeline=3,split_kv=1"}) {
      const Config config =
          complete_config(kernel, problem, attention_machine(), parse_config(text));
      expect_right(problem, config);
      expect_no_hazard(problem, config);
    }
  }
}

/// What an f32 model asks for: short and odd prompts, chunks, decodes and drafts together and
/// apart.
const std::vector<Sizes>& f32_batches() {
  static const std::vector<Sizes> batches = {
      {{"tokens", 1}, {"heads", 8}, {"kv_heads", 2}, {"dim", 16}, {"block", 16}},
      {{"sequences", 3},
       {"context", 300},
       {"heads", 8},
       {"kv_heads", 2},
       {"dim", 16},
       {"block", 8}},
      {{"sequences", 2}, {"context", 700}, {"heads", 3}, {"kv_heads", 3}, {"dim", 128}},
      {{"tokens", 131}, {"heads", 8}, {"kv_heads", 2}, {"dim", 16}, {"block", 128}},
      {{"tokens", 40}, {"context", 97}, {"heads", 5}, {"dim", 48}, {"block", 7}},
      {{"tokens", 33}, {"context", 200}, {"heads", 2}, {"dim", 256}, {"block", 96}},
      {{"tokens", 20},
       {"context", 60},
       {"decodes", 3},
       {"decode_context", 130},
       {"verifies", 2},
       {"drafts", 5},
       {"verify_context", 90},
       {"heads", 8},
       {"kv_heads", 2},
       {"dim", 16},
       {"block", 16}},
  };
  return batches;
}

TEST(AttentionNumerics, AreRightInF32AndFreeOfHazards) {
  size_t number = 0;
  for (const Sizes& batch : f32_batches()) {
    for (const char* mask : {"causal", batch.contains("verifies") ? "tree" : "none"}) {
      const Problem problem = attention_problem({batch, mask, "f32"});
      std::vector<Config> configs = some_configs(problem, 3, number++);
      configs.push_back(find_kernel("attention").default_config(problem, attention_machine()));
      for (const Config& config : configs) {
        expect_right(problem, config);
        expect_no_hazard(problem, config);
      }
    }
  }
}

// Errors of f32 are so small that results in a narrower type would be found out.
TEST(AttentionNumerics, OfF32AreNotThoseOfHalves) {
  const Problem problem = attention_problem(
      {{{"tokens", 20}, {"context", 30}, {"heads", 2}, {"dim", 16}, {"block", 16}},
       "causal",
       "f32"});
  const Kernel& kernel = find_kernel("attention");
  const CheckResult result =
      check_kernel(kernel, problem, kernel.default_config(problem, attention_machine()),
                   attention_machine(), {3});
  EXPECT_TRUE(result.ok) << result.first_failure;
  EXPECT_LT(result.max_abs_err, 1e-6);
}

TEST(AttentionHazards, AreNoneInMixedBatches) {
  size_t number = 100;
  for (const char* mask : {"causal", "tree"}) {
    const Problem problem = attention_problem(mixed(mask, 15, 250));
    for (const Config& config : some_configs(problem, 8, number++))
      expect_no_hazard(problem, config);
  }
}

}  // namespace
}  // namespace tilewright
