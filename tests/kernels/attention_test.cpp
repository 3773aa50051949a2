#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

struct Case {
  int64_t sequences, tokens, context, heads, kv_heads, dim, block;
};

Problem attention(const Case& c, const char* dtype = "bf16") {
  ProblemRequest request;
  request.sizes = {{"sequences", c.sequences}, {"tokens", c.tokens},     {"context", c.context},
                   {"heads", c.heads},         {"kv_heads", c.kv_heads}, {"dim", c.dim},
                   {"block", c.block}};
  request.dtype = dtype;
  return find_kernel("attention").problem(request);
}

constexpr Case kCases[] = {
    {1, 1, 0, 1, 1, 16, 16},       // a single key
    {2, 1, 127, 4, 4, 128, 128},   // decode, the new token fills a block
    {2, 1, 128, 4, 4, 128, 128},   // decode, the new token opens a block
    {3, 1, 300, 28, 4, 128, 128},  // decode with grouped heads
    {1, 5, 0, 2, 1, 32, 16},       // prompt of one tile
    {2, 40, 0, 14, 2, 128, 128},   // prompts of several query tiles
    {1, 70, 129, 8, 8, 64, 32},    // chunk after a ragged context
    {1, 200, 200, 4, 2, 128, 64},  // masks that cross KV tiles
};

TEST(Attention, IsRightForDecodePromptAndChunk) {
  const Kernel& kernel = find_kernel("attention");
  // Every config of each case, in the one type or the other.
  size_t number = 0;
  for (const Case& c : kCases) {
    for (const Config& config : kernel.space(attention(c), machine()).enumerate()) {
      const Problem problem = attention(c, number++ % 2 == 0 ? "f16" : "bf16");
      const CheckResult result = check_kernel(kernel, problem, config, machine(), {42});
      EXPECT_TRUE(result.ok) << problem.text() << " " << config.text() << ": "
                             << result.first_failure;
    }
  }
}

TEST(Attention, HasNoHazardInItsSpace) {
  const Kernel& kernel = find_kernel("attention");
  for (const Case& c : kCases) {
    const Problem problem = attention(c);
    for (const Config& config : kernel.space(problem, machine()).enumerate()) {
      const auto hazards = find_hazards(kernel.build(problem, config, machine()), machine());
      EXPECT_TRUE(hazards.empty())
          << problem.text() << " " << config.text() << ": " << hazards.front().message;
    }
  }
}

TEST(Attention, LosingAnyHandOverOfDataIsAHazard) {
  // The flags that release workspace slots are implied by later hand-overs of data in this program.
  const Kernel& kernel = find_kernel("attention");
  const Problem problem = attention({1, 1, 1000, 32, 1, 128, 128});
  const Launch correct =
      kernel.build(problem, kernel.default_config(problem, machine()), machine());
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
  const Problem problem = attention({8, 1, 999, 32, 4, 128, 128});
  const Kernel& kernel = find_kernel("attention");
  const TimingResult result = time_detailed(
      kernel.build(problem, kernel.default_config(problem, machine()), machine()), machine());
  const int64_t cache = 8 * 1000 * 4 * 128 * 2 * 2;
  const int64_t queries = 8 * 32 * 128 * 2;
  EXPECT_EQ(result.memory.hbm_read_bytes, cache + queries);
}

TEST(Attention, MixedBatchTakesAboutAsLongAsItsParts) {
  const AttentionShape shape{DType::kBF16, 28, 4, 128, 128};
  const std::vector<AttentionSequence> prompt = {{512, 0}};
  const std::vector<AttentionSequence> decodes(24, AttentionSequence{1, 1000});
  std::vector<AttentionSequence> mixed = prompt;
  mixed.insert(mixed.end(), decodes.begin(), decodes.end());
  const Config config = attention_default(shape, false, machine());
  const auto ticks = [&](const std::vector<AttentionSequence>& sequences) {
    return time_detailed(build_attention_launch(shape, sequences, config, machine()), machine())
        .ticks;
  };
  const int64_t together = ticks(mixed);
  EXPECT_LT(together, ticks(prompt) + ticks(decodes));
  EXPECT_GT(together, std::max(ticks(prompt), ticks(decodes)));
}

TEST(Attention, RefusesHeadsThatDoNotDivide) {
  EXPECT_THROW(attention({1, 1, 1, 7, 2, 128, 128}), Error);
  EXPECT_THROW(attention({1, 1, 1, 4, 2, 120, 128}), Error);
  EXPECT_THROW(attention({1, 1, 1, 4, 2, 128, 100}), Error);
}

}  // namespace
}  // namespace tilewright
