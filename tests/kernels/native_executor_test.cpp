#include "kernels/native/native_executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "tests/kernels/native_driver.h"
#include "tests/kernels/plain_model.h"
#include "tests/random_checkpoint.h"

namespace tilewright {
namespace {

constexpr int64_t kSteps = 10;
constexpr double kTolerance = 2e-4;

std::string config_of(const std::string& architecture, const std::string& more = "") {
  return R"({"architectures": [")" + architecture + R"("], "hidden_size": 40,
    "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 2,
    "intermediate_size": 56, "vocab_size": 83, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "head_dim": 6, "rope_theta": 100)" +
         more + "}";
}

struct Architecture {
  const char* name;
  CheckpointRecipe recipe;
};

std::vector<Architecture> architectures() {
  const std::string llama3 = R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8,
    "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64})";
  const std::string yarn = R"(, "rope_parameters": {"rope_type": "yarn", "factor": 4,
    "beta_fast": 4, "original_max_position_embeddings": 64, "rope_theta": 50})";
  return {
      {"Llama", {config_of("LlamaForCausalLM"), "F32", 1, 1}},
      {"LlamaWithBiases",
       {config_of("LlamaForCausalLM", R"(, "attention_bias": true, "mlp_bias": true)"), "F32", 1,
        2}},
      {"LlamaShardedTied",
       {config_of("LlamaForCausalLM", R"(, "tie_word_embeddings": true)" + llama3), "BF16", 3, 3}},
      {"Qwen2Yarn", {config_of("Qwen2ForCausalLM", yarn), "F16", 1, 4}},
      {"Qwen2Window",
       {config_of("Qwen2ForCausalLM",
                  R"(, "use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1)"),
        "F32", 1, 5}},
      {"Qwen3", {config_of("Qwen3ForCausalLM"), "BF16", 2, 6}},
      {"MistralWindow",
       {config_of("MistralForCausalLM",
                  R"(, "sliding_window": 7, "rope_scaling": {"type": "linear", "factor": 2})"),
        "F32", 1, 7}},
      {"MixtralTop2",
       {config_of("MixtralForCausalLM", R"(, "num_local_experts": 4, "num_experts_per_tok": 2)"),
        "F32", 1, 8}},
  };
}

std::vector<std::vector<int32_t>> prompts() {
  std::vector<std::vector<int32_t>> list;
  Random random(99);
  for (const int64_t length : {1, 5, 17, 24}) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < length; ++i) ids.push_back(static_cast<int32_t>(random.below(83)));
    list.push_back(ids);
  }
  return list;
}

/// A checkpoint in a folder, and what the plain model says about it.
struct Fixture {
  explicit Fixture(const CheckpointRecipe& recipe)
      : weights(write_checkpoint(folder, recipe)), checkpoint(folder.path()) {}

  NativeExecutor executor(NativeOptions options = {.kv_blocks = 64}) const {
    return NativeExecutor(checkpoint, options);
  }

  TempFolder folder;
  PlainModel::Weights weights;
  Checkpoint checkpoint;
};

/// All rows of logits of a run, by sequence and step, as bits.
struct Rows {
  std::vector<std::vector<std::vector<float>>> rows;
  std::vector<std::vector<int32_t>> tokens;

  bool operator==(const Rows&) const = default;
};

Rows run(NativeExecutor& executor, DriverOptions options = {}) {
  const auto list = prompts();
  Rows result;
  result.rows.resize(list.size());
  for (auto& rows : result.rows) rows.resize(kSteps);
  options.on_logits = [&](size_t index, int64_t position, std::span<const float> row) {
    const auto step = static_cast<size_t>(position) - list[index].size();
    if (step < kSteps) result.rows[index][step].assign(row.begin(), row.end());
  };
  result.tokens = Driver(executor, options).run(list, kSteps);
  return result;
}

void expect_near(const Rows& a, const Rows& b, const std::string& what) {
  EXPECT_EQ(a.tokens, b.tokens) << what;
  for (size_t i = 0; i < a.rows.size(); ++i) {
    for (size_t step = 0; step < a.rows[i].size(); ++step) {
      for (size_t v = 0; v < a.rows[i][step].size(); ++v) {
        ASSERT_NEAR(a.rows[i][step][v], b.rows[i][step][v], kTolerance) << what << " step " << step;
      }
    }
  }
}

class NativeArchitecture : public testing::TestWithParam<size_t> {};

TEST_P(NativeArchitecture, SaysWhatThePlainModelSays) {
  const auto list = prompts();
  const Fixture fixture(architectures()[GetParam()].recipe);
  NativeExecutor executor = fixture.executor();
  const Rows ours = run(executor);
  const PlainModel plain(fixture.checkpoint.model(), fixture.weights);
  for (size_t i = 0; i < list.size(); ++i) {
    std::vector<int32_t> ids = list[i];
    for (size_t step = 0; step < kSteps; ++step) {
      const PlainModel::Vector theirs = plain.logits(ids);
      const std::vector<float>& row = ours.rows[i][step];
      for (size_t v = 0; v < theirs.size(); ++v) {
        ASSERT_NEAR(static_cast<double>(row[v]), theirs[v], kTolerance)
            << "prompt " << i << " step " << step;
      }
      const auto largest = std::max_element(theirs.begin(), theirs.end()) - theirs.begin();
      EXPECT_EQ(ours.tokens[i][step], largest) << "prompt " << i << " step " << step;
      ids.push_back(ours.tokens[i][step]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, NativeArchitecture,
                         testing::Range(size_t{0}, architectures().size()),
                         [](const auto& each) { return architectures()[each.param].name; });

TEST(NativeExecutor, GivesTheSameBitsHoweverSequencesAreCutAndMixed) {
  for (const Architecture& each : architectures()) {
    const Fixture fixture(each.recipe);
    NativeExecutor plain = fixture.executor();
    const Rows wanted = run(plain);
    for (const int64_t block_size : {1, 8, 16, 128}) {
      for (const int64_t chunk : {1, 3, 16}) {
        NativeExecutor executor = fixture.executor({.kv_blocks = 192, .block_size = block_size});
        EXPECT_EQ(run(executor, {.chunk = chunk, .mixed = chunk == 3}), wanted)
            << each.name << " blocks of " << block_size << ", chunks of " << chunk;
      }
    }
  }
}

TEST(NativeExecutor, GivesTheSameBitsWhenItVerifiesDrafts) {
  for (const Architecture& each : architectures()) {
    const Fixture fixture(each.recipe);
    NativeExecutor plain = fixture.executor();
    const Rows wanted = run(plain);
    const auto list = prompts();
    for (const size_t count : {size_t{1}, size_t{2}, size_t{4}}) {
      // Right drafts, of which every third is spoilt.
      const auto draft = [&](size_t index, const std::vector<int32_t>& ids) {
        std::vector<int32_t> drafts;
        for (size_t step = ids.size() - list[index].size(); step < kSteps && drafts.size() < count;
             ++step) {
          const int32_t right = wanted.tokens[index][step];
          drafts.push_back((step + index) % 3 == 2 ? (right + 1) % 83 : right);
        }
        return drafts;
      };
      NativeExecutor executor = fixture.executor();
      Driver driver(executor, {.draft = draft});
      EXPECT_EQ(driver.run(list, kSteps), wanted.tokens) << each.name << " " << count << " drafts";
      EXPECT_LT(driver.batches(), kSteps) << "right drafts save steps";
      NativeExecutor again = fixture.executor();
      EXPECT_EQ(run(again, {.chunk = 5, .draft = draft}), wanted) << each.name;
    }
  }
}

TEST(NativeExecutor, AgreesWithItselfOverRanksAndStages) {
  for (const Architecture& each : architectures()) {
    const Fixture fixture(each.recipe);
    NativeExecutor one = fixture.executor();
    const Rows wanted = run(one);
    for (const int64_t tp : {2, 4, 8}) {
      NativeExecutor executor = fixture.executor({.kv_blocks = 64, .parallel = {tp, 1}});
      expect_near(run(executor), wanted, fmt::format("{} tp {}", each.name, tp));
    }
    for (const int64_t pp : {2, 3}) {
      NativeExecutor executor = fixture.executor({.kv_blocks = 64, .parallel = {1, pp}});
      EXPECT_EQ(executor.capacity().max_in_flight, pp);
      EXPECT_EQ(run(executor), wanted) << each.name << " pp " << pp;
    }
  }
}

/// One slice of a batch; ids and blocks must outlive it.
SequenceSlice slice_of(const std::vector<int32_t>& ids, const std::vector<int32_t>& blocks,
                       int64_t context = 0) {
  SequenceSlice slice;
  slice.context = context;
  slice.tokens = std::ssize(ids);
  slice.samples = true;
  slice.ids = ids;
  slice.blocks = blocks;
  return slice;
}

std::vector<float> logits_of(NativeExecutor& executor, const SequenceSlice& slice,
                             std::vector<BlockCopy> copies = {}) {
  return executor.execute({{slice}, std::move(copies), true}, 0).logits;
}

TEST(NativeExecutor, ContinuesFromCopiedBlocks) {
  const Fixture fixture(architectures()[0].recipe);
  NativeExecutor executor = fixture.executor({.kv_blocks = 8, .block_size = 4});
  const std::vector<int32_t> prompt = {3, 1, 4, 1, 5, 9};
  logits_of(executor, slice_of(prompt, {7, 2}));
  const std::vector<int32_t> other = {8, 8};
  // Tokens 4 and 5 of the second block are shared, then the copy goes its own way.
  const auto copied = logits_of(executor, slice_of(other, {7, 5}, 6), {{2, 5, 2}});
  const std::vector<int32_t> next = {2};
  const auto original = logits_of(executor, slice_of(next, {7, 2}, 6));

  NativeExecutor fresh = fixture.executor({.kv_blocks = 8, .block_size = 4});
  EXPECT_EQ(logits_of(fresh, slice_of({3, 1, 4, 1, 5, 9, 8, 8}, {0, 1})), copied);
  EXPECT_EQ(logits_of(fresh, slice_of({3, 1, 4, 1, 5, 9, 2}, {2, 3})), original);
}

TEST(NativeExecutor, RefusesNumbersFromBlocksThatNobodyWrote) {
  const Fixture fixture(architectures()[0].recipe);
  NativeExecutor executor = fixture.executor({.kv_blocks = 8, .block_size = 4});
  const std::vector<int32_t> prompt = {3, 1, 4, 1, 5, 9};
  const std::vector<int32_t> blocks = {7, 2};
  const std::vector<int32_t> wrong = {7, 3};
  logits_of(executor, slice_of(prompt, blocks));
  const std::vector<int32_t> next = {2};
  EXPECT_THROW(logits_of(executor, slice_of(next, wrong, 6)), Error);
}

TEST(NativeExecutor, RefusesTokensOutsideTheVocabulary) {
  const Fixture fixture(architectures()[0].recipe);
  NativeExecutor executor = fixture.executor();
  for (const int32_t token : {-1, 83}) {
    const std::vector<int32_t> ids = {1, token};
    const std::vector<int32_t> blocks = {0};
    EXPECT_THROW(logits_of(executor, slice_of(ids, blocks)), Error);
  }
}

TEST(NativeExecutor, SamplesTheSameTokensHoweverSequencesAreCut) {
  const Fixture fixture(architectures()[0].recipe);
  const SamplingParams sampling{.temperature = 0.8, .top_k = 20, .top_p = 0.95, .seed = 5};
  NativeExecutor first = fixture.executor();
  const Rows wanted = run(first, {.sampling = sampling});
  NativeExecutor second = fixture.executor();
  EXPECT_EQ(run(second, {.chunk = 4, .mixed = false, .sampling = sampling}), wanted);
  NativeExecutor greedy = fixture.executor();
  EXPECT_NE(run(greedy).tokens, wanted.tokens);
}

TEST(NativeExecutor, RefusesWhatDoesNotFitTheModel) {
  const Fixture fixture(architectures()[0].recipe);
  const NativeOptions kWrong[] = {
      {.kv_blocks = 0},
      {.kv_blocks = 4, .block_size = 0},
      {.kv_blocks = 4, .parallel = {3, 1}},
      {.kv_blocks = 4, .parallel = {16, 1}},
      {.kv_blocks = 4, .parallel = {1, 4}},
      {.kv_blocks = 4, .parallel = {0, 1}},
      {.kv_blocks = 1 << 30},
  };
  for (const NativeOptions& options : kWrong) {
    EXPECT_THROW(NativeExecutor(fixture.checkpoint, options), Error) << options.kv_blocks;
  }
}

}  // namespace
}  // namespace tilewright
