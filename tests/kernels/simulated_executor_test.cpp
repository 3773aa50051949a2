#include "kernels/simulated/simulated_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "kernels/attention/attention.h"
#include "kernels/native/reference.h"
#include "simulator/timing.h"
#include "tests/kernels/native_driver.h"
#include "tests/kernels/plain_model.h"
#include "tests/random_checkpoint.h"

namespace tilewright {
namespace {

constexpr int64_t kSteps = 3;
constexpr int64_t kVocabulary = 83;

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

std::string config_of(const std::string& architecture, const std::string& more = "",
                      const char* kv_heads = "2") {
  return R"({"architectures": [")" + architecture + R"("], "hidden_size": 40,
    "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": )" +
         kv_heads + R"(,
    "intermediate_size": 56, "vocab_size": 83, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "head_dim": 16, "rope_theta": 100)" +
         more + "}";
}

/// Prompts of one token, of whole blocks and of ragged ones.
const std::vector<std::vector<int32_t>>& prompts() {
  static const std::vector<std::vector<int32_t>> all = [] {
    std::vector<std::vector<int32_t>> list;
    Random random(99);
    for (const int64_t length : {1, 5, 16, 41}) {
      std::vector<int32_t> ids;
      for (int64_t i = 0; i < length; ++i)
        ids.push_back(static_cast<int32_t>(random.below(kVocabulary)));
      list.push_back(ids);
    }
    return list;
  }();
  return all;
}

/// A checkpoint in a folder, and what the plain model says about it.
struct Fixture {
  explicit Fixture(const CheckpointRecipe& recipe)
      : weights(write_checkpoint(folder, recipe)), checkpoint(folder.path()) {}

  SimulatedExecutor executor(const SimulatedOptions& options) const {
    return SimulatedExecutor(checkpoint, machine(), options);
  }

  TempFolder folder;
  PlainModel::Weights weights;
  Checkpoint checkpoint;
};

/// All rows of logits of a run, by sequence and step.
struct Rows {
  std::vector<std::vector<std::vector<float>>> rows;
  std::vector<std::vector<int32_t>> tokens;
};

Rows run(Executor& executor, DriverOptions options = {}) {
  Rows result;
  result.rows.resize(prompts().size(), std::vector<std::vector<float>>(kSteps));
  options.on_logits = [&](size_t index, int64_t position, std::span<const float> row) {
    const auto step = static_cast<size_t>(position) - prompts()[index].size();
    if (step < kSteps) result.rows[index][step].assign(row.begin(), row.end());
  };
  result.tokens = Driver(executor, options).run(prompts(), kSteps);
  return result;
}

/// The logits of the plain model after the tokens that were made.
class PlainRows {
 public:
  explicit PlainRows(const Fixture& fixture)
      : plain_(fixture.checkpoint.model(), fixture.weights) {}

  /// Largest difference of logits.
  double distance(const Rows& ours) {
    double largest = 0;
    for (size_t i = 0; i < prompts().size(); ++i) {
      std::vector<int32_t> ids = prompts()[i];
      for (size_t step = 0; step < kSteps; ++step) {
        const PlainModel::Vector& theirs = logits(ids);
        const std::vector<float>& row = ours.rows[i][step];
        for (size_t v = 0; v < theirs.size(); ++v)
          largest = std::max(largest, std::abs(static_cast<double>(row.at(v)) - theirs[v]));
        ids.push_back(ours.tokens[i][step]);
      }
    }
    return largest;
  }

  /// How often a token is not that of the plain model's largest logit.
  int64_t other_tokens(const Rows& ours) {
    int64_t others = 0;
    for (size_t i = 0; i < prompts().size(); ++i) {
      std::vector<int32_t> ids = prompts()[i];
      for (const int32_t token : ours.tokens[i]) {
        const PlainModel::Vector& theirs = logits(ids);
        others += std::max_element(theirs.begin(), theirs.end()) - theirs.begin() != token;
        ids.push_back(token);
      }
    }
    return others;
  }

 private:
  const PlainModel::Vector& logits(const std::vector<int32_t>& ids) {
    PlainModel::Vector& known = known_[ids];
    if (known.empty()) known = plain_.logits(ids);
    return known;
  }

  PlainModel plain_;
  std::map<std::vector<int32_t>, PlainModel::Vector> known_;
};

struct Architecture {
  const char* name;
  CheckpointRecipe recipe;
};

/// In f32.
const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all = [] {
    const std::string f32 = R"(, "torch_dtype": "float32")";
    const std::string llama3 = R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8,
      "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64})";
    return std::vector<Architecture>{
        {"Llama", {config_of("LlamaForCausalLM", f32), "F32", 1, 1}},
        {"LlamaWithBiases",
         {config_of("LlamaForCausalLM", R"(, "attention_bias": true, "mlp_bias": true)" + f32),
          "F32", 1, 2}},
        {"LlamaShardedTied",
         {config_of("LlamaForCausalLM", R"(, "tie_word_embeddings": true)" + llama3 + f32), "F32",
          3, 3}},
        {"Qwen2", {config_of("Qwen2ForCausalLM", f32), "F32", 1, 4}},
        {"Qwen3", {config_of("Qwen3ForCausalLM", f32), "F32", 1, 6}},
        {"MistralOneKvHead", {config_of("MistralForCausalLM", f32, "1"), "F32", 1, 7}}};
  }();
  return all;
}

/// Logits of about unit size in f32: a few hundred roundings.
constexpr double kTolerance = 1e-4;

TEST(SimulatedExecutor, SaysWhatThePlainModelSays) {
  for (const Architecture& each : architectures()) {
    const Fixture fixture(each.recipe);
    SimulatedExecutor executor = fixture.executor({.kv_blocks = 32});
    const Rows ours = run(executor);
    PlainRows plain(fixture);
    EXPECT_LT(plain.distance(ours), kTolerance) << each.name;
    EXPECT_EQ(plain.other_tokens(ours), 0) << each.name;
  }
}

TEST(SimulatedExecutor, SaysItForEverySizeOfBlocksAndChunks) {
  const Fixture fixture(architectures()[0].recipe);
  PlainRows plain(fixture);
  for (const int64_t block_size : {8, 16, 128}) {
    for (const int64_t chunk : {3, 16, 64}) {
      SimulatedExecutor executor =
          fixture.executor({.kv_blocks = 24, .block_size = block_size, .timed = false});
      // Chunks of prompts stand beside decodes, or sequences come one after the other.
      const Rows ours = run(executor, {.chunk = chunk, .mixed = chunk != 16});
      EXPECT_LT(plain.distance(ours), kTolerance)
          << "blocks of " << block_size << ", chunks of " << chunk;
      EXPECT_EQ(plain.other_tokens(ours), 0);
    }
  }
}

TEST(SimulatedExecutor, VerifiesDraftsBesidePromptsAndDecodes) {
  for (const Architecture& each : architectures()) {
    const Fixture fixture(each.recipe);
    SimulatedExecutor first = fixture.executor({.kv_blocks = 32, .timed = false});
    const Rows wanted = run(first);
    // Right drafts for two of three steps, of other numbers from sequence to sequence.
    const auto draft = [&](size_t index, const std::vector<int32_t>& ids) {
      std::vector<int32_t> drafts;
      for (size_t step = ids.size() - prompts()[index].size(); step < kSteps; ++step) {
        const int32_t right = wanted.tokens[index][step];
        const bool is_wrong = (step + index) % 3 == 2;
        drafts.push_back(is_wrong ? (right + 1) % static_cast<int32_t>(kVocabulary) : right);
      }
      drafts.resize(std::min(drafts.size(), index));
      return drafts;
    };
    SimulatedExecutor executor = fixture.executor({.kv_blocks = 32, .timed = false});
    const Rows ours = run(executor, {.chunk = 20, .draft = draft});
    PlainRows plain(fixture);
    EXPECT_EQ(ours.tokens, wanted.tokens) << each.name;
    EXPECT_LT(plain.distance(ours), kTolerance) << each.name;
  }
}

TEST(SimulatedExecutor, ComputesHalvesInTheirOwnType) {
  const std::pair<const char*, double> kTypes[] = {{"F16", 0.03}, {"BF16", 0.25}};
  for (const auto& [type, tolerance] : kTypes) {
    const std::string dtype = type == std::string("F16") ? "float16" : "bfloat16";
    const Fixture fixture(
        {config_of("Qwen3ForCausalLM", R"(, "torch_dtype": ")" + dtype + "\""), type, 1, 11});
    SimulatedExecutor executor = fixture.executor({.kv_blocks = 32});
    PlainRows plain(fixture);
    const double distance = plain.distance(run(executor));
    EXPECT_LT(distance, tolerance) << type;
    EXPECT_GT(distance, kTolerance) << type;
  }
}

/// A batch of one slice; ids and blocks must outlive it.
Batch one_slice(std::span<const int32_t> ids, int64_t context, std::span<const int32_t> blocks) {
  SequenceSlice slice;
  slice.context = context;
  slice.tokens = std::ssize(ids);
  slice.samples = true;
  slice.blocks = blocks;
  slice.ids = ids;
  Batch batch{{slice}};
  batch.wants_logits = true;
  return batch;
}

TEST(SimulatedExecutor, CopiesPartsOfBlocksBeforeTheStep) {
  const Fixture fixture(architectures()[0].recipe);
  const std::vector<int32_t>& prompt = prompts()[3];
  const std::vector<int32_t> all = {3, 7, 1, 6, 2, 9};
  SimulatedExecutor executor = fixture.executor({.kv_blocks = 12, .block_size = 8});
  const Execution whole = executor.execute(one_slice(prompt, 0, all), 0);
  // The first 19 tokens: two blocks are shared, three tokens of the third are copied.
  const std::vector<int32_t> shared = {3, 7, 4, 0, 11, 10};
  Batch batch = one_slice(std::span(prompt).subspan(19), 19, shared);
  batch.copies = {{.from = 1, .to = 4, .tokens = 3}};
  const Execution rest = executor.execute(batch, 0);
  ASSERT_EQ(rest.logits.size(), whole.logits.size());
  for (size_t v = 0; v < rest.logits.size(); ++v)
    EXPECT_NEAR(rest.logits[v], whole.logits[v], kTolerance);
  EXPECT_EQ(rest.tokens, whole.tokens);
}

TEST(SimulatedExecutor, SaysWhenKvIsReadThatNobodyWrote) {
  const Fixture fixture(architectures()[0].recipe);
  SimulatedExecutor executor = fixture.executor({.kv_blocks = 4});
  const std::vector<int32_t> blocks = {2, 3};
  try {
    executor.execute(one_slice(prompts()[0], 5, blocks), 0);
    ADD_FAILURE() << "computed with 5 tokens that are not in the cache";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("KV was read that nobody wrote"), std::string::npos);
  }
  // The executor is as good as before.
  const Execution execution = executor.execute(one_slice(prompts()[0], 0, blocks), 0);
  EXPECT_EQ(execution.tokens.size(), 1u);
}

TEST(SimulatedExecutor, TimesTheLaunchesThatItRuns) {
  const Fixture fixture(architectures()[0].recipe);
  const std::vector<int32_t> blocks = {2, 3, 0};
  SimulatedExecutor executor = fixture.executor({.kv_blocks = 4});
  const Execution first = executor.execute(one_slice(prompts()[3], 0, blocks), 1000);
  EXPECT_EQ(first.start_ns, 1000);
  int64_t sum = 0;
  for (const OpTime& op : first.ops) {
    EXPECT_GT(op.ns, 0) << op.op;
    sum += op.ns;
  }
  EXPECT_EQ(first.end_ns - first.start_ns, sum);
  EXPECT_EQ(first.accepts_next_ns, first.end_ns);
  // One after the other, and the same step takes the same time again.
  const Execution again = executor.execute(one_slice(prompts()[3], 0, blocks), 0);
  EXPECT_EQ(again.start_ns, first.end_ns);
  EXPECT_EQ(again.end_ns - again.start_ns, sum);
  EXPECT_EQ(again.logits, first.logits);
  // Its attention is the launch that the kernel builds for this batch.
  const AttentionShape shape{DType::kF32, 8, 2, 16, 16};
  const std::vector<AttentionSequence> sequences = {{41, 0}};
  const Launch launch = build_batch_launch(
      shape, sequences, batch_default(shape, sequences, machine()), machine(), {2, 3, 0});
  const int64_t ticks = time_launch(launch, machine(), Fidelity::kAuto).ticks;
  const auto attention = std::ranges::find(first.ops, "attention", &OpTime::op);
  ASSERT_NE(attention, first.ops.end());
  EXPECT_EQ(attention->calls, 2);
  EXPECT_EQ(attention->ns, 2 * machine().ns_of_ticks(ticks));

  SimulatedExecutor untimed = fixture.executor({.kv_blocks = 4, .timed = false});
  const Execution tokens_alone = untimed.execute(one_slice(prompts()[3], 0, blocks), 1000);
  EXPECT_EQ(tokens_alone.end_ns, 1000);
  EXPECT_EQ(tokens_alone.logits, first.logits);
}

TEST(SimulatedExecutor, SamplesAsTheHostDoes) {
  const Fixture fixture(architectures()[0].recipe);
  const std::vector<int32_t> blocks = {2};
  SimulatedExecutor executor = fixture.executor({.kv_blocks = 4});
  Batch batch = one_slice(prompts()[1], 0, blocks);
  batch.slices[0].sampling = {.temperature = 1.5, .seed = 5};
  batch.slices[0].request = 3;
  const Execution execution = executor.execute(batch, 0);
  EXPECT_EQ(execution.tokens,
            std::vector<int32_t>{sample(execution.logits, batch.slices[0].sampling, 3, 5)});
  EXPECT_EQ(execution.token_counts, std::vector<int64_t>{1});
}

TEST(SimulatedExecutor, RefusesWhatItCannotExecute) {
  struct Refusal {
    CheckpointRecipe recipe;
    SimulatedOptions options;
    const char* message;
  };
  const Refusal kRefusals[] = {
      {{config_of("MixtralForCausalLM", R"(, "num_local_experts": 4, "num_experts_per_tok": 2)"),
        "F32", 1, 8},
       {.kv_blocks = 4},
       "experts are not executed"},
      {{config_of("MistralForCausalLM", R"(, "sliding_window": 7)"), "F32", 1, 8},
       {.kv_blocks = 4},
       "its window of 7 tokens is shorter than sequences of up to 512"},
      {{config_of("LlamaForCausalLM"), "F32", 1, 8}, {}, "0 KV blocks of 16 tokens"},
      {{config_of("LlamaForCausalLM"), "F32", 1, 8}, {.kv_blocks = 1 << 24}, "give fewer"},
      {{config_of("LlamaForCausalLM"), "F32", 1, 8},
       {.kv_blocks = 4, .max_bytes = 1000},
       "more than the 1000 B"},
  };
  for (const Refusal& refusal : kRefusals) {
    const Fixture fixture(refusal.recipe);
    try {
      fixture.executor(refusal.options);
      ADD_FAILURE() << "accepted what should be: " << refusal.message;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(refusal.message), std::string::npos) << error.message();
    }
  }
  // A window that no sequence outgrows is none.
  const Fixture fixture({config_of("MistralForCausalLM", R"(, "sliding_window": 7)"), "F32", 1, 8});
  EXPECT_EQ(fixture.executor({.kv_blocks = 4, .max_model_len = 7}).capacity().max_model_len, 7);
}

TEST(SimulatedExecutor, TakesWeightsFromAnySourceAndChecksTheirSizes) {
  const Fixture fixture(architectures()[0].recipe);
  const auto source = [&](const std::string& name) {
    std::vector<float> values = fixture.weights.at(name);
    if (name == "model.layers.1.mlp.up_proj.weight") values.pop_back();
    return values;
  };
  try {
    SimulatedExecutor(fixture.checkpoint.model(), source, machine(), {.kv_blocks = 4});
    ADD_FAILURE() << "took too few weights";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("model.layers.1.mlp.up_proj.weight has 2239 elements, the model "
                                   "needs 2240"),
              std::string::npos)
        << error.message();
  }
}

TEST(SimulatedExecutor, TinyLlamaMakesItsTokensInOneMixedBatch) {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path folder =
      (set ? std::filesystem::path(set)
           : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data") /
      "tiny-llama";
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "no folder " << folder << "; set TILEWRIGHT_DATA";
  }
  const Checkpoint checkpoint(folder.string());
  const Reference reference =
      read_reference((folder / "reference.json").string(), checkpoint.model());
  SimulatedExecutor executor(checkpoint, machine(), {.kv_blocks = 160, .block_size = 8});
  ReferenceObserver observer(executor, reference);
  std::vector<std::vector<int32_t>> all;
  for (const ReferenceCase& each : reference.cases) all.push_back(each.prompt);
  constexpr size_t kFirst = 8;
  const auto tokens = Driver(observer, {.chunk = 200}).run(all, kFirst);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& greedy = reference.cases[i].greedy;
    EXPECT_EQ(tokens[i], std::vector<int32_t>(greedy.begin(), greedy.begin() + kFirst))
        << reference.cases[i].name;
  }
  const Agreement agreement = observer.agreement();
  EXPECT_LT(agreement.max_logit_error, 1e-3);
  EXPECT_GE(agreement.logits_compared, std::ssize(all) * (2 * 512 + 8 * 8));
  RecordProperty("max_logit_error", std::to_string(agreement.max_logit_error));
}

}  // namespace
}  // namespace tilewright
