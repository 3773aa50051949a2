#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/attention/attention.h"
#include "simulator/timing.h"
#include "tests/kernels/simulated_cases.h"

namespace tilewright {
namespace {

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

TEST(SimulatedBatch, CopiesPartsOfBlocksBeforeTheStep) {
  const SimulatedFixture fixture(architectures()[0].recipe);
  const std::vector<int32_t>& prompt = prompts()[3];
  const std::vector<int32_t> all = {3, 7, 1, 6, 2, 9};
  SimulatedExecutor executor = fixture.executor({.kv_blocks = 12, .block_size = 8});
  const Execution whole = executor.execute(one_slice(prompt, 0, all), 0);
  // The first 19 tokens: two blocks are shared, three tokens of the third are copied.
  const std::vector<int32_t> shared = {3, 7, 4, 0, 11, 10};
  Batch batch = one_slice(std::span(prompt).subspan(19), 19, shared);
  // By way of another block, as copies follow each other.
  batch.copies = {{.from = 1, .to = 5, .tokens = 4}, {.from = 5, .to = 4, .tokens = 3}};
  const Execution rest = executor.execute(batch, 0);
  ASSERT_EQ(rest.logits.size(), whole.logits.size());
  for (size_t v = 0; v < rest.logits.size(); ++v)
    EXPECT_NEAR(rest.logits[v], whole.logits[v], kTolerance);
  EXPECT_EQ(rest.tokens, whole.tokens);
}

TEST(SimulatedBatch, SaysWhenKvIsReadThatNobodyWrote) {
  const SimulatedFixture fixture(architectures()[0].recipe);
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

TEST(SimulatedBatch, TimesTheLaunchesThatItRuns) {
  const SimulatedFixture fixture(architectures()[0].recipe);
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
  const Launch launch =
      build_batch_launch(shape, sequences, batch_default(shape, sequences, simulated_machine()),
                         simulated_machine(), {2, 3, 0});
  const int64_t ticks = time_launch(launch, simulated_machine(), Fidelity::kAuto).ticks;
  const auto attention = std::ranges::find(first.ops, "attention", &OpTime::op);
  ASSERT_NE(attention, first.ops.end());
  EXPECT_EQ(attention->calls, 2);
  EXPECT_EQ(attention->ns, 2 * simulated_machine().ns_of_ticks(ticks));

  SimulatedExecutor untimed = fixture.executor({.kv_blocks = 4, .timed = false});
  const Execution tokens_alone = untimed.execute(one_slice(prompts()[3], 0, blocks), 1000);
  EXPECT_EQ(tokens_alone.end_ns, 1000);
  EXPECT_EQ(tokens_alone.logits, first.logits);
}

TEST(SimulatedBatch, SamplesAsTheHostDoes) {
  const SimulatedFixture fixture(architectures()[0].recipe);
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

TEST(SimulatedBatch, RefusesWhatItCannotExecute) {
  struct Refusal {
    CheckpointRecipe recipe;
    SimulatedOptions options;
    const char* message;
  };
  const Refusal kRefusals[] = {
      {{R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 40, "num_hidden_layers": 1,
            "num_attention_heads": 4, "intermediate_size": 56, "vocab_size": 83,
            "max_position_embeddings": 64, "rms_norm_eps": 1e-5})",
        "F32", 1, 8},
       {.kv_blocks = 4},
       "heads of 10 elements are not executed"},
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
    const SimulatedFixture fixture(refusal.recipe);
    try {
      fixture.executor(refusal.options);
      ADD_FAILURE() << "accepted what should be: " << refusal.message;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(refusal.message), std::string::npos) << error.message();
    }
  }
  // A window that no sequence outgrows is none.
  const SimulatedFixture fixture(
      {config_of("MistralForCausalLM", R"(, "sliding_window": 7)"), "F32", 1, 8});
  EXPECT_EQ(fixture.executor({.kv_blocks = 4, .max_model_len = 7}).capacity().max_model_len, 7);
}

TEST(SimulatedBatch, TakesWeightsFromAnySourceAndChecksTheirSizes) {
  const SimulatedFixture fixture(architectures()[0].recipe);
  const auto source = [&](const std::string& name) {
    std::vector<float> values = fixture.weights.at(name);
    if (name == "model.layers.1.mlp.up_proj.weight") values.pop_back();
    return values;
  };
  try {
    SimulatedExecutor(fixture.checkpoint.model(), source, simulated_machine(), {.kv_blocks = 4});
    ADD_FAILURE() << "took too few weights";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("model.layers.1.mlp.up_proj.weight has 2239 elements, the model "
                                   "needs 2240"),
              std::string::npos)
        << error.message();
  }
}

}  // namespace
}  // namespace tilewright
