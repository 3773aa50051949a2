#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "kernels/attention/attention_plan.h"
#include "simulator/timing.h"
#include "tests/kernels/attention_cases.h"

namespace tilewright {
namespace {

const Machine& machine() {
  return attention_machine();
}

Config with(Config config, const char* name, int64_t value) {
  for (auto& [known, old] : config.values) old = known == name ? value : old;
  return config;
}

int64_t ticks_of(const AttentionShape& shape, const std::vector<AttentionSequence>& sequences,
                 const Config& config) {
  return time_detailed(build_attention_launch(shape, sequences, config, machine()), machine())
      .ticks;
}

TEST(Attention, LosingAnyHandOverOfDataIsAHazard) {
  // The flags that release workspace slots are implied by later hand-overs of data in this program.
  const Kernel& kernel = find_kernel("attention");
  const Problem problem =
      attention_problem({{{"tokens", 2}, {"context", 1000}, {"heads", 32}, {"kv_heads", 1}}});
  const Config config = with(kernel.default_config(problem, machine()), "pipeline", 4);
  const Launch correct = kernel.build(problem, config, machine());
  for (size_t flag = 0; flag < correct.flags.size(); ++flag) {
    const Flag& declared = correct.flags[flag];
    if (declared.scope != FlagScope::kGroup || declared.meaning != FlagMeaning::kData) continue;
    Launch broken = correct;
    bool used = false;
    for (Template& body : broken.templates) {
      for (auto* list : {&body.prologue, &body.body, &body.epilogue}) {
        for (Instruction& instruction : *list) {
          for (FlagUse& use : instruction.waits) {
            if (use.flag != static_cast<int>(flag)) continue;
            use.flag = -1;
            used = true;
          }
        }
      }
    }
    EXPECT_TRUE(used) << declared.name;
    EXPECT_FALSE(find_hazards(broken, machine()).empty()) << declared.name;
  }
}

TEST(Attention, ReadsTheCacheOfADecodeOncePerKvHead) {
  const Problem problem =
      attention_problem({{{"sequences", 8}, {"context", 999}, {"heads", 32}, {"kv_heads", 4}}});
  const Kernel& kernel = find_kernel("attention");
  const TimingResult result = time_detailed(
      kernel.build(problem, kernel.default_config(problem, machine()), machine()), machine());
  const int64_t cache = 8 * 1000 * 4 * 128 * 2 * 2;
  const int64_t queries = 8 * 32 * 128 * 2;
  EXPECT_EQ(result.memory.hbm_read_bytes, cache + queries);
}

TEST(Attention, ReadsLatentKeysOnceForScoresAndValues) {
  const Problem problem = attention_problem({{{"sequences", 4},
                                              {"context", 999},
                                              {"heads", 64},
                                              {"dim", 576},
                                              {"v_dim", 512},
                                              {"block", 64}}});
  const Kernel& kernel = find_kernel("attention");
  const TimingResult result = time_detailed(
      kernel.build(problem, kernel.default_config(problem, machine()), machine()), machine());
  EXPECT_EQ(result.memory.hbm_read_bytes, 4 * 1000 * 576 * 2 + 4 * 64 * 576 * 2);
}

TEST(Attention, MasksByPositionReadNoMask) {
  const Problem causal = attention_problem({{{"tokens", 200}, {"context", 50}}});
  const Kernel& kernel = find_kernel("attention");
  for (const Tensor& tensor :
       kernel.build(causal, kernel.default_config(causal, machine()), machine()).tensors) {
    EXPECT_NE(tensor.name, "mask");
  }
}

TEST(Attention, TreeMasksAreReadForTheirCornerOnly) {
  const std::map<std::string, int64_t> sizes = {
      {"sequences", 0}, {"verifies", 4}, {"drafts", 15}, {"verify_context", 2000}, {"heads", 1}};
  const Kernel& kernel = find_kernel("attention");
  const auto bytes = [&](const char* mask) {
    const Problem problem = attention_problem({sizes, mask});
    return time_detailed(
               kernel.build(problem, kernel.default_config(problem, machine()), machine()),
               machine())
        .memory.l2_read_bytes;
  };
  // A row of 16 columns for each of 64 tokens, and up to a margin of zeros beside them.
  const int64_t more = bytes("tree") - bytes("causal");
  EXPECT_GE(more, 64 * 16 * 4);
  EXPECT_LE(more, 64 * (16 + kMaskMargin) * 4);
}

TEST(Attention, MixedBatchTakesAboutAsLongAsItsParts) {
  const AttentionShape shape{DType::kBF16, 28, 4, 128, 128};
  const std::vector<AttentionSequence> prompt = {{512, 0}};
  const std::vector<AttentionSequence> decodes(24, AttentionSequence{1, 1000});
  std::vector<AttentionSequence> mixed = prompt;
  mixed.insert(mixed.end(), decodes.begin(), decodes.end());
  const Config config = attention_default(shape, false, machine());
  const int64_t together = ticks_of(shape, mixed, config);
  EXPECT_LT(together, ticks_of(shape, prompt, config) + ticks_of(shape, decodes, config));
  EXPECT_GT(together, std::max(ticks_of(shape, prompt, config), ticks_of(shape, decodes, config)));
}

TEST(Attention, PreloadingScoresAndChainingTasksHidesHandOver) {
  const AttentionShape shape{DType::kBF16, 24, 24, 128, 128};
  const std::vector<AttentionSequence> prompt = {{1024, 0, AttentionMask::kNone}};
  Config config = with(attention_default(shape, false, machine()), "pipeline", 4);
  config = with(with(config, "fifo", 8), "preload", 4);
  const int64_t best = ticks_of(shape, prompt, config);
  EXPECT_LT(best, ticks_of(shape, prompt, with(config, "preload", 1)) * 8 / 10);
  EXPECT_LT(best, ticks_of(shape, prompt, with(config, "chain", 0)) * 9 / 10);
}

TEST(Attention, PartsOfALongContextUseAllCores) {
  const AttentionShape shape{DType::kBF16, 28, 4, 128, 128};
  const std::vector<AttentionSequence> one = {{1, 131071}};
  const Config config = attention_default(shape, true, machine());
  const int64_t whole = ticks_of(shape, one, with(config, "split_kv", 1));
  const int64_t parts = ticks_of(shape, one, with(config, "split_kv", 16));
  EXPECT_LT(parts * 3, whole);
  // The bytes of all keys and values at the rate of HBM.
  const double bytes = 131072.0 * 4 * 2 * 128 * 2;
  const double bound_us = bytes / (machine().hbm.gb_per_s * 1e3);
  EXPECT_LT(machine().us_of_ticks(parts), bound_us / 0.85);
}

TEST(Attention, RunsManyShortTasksWithAnyPipeline) {
  // More tasks than fit the workspaces, of one KV tile each.
  const Problem problem = attention_problem({{{"sequences", 300}, {"tokens", 2}, {"heads", 2}}});
  const Kernel& kernel = find_kernel("attention");
  for (const char* text :
       {"pipeline=3,split_kv=1,preload=4,fifo=8", "pipeline=3,split_kv=1,preload=1,fifo=2",
        "pipeline=4,preload=4,fifo=8", "pipeline=4,preload=4,fifo=8,chain=0"}) {
    const Config config = complete_config(kernel, problem, machine(), parse_config(text));
    EXPECT_GT(time_detailed(kernel.build(problem, config, machine()), machine()).ticks, 0);
    expect_no_hazard(problem, config);
  }
}

TEST(Attention, RuleTakesThreeStagesWhileScoresFitL2) {
  Machine nominal = machine();
  nominal.l2.capacity_bytes = 192 << 20;
  const auto stages = [&](int64_t keys, int64_t alpha) {
    const std::vector<AttentionSequence> sequences = {{keys, 0}};
    return pipeline_by_rule(sequences, 128, alpha, nominal);
  };
  // 6 bytes for 128 rows on 24 cores: about 10.9 thousand keys fill 192 MiB.
  EXPECT_EQ(stages(10900, 100), 3);
  EXPECT_EQ(stages(10950, 100), 4);
  EXPECT_EQ(stages(5450, 200), 3);
  EXPECT_EQ(stages(5500, 200), 4);
}

TEST(Attention, AnyPipelineIsChosenByConfigWhereTheBatchHasIt) {
  const Kernel& kernel = find_kernel("attention");
  const Problem decodes = attention_problem(
      {{{"sequences", 0}, {"decodes", 4}, {"decode_context", 300}, {"heads", 2}, {"kv_heads", 2}}});
  const Problem prompt = attention_problem({{{"tokens", 40}, {"heads", 2}}});
  const auto run = [&](const Problem& problem, const char* text) {
    const Config config = complete_config(kernel, problem, machine(), parse_config(text));
    return time_detailed(kernel.build(problem, config, machine()), machine()).ticks;
  };
  const int64_t two = run(decodes, "pipeline=2");
  EXPECT_EQ(run(decodes, "pipeline=0"), two);  // vector cores keep up with one head a KV head
  EXPECT_NE(run(decodes, "pipeline=3,buffers=2"), two);
  EXPECT_THROW(run(decodes, "pipeline=4"), Error);
  EXPECT_THROW(run(prompt, "pipeline=2"), Error);
  EXPECT_GT(run(prompt, "pipeline=3,split_kv=1"), 0);
  EXPECT_GT(run(prompt, "pipeline=4"), 0);
}

TEST(Attention, VerifiesReachFourFifthsOfWhatHbmAllows) {
  const AttentionShape shape{DType::kF16, 32, 32, 128, 128, 0, false, true};
  const std::vector<AttentionSequence> drafts(8, {16, 1024, AttentionMask::kTree});
  const int64_t ticks = ticks_of(shape, drafts, attention_default(shape, false, machine()));
  const double bytes = 8.0 * 1040 * 32 * 2 * 128 * 2;
  const double bound_us = bytes / (machine().hbm.gb_per_s * 1e3);
  EXPECT_LT(machine().us_of_ticks(ticks), bound_us / 0.8);
}

TEST(Attention, TilesOfKeysAreWholeBlocksWhereTheyFit) {
  EXPECT_EQ(kv_tile_tokens(128, 16), 128);
  EXPECT_EQ(kv_tile_tokens(128, 7), 126);
  EXPECT_EQ(kv_tile_tokens(128, 100), 100);
  EXPECT_EQ(kv_tile_tokens(128, 384), 128);
  EXPECT_EQ(kv_tile_tokens(128, 200), 100);
  EXPECT_EQ(kv_tile_tokens(128, 257), 128);
}

TEST(Attention, RefusesWhatItCannotCompute) {
  using Sizes = std::map<std::string, int64_t>;
  for (const Sizes& sizes :
       {Sizes{{"heads", 7}, {"kv_heads", 2}}, Sizes{{"heads", 4}, {"kv_heads", 2}, {"dim", 120}},
        Sizes{{"heads", 4}, {"dim", 272}}, Sizes{{"heads", 4}, {"dim", 64}, {"v_dim", 80}},
        Sizes{{"heads", 4}, {"sequences", 0}}, Sizes{{"heads", 256}}}) {
    EXPECT_THROW(attention_problem({sizes}), Error);
  }
  EXPECT_THROW(attention_problem({{}, "tree"}), Error);
  EXPECT_THROW(attention_problem({{}, "square"}), Error);
}

TEST(Attention, ProblemTextNamesTheMaskLast) {
  const Problem problem = attention_problem({{{"tokens", 3}}, "none"});
  EXPECT_TRUE(problem.text().ends_with(" epilogue=none mask=none"));
  EXPECT_EQ(parse_problem(problem.text()), problem);
  EXPECT_THROW(parse_problem("attention bf16 nd tokens=1 mask=none"), Error);
  EXPECT_THROW(parse_problem("attention bf16 nd mask=none epilogue=none"), Error);
}

}  // namespace
}  // namespace tilewright
