#include "core/serving/scheduler.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {
namespace {

constexpr Capacity kRoomy = {.kv_blocks = 1000, .block_size = 4, .max_model_len = 4096};

Scheduler scheduler_with(const Capacity& capacity, const ServingOptions& options,
                         const Workload& workload) {
  Scheduler scheduler(capacity, options, workload);
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    scheduler.enqueue(static_cast<int64_t>(i));
  }
  return scheduler;
}

std::vector<int64_t> tokens_of(const StepPlan& plan) {
  std::vector<int64_t> tokens;
  for (const SequenceSlice& slice : plan.batch.slices) tokens.push_back(slice.tokens);
  return tokens;
}

using Tokens = std::vector<int64_t>;

TEST(Scheduler, FillsTheBudgetWithChunksBehindDecodes) {
  Scheduler scheduler = scheduler_with(kRoomy, {.max_num_batched_tokens = 8},
                                       workload_of({{0, 5, 3, {}}, {0, 12, 2, {}}}));
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{5, 3}));
  scheduler.complete(1);
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{1, 7}));
  scheduler.complete(1);
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{1, 2}));
  EXPECT_EQ(scheduler.complete(1).finished, (Tokens{0}));
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{1}));
  EXPECT_EQ(scheduler.complete(1).finished, (Tokens{1}));
  EXPECT_TRUE(scheduler.schedule().batch.slices.empty());
}

TEST(Scheduler, CutsLongPrefillsAtTheThreshold) {
  Scheduler scheduler =
      scheduler_with(kRoomy, {.max_num_batched_tokens = 100, .long_prefill_token_threshold = 6},
                     workload_of({{0, 20, 1, {}}, {0, 3, 1, {}}}));
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{6, 3}));
}

TEST(Scheduler, AdmitsNoMoreThanMaxNumSeqs) {
  Scheduler scheduler = scheduler_with(kRoomy, {.max_num_seqs = 2},
                                       workload_of({{0, 4, 1, {}}, {0, 4, 2, {}}, {0, 4, 1, {}}}));
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{4, 4}));
  EXPECT_EQ(scheduler.waiting(), 1);
  scheduler.complete(1);
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{1, 4}));
}

TEST(Scheduler, GateWantsBlocksForTheWholePromptNotItsFirstChunk) {
  const Capacity capacity = {.kv_blocks = 5, .block_size = 4, .max_model_len = 100};
  Scheduler scheduler = scheduler_with(capacity, {.max_num_batched_tokens = 16},
                                       workload_of({{0, 8, 8, {}}, {0, 16, 1, {}}}));
  EXPECT_EQ(tokens_of(scheduler.schedule()),
            (Tokens{8}));  // 8 tokens of budget, 3 of 4 blocks left
  EXPECT_EQ(scheduler.waiting(), 1);
}

TEST(Scheduler, AdmissionIsStrictlyFirstComeFirstServed) {
  const Capacity capacity = {.kv_blocks = 5, .block_size = 4, .max_model_len = 100};
  Scheduler scheduler =
      scheduler_with(capacity, {}, workload_of({{0, 8, 8, {}}, {0, 16, 1, {}}, {0, 1, 1, {}}}));
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{8}));
  EXPECT_EQ(scheduler.waiting(), 2);
}

TEST(Scheduler, PreemptsTheLastRunningRequestToTheFrontOfTheQueue) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 100};
  Scheduler scheduler = scheduler_with(capacity, {.max_num_seqs = 2},
                                       workload_of({{0, 8, 4, {}}, {0, 7, 4, {}}, {0, 1, 1, {}}}));
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{8, 7}));
  scheduler.complete(1);
  // Request 0 needs a third block; request 1 gives its two back and keeps its one output token.
  const StepPlan& plan = scheduler.schedule();
  EXPECT_EQ(plan.preempted, (Tokens{1}));
  EXPECT_EQ(tokens_of(plan), (Tokens{1}));
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_EQ(scheduler.requests()[1].computed, 0);
  EXPECT_EQ(scheduler.requests()[1].recomputed, 7);
  EXPECT_EQ(scheduler.requests()[1].generated, 1);
  scheduler.complete(1);
  // It stands before request 2 although only that one would fit.
  EXPECT_EQ(tokens_of(scheduler.schedule()), (Tokens{1}));
}

TEST(Scheduler, RejectsPromptsThatLeaveNoRoomForAToken) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 12};
  const Workload workload = workload_of({{0, 12, 1, {}}, {0, 11, 9, {}}, {0, 1 << 30, 1, {}}});
  Scheduler scheduler(capacity, {}, workload);
  EXPECT_FALSE(scheduler.enqueue(0));
  EXPECT_TRUE(scheduler.enqueue(1));
  EXPECT_FALSE(scheduler.enqueue(2));
  EXPECT_EQ(scheduler.requests()[0].finish, FinishReason::kRejected);
  EXPECT_EQ(scheduler.requests()[1].output_limit, 1);  // cut at max_model_len
}

TEST(Scheduler, LimitsTheModelLengthToThePool) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 4096};
  EXPECT_EQ(Scheduler(capacity, {}, workload_of({})).max_model_len(), 16);
}

TEST(Scheduler, ReservesARunAsFarAsBlocksAndOutputsGo) {
  const Capacity capacity = {.kv_blocks = 6, .block_size = 4, .max_model_len = 100};
  Scheduler scheduler = scheduler_with(capacity, {}, workload_of({{0, 4, 20, {}}, {0, 4, 20, {}}}));
  scheduler.schedule();
  scheduler.complete(1);
  EXPECT_TRUE(scheduler.schedule().steady);
  EXPECT_EQ(scheduler.pool().used(), 4);
  // Both may grow to 12 tokens; they have computed 5 with this step.
  EXPECT_EQ(scheduler.reserve_run(100), 8);
  EXPECT_EQ(scheduler.pool().used(), 6);
  // Only 4 of the 8 steps were made: the blocks of the others go back.
  EXPECT_EQ(scheduler.complete(4).kv_blocks, 4);
  EXPECT_EQ(scheduler.requests()[0].generated, 5);
  EXPECT_TRUE(scheduler.schedule().steady);
  EXPECT_EQ(scheduler.reserve_run(3), 3);
  scheduler.complete(3);
  EXPECT_EQ(scheduler.requests()[1].computed, 11);
}

TEST(Scheduler, RefusesKnobsThatMakeNoSense) {
  const Workload workload = workload_of({});
  EXPECT_THROW(Scheduler(kRoomy, {.max_num_batched_tokens = 0}, workload), Error);
  EXPECT_THROW(Scheduler(kRoomy, {.max_num_seqs = -1}, workload), Error);
  EXPECT_THROW(Scheduler(kRoomy, {.long_prefill_token_threshold = -1}, workload), Error);
  try {
    Scheduler({.kv_blocks = 0, .block_size = 16, .max_model_len = 10}, {}, workload);
    FAIL() << "accepted a device without KV blocks";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
  }
}

}  // namespace
}  // namespace tilewright
