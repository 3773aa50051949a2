#include "core/serving/scheduler.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {
namespace {

constexpr Capacity kRoomy = {.kv_blocks = 1000, .block_size = 4, .max_model_len = 4096};

using Tokens = std::vector<int64_t>;
using Who = std::vector<std::pair<int64_t, int64_t>>;  // request, tokens

Tokens tokens_of(const StepPlan& plan) {
  Tokens tokens;
  for (const SequenceSlice& slice : plan.batch.slices) tokens.push_back(slice.tokens);
  return tokens;
}

Who who(const StepPlan& plan) {
  Who list;
  for (const SequenceSlice& slice : plan.batch.slices) {
    list.emplace_back(slice.request, slice.tokens);
  }
  return list;
}

/// One step, planned and done.
Who step(Scheduler& scheduler) {
  const StepPlan plan = scheduler.schedule();
  Who list = who(plan);
  scheduler.complete(plan, {});
  return list;
}

Request request(int64_t prompt, int64_t output) {
  Request made;
  made.prompt_tokens = prompt;
  made.output_tokens = output;
  return made;
}

/// A request with these prompt ids.
Request with_ids(std::vector<int32_t> ids, int64_t output) {
  Request made = request(std::ssize(ids), output);
  made.prompt_ids = std::move(ids);
  return made;
}

std::vector<int32_t> count_up(int32_t from, int32_t count) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < count; ++i) ids.push_back(from + i);
  return ids;
}

TEST(Scheduler, FillsTheBudgetWithChunksBehindDecodes) {
  TestScheduler test(kRoomy, {.max_num_batched_tokens = 8},
                     workload_of({request(5, 3), request(12, 2)}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 5}, {1, 3}}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 1}, {1, 7}}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 1}, {1, 2}}));
  EXPECT_EQ(step(test.scheduler), (Who{{1, 1}}));
  EXPECT_TRUE(test.scheduler.schedule().batch.slices.empty());
}

TEST(Scheduler, CutsLongPrefillsAtTheThreshold) {
  TestScheduler test(kRoomy, {.max_num_batched_tokens = 100, .long_prefill_token_threshold = 6},
                     workload_of({request(20, 1), request(3, 1)}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 6}, {1, 3}}));
}

TEST(Scheduler, AdmitsNoMoreThanMaxNumSeqs) {
  TestScheduler test(kRoomy, {.max_num_seqs = 2},
                     workload_of({request(4, 1), request(4, 2), request(4, 1)}));
  const StepPlan plan = test.scheduler.schedule();
  EXPECT_EQ(tokens_of(plan), (Tokens{4, 4}));
  EXPECT_EQ(plan.refusal, Refusal::kMaxNumSeqs);
  EXPECT_EQ(plan.refused, 2);
  test.scheduler.complete(plan, {});
  EXPECT_EQ(step(test.scheduler), (Who{{1, 1}, {2, 4}}));
}

TEST(Scheduler, GateWantsBlocksForTheWholePromptNotItsFirstChunk) {
  const Capacity capacity = {.kv_blocks = 5, .block_size = 4, .max_model_len = 100};
  const Workload workload = workload_of({request(8, 8), request(16, 1)});
  TestScheduler test(capacity, {.max_num_batched_tokens = 16}, workload);
  const StepPlan plan = test.scheduler.schedule();
  EXPECT_EQ(tokens_of(plan), (Tokens{8}));  // 8 tokens of budget, 3 of 4 blocks left
  EXPECT_EQ(plan.refusal, Refusal::kKvBlocks);
  TestScheduler open(capacity, {.max_num_batched_tokens = 16, .scheduler_reserve_full_isl = false},
                     workload);
  EXPECT_EQ(step(open.scheduler), (Who{{0, 8}, {1, 8}}));
}

TEST(Scheduler, WatermarkHoldsBackNewcomersOnlyBesideOthers) {
  const Capacity capacity = {.kv_blocks = 10, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {.watermark = 0.35}, workload_of({request(36, 1), request(4, 1)}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 36}}));
  EXPECT_EQ(step(test.scheduler), (Who{{1, 4}}));
}

TEST(Scheduler, AdmissionIsStrictlyFirstComeFirstServed) {
  const Capacity capacity = {.kv_blocks = 5, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {}, workload_of({request(8, 8), request(16, 1), request(1, 1)}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 8}}));
  EXPECT_EQ(test.scheduler.waiting(), 2);
}

TEST(Scheduler, WithoutChunkedPrefillAPromptWaitsForAWholeStep) {
  ServingOptions options = {.max_num_batched_tokens = 20, .enable_chunked_prefill = false};
  const Capacity capacity = {.kv_blocks = 50, .block_size = 4, .max_model_len = 20};
  TestScheduler test(capacity, options,
                     workload_of({request(12, 2), request(10, 1), request(1, 1)}));
  const StepPlan plan = test.scheduler.schedule();
  EXPECT_EQ(who(plan), (Who{{0, 12}}));
  EXPECT_EQ(plan.refusal, Refusal::kTokenBudget);
  test.scheduler.complete(plan, {});
  EXPECT_EQ(step(test.scheduler), (Who{{0, 1}, {1, 10}, {2, 1}}));
  options.max_num_batched_tokens = 19;
  EXPECT_THROW(TestScheduler(capacity, options, workload_of({})), Error);
}

TEST(Scheduler, PreemptsTheLastRunningRequestToTheFrontOfTheQueue) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {.max_num_seqs = 2, .enable_prefix_caching = false},
                     workload_of({request(8, 4), request(7, 4), request(1, 1)}));
  Scheduler& scheduler = test.scheduler;
  EXPECT_EQ(step(scheduler), (Who{{0, 8}, {1, 7}}));
  // Request 0 needs a third block; request 1 gives its two back and keeps its one output token.
  const StepPlan plan = scheduler.schedule();
  EXPECT_EQ(plan.preempted, (std::vector<Preemption>{{1, 0}}));
  EXPECT_EQ(who(plan), (Who{{0, 1}}));
  EXPECT_EQ(plan.refusal, Refusal::kPreemption);
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_EQ(scheduler.requests()[1].computed, 0);
  EXPECT_EQ(scheduler.requests()[1].recomputed, 7);
  EXPECT_EQ(scheduler.requests()[1].generated, 1);
  scheduler.complete(plan, {});
  // It stands before request 2 although only that one would fit.
  EXPECT_EQ(step(scheduler), (Who{{0, 1}}));
}

TEST(Scheduler, PriorityOrdersAdmissionAndVictimsOfWhichSomeWereScheduledAlready) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 100};
  Workload workload = workload_of({request(7, 5), request(8, 5)});
  workload.requests[0].priority = 5;
  workload.requests[1].priority = 1;
  TestScheduler test(capacity, {.scheduling_policy = "priority", .enable_prefix_caching = false},
                     workload);
  Scheduler& scheduler = test.scheduler;
  EXPECT_EQ(step(scheduler), (Who{{1, 8}, {0, 7}}));
  const StepPlan plan = scheduler.schedule();
  EXPECT_EQ(who(plan), (Who{{1, 1}}));
  EXPECT_EQ(plan.preempted, (std::vector<Preemption>{{0, 1}}));

  // Here the less important one runs first in the list, and has been given its token.
  workload = workload_of({request(5, 9), request(8, 5)});
  workload.requests[0].priority = 5;
  workload.requests[1].arrival_ns = 1;
  const TokenIdentity tokens(workload);
  Scheduler late(capacity,
                 {.max_num_batched_tokens = 8,
                  .scheduling_policy = "priority",
                  .enable_prefix_caching = false},
                 workload, tokens);
  late.enqueue(0);
  EXPECT_EQ(step(late), (Who{{0, 5}}));
  late.enqueue(1);
  EXPECT_EQ(step(late), (Who{{0, 1}, {1, 7}}));
  EXPECT_EQ(step(late), (Who{{0, 1}, {1, 1}}));
  const StepPlan taken_back = late.schedule();
  EXPECT_EQ(who(taken_back), (Who{{1, 1}}));
  EXPECT_EQ(taken_back.tokens, 1);
  EXPECT_EQ(taken_back.preempted, (std::vector<Preemption>{{0, 1}}));
  EXPECT_EQ(late.requests()[0].scheduled, 7);
  EXPECT_EQ(late.requests()[0].preemptions, 1);
}

TEST(Scheduler, RejectsPromptsThatLeaveNoRoomForAToken) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 12};
  TestScheduler test(capacity, {},
                     workload_of({request(12, 1), request(11, 9), request(1 << 30, 1)}));
  EXPECT_EQ(test.scheduler.waiting(), 1);
  EXPECT_EQ(test.scheduler.requests()[0].finish, FinishReason::kRejected);
  EXPECT_EQ(test.scheduler.requests()[1].output_limit, 1);  // cut at max_model_len
  EXPECT_EQ(test.scheduler.requests()[2].finish, FinishReason::kRejected);
}

TEST(Scheduler, LimitsTheModelLengthToThePool) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 4096};
  EXPECT_EQ(TestScheduler(capacity, {}, workload_of({})).scheduler.max_model_len(), 16);
}

TEST(Scheduler, ReservesARunAsFarAsBlocksAndOutputsGo) {
  const Capacity capacity = {.kv_blocks = 6, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {}, workload_of({request(4, 20), request(4, 20)}));
  Scheduler& scheduler = test.scheduler;
  step(scheduler);
  StepPlan plan = scheduler.schedule();
  EXPECT_TRUE(plan.steady);
  EXPECT_EQ(scheduler.pool().used(), 4);
  // Both may grow to 12 tokens; they have computed 5 with this step.
  EXPECT_EQ(scheduler.reserve_run(plan, 100), 8);
  EXPECT_EQ(plan.batch.slices[0].blocks.size(), 3U);
  EXPECT_EQ(scheduler.pool().used(), 4);  // they are only lent
  // Only 4 of the 8 steps were made: the blocks of the others are not taken.
  scheduler.commit_run(plan, 4);
  scheduler.complete(plan, {}, 4);
  EXPECT_EQ(scheduler.pool().used(), 4);
  EXPECT_EQ(scheduler.requests()[0].generated, 5);
  plan = scheduler.schedule();
  EXPECT_TRUE(plan.steady);
  EXPECT_EQ(scheduler.reserve_run(plan, 3), 3);
  scheduler.commit_run(plan, 3);
  scheduler.complete(plan, {}, 3);
  EXPECT_EQ(scheduler.requests()[1].computed, 11);
  EXPECT_EQ(scheduler.pool().used(), 6);
}

TEST(Scheduler, CountsAtOnceWhatIsUnderWayAndTakesRejectedDraftsBack) {
  TestScheduler test(
      kRoomy, {.speculative = {.method = DraftMethod::kSynthetic, .num_speculative_tokens = 3}},
      workload_of({request(6, 10)}));
  Scheduler& scheduler = test.scheduler;
  EXPECT_EQ(step(scheduler), (Who{{0, 6}}));
  scheduler.set_drafts(0, 3);
  const StepPlan plan = scheduler.schedule();
  EXPECT_EQ(who(plan), (Who{{0, 4}}));
  EXPECT_EQ(plan.batch.slices[0].drafts, 3);
  EXPECT_EQ(plan.samples, 4);
  EXPECT_EQ(plan.verifies, 1);
  EXPECT_EQ(scheduler.requests()[0].computed, 10);
  scheduler.complete(plan, Tokens{2});  // one draft accepted
  EXPECT_EQ(scheduler.requests()[0].computed, 8);
  EXPECT_EQ(scheduler.requests()[0].generated, 3);
  EXPECT_EQ(scheduler.requests()[0].rejected, 2);
}

TEST(Scheduler, CutsDraftsAtTheBudgetAndTheOutput) {
  TestScheduler test(
      kRoomy,
      {.max_num_batched_tokens = 3,
       .speculative = {.method = DraftMethod::kSynthetic, .num_speculative_tokens = 4}},
      workload_of({request(3, 7)}));
  Scheduler& scheduler = test.scheduler;
  step(scheduler);
  EXPECT_EQ(scheduler.most_drafts(0), 5);
  scheduler.set_drafts(0, 4);
  const StepPlan plan = scheduler.schedule();
  EXPECT_EQ(plan.batch.slices[0].drafts, 2);
  scheduler.complete(plan, Tokens{3});
  EXPECT_EQ(scheduler.requests()[0].generated, 4);
  EXPECT_EQ(scheduler.most_drafts(0), 2);
}

TEST(Scheduler, PlansAheadWithPlaceholdersButNotBehindTheLastToken) {
  TestScheduler test(kRoomy, {.async_scheduling = true}, workload_of({request(5, 2)}));
  Scheduler& scheduler = test.scheduler;
  const StepPlan first = scheduler.schedule();
  const StepPlan second = scheduler.schedule();
  EXPECT_EQ(who(second), (Who{{0, 1}}));
  EXPECT_EQ(second.batch.slices[0].context, 5);
  EXPECT_TRUE(second.steady);
  EXPECT_TRUE(scheduler.schedule().batch.slices.empty());
  scheduler.complete(first, {});
  EXPECT_TRUE(scheduler.schedule().batch.slices.empty());
  EXPECT_EQ(scheduler.complete(second, {}).finished, (Tokens{0}));
}

TEST(Scheduler, WithBatchesInFlightATokenIsAwaited) {
  Capacity capacity = kRoomy;
  capacity.max_in_flight = 3;
  TestScheduler test(capacity, {.max_num_batched_tokens = 6}, workload_of({request(9, 2)}));
  Scheduler& scheduler = test.scheduler;
  const StepPlan first = scheduler.schedule();
  const StepPlan second = scheduler.schedule();  // the rest of the prompt follows at once
  EXPECT_EQ(who(second), (Who{{0, 3}}));
  EXPECT_TRUE(scheduler.schedule().batch.slices.empty());
  scheduler.complete(first, {});
  scheduler.complete(second, {});
  EXPECT_EQ(step(scheduler), (Who{{0, 1}}));
}

TEST(Scheduler, TokensOfAPreemptedRequestThatAreUnderWayAreOutOfDate) {
  const Capacity capacity = {.kv_blocks = 4, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {.enable_prefix_caching = false, .async_scheduling = true},
                     workload_of({request(8, 4), request(8, 4)}));
  Scheduler& scheduler = test.scheduler;
  const StepPlan first = scheduler.schedule();
  const StepPlan second = scheduler.schedule();
  EXPECT_EQ(second.preempted, (std::vector<Preemption>{{1, 0}}));
  EXPECT_EQ(scheduler.complete(first, {}).appended, (Tokens{1, -1}));
  EXPECT_EQ(scheduler.requests()[1].generated, 0);
}

TEST(Scheduler, SharesFullBlocksAndCopiesTheBeginningOfOthers) {
  // 10 common tokens: two blocks of 4, and 2 tokens of a third.
  std::vector<int32_t> other = count_up(0, 10);
  other.insert(other.end(), {99, 98, 97});
  const Workload workload = workload_of({with_ids(count_up(0, 13), 1), with_ids(other, 1)});
  {
    TestScheduler test(kRoomy, {.max_num_seqs = 1}, workload);
    EXPECT_EQ(step(test.scheduler), (Who{{0, 13}}));
    const StepPlan plan = test.scheduler.schedule();
    EXPECT_EQ(who(plan), (Who{{1, 3}}));
    ASSERT_EQ(plan.batch.copies.size(), 1U);
    EXPECT_EQ(plan.batch.copies[0].tokens, 2);
    EXPECT_EQ(plan.batch.copies[0].from, 2);
    EXPECT_EQ(plan.batch.copies[0].to, plan.batch.slices[0].blocks[2]);
    EXPECT_EQ(plan.batch.slices[0].blocks[1], 1);
    EXPECT_EQ(test.scheduler.kv().stats().hits, 10);
    EXPECT_EQ(test.scheduler.kv().stats().copied, 2);
    EXPECT_EQ(test.scheduler.kv().stats().queries, 26);
  }
  TestScheduler exact(kRoomy, {.max_num_seqs = 1, .prefix_cache_tokens = false}, workload);
  step(exact.scheduler);
  EXPECT_EQ(step(exact.scheduler), (Who{{1, 5}}));
}

TEST(Scheduler, BlocksAreSharedWithinAStepButNotCopied) {
  TestScheduler test(kRoomy, {},
                     workload_of({with_ids(count_up(0, 10), 1), with_ids(count_up(0, 10), 1)}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 10}, {1, 2}}));
}

TEST(Scheduler, TheLastTokenIsAlwaysComputed) {
  const Workload workload = workload_of({with_ids(count_up(0, 8), 1), with_ids(count_up(0, 8), 1)});
  TestScheduler exact(kRoomy, {.max_num_seqs = 1, .prefix_cache_tokens = false}, workload);
  step(exact.scheduler);
  EXPECT_EQ(step(exact.scheduler), (Who{{1, 4}}));  // a whole block again
  TestScheduler test(kRoomy, {.max_num_seqs = 1}, workload);
  step(test.scheduler);
  EXPECT_EQ(step(test.scheduler), (Who{{1, 1}}));
}

TEST(Scheduler, APreemptedRequestFindsItsOwnTokens) {
  const Capacity capacity = {.kv_blocks = 5, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {}, workload_of({request(8, 2), request(10, 4)}));
  Scheduler& scheduler = test.scheduler;
  EXPECT_EQ(step(scheduler), (Who{{0, 8}, {1, 10}}));
  EXPECT_EQ(step(scheduler), (Who{{0, 1}}));  // it took the last block of the other, and ended
  // That was the youngest: the two full blocks are still there.
  EXPECT_EQ(step(scheduler), (Who{{1, 3}}));
  EXPECT_EQ(scheduler.kv().stats().preempted_hits, 8);
  EXPECT_EQ(scheduler.kv().stats().hits, 0);
  EXPECT_EQ(scheduler.requests()[1].recomputed, 10);
}

TEST(Policies, SarathiGivesDecodesTokensBeforeRunningPrompts) {
  const Workload workload = workload_of({request(30, 3), request(3, 4)});
  const auto third_step = [&](const std::string& policy) {
    TestScheduler test(
        kRoomy, {.max_num_batched_tokens = 10, .long_prefill_token_threshold = 7, .policy = policy},
        workload);
    EXPECT_EQ(step(test.scheduler), (Who{{0, 7}, {1, 3}})) << policy;
    return step(test.scheduler);
  };
  EXPECT_EQ(third_step("vllm"), (Who{{0, 7}, {1, 1}}));
  EXPECT_EQ(third_step("sarathi"), (Who{{1, 1}, {0, 7}}));
}

TEST(Policies, XyserveReservesSlotsThatVllmGivesToPrompts) {
  const auto second_step = [](const std::string& policy) {
    TestScheduler test(
        kRoomy,
        {.max_num_batched_tokens = 9,
         .long_prefill_token_threshold = 4,
         .policy = policy,
         .speculative = {.method = DraftMethod::kSynthetic, .num_speculative_tokens = 3}},
        workload_of({request(30, 3), request(30, 3), request(1, 9)}));
    EXPECT_EQ(step(test.scheduler), (Who{{0, 4}, {1, 4}, {2, 1}})) << policy;
    test.scheduler.set_drafts(2, 3);
    return who(test.scheduler.schedule());
  };
  EXPECT_EQ(second_step("vllm"), (Who{{0, 4}, {1, 4}, {2, 1}}));
  EXPECT_EQ(second_step("xyserve"), (Who{{0, 4}, {1, 1}, {2, 4}}));
  EXPECT_EQ(second_step("sarathi"), (Who{{2, 4}, {0, 4}, {1, 1}}));
}

TEST(Policies, PhasesAreNotMixedByPrefillFirstAndSplit) {
  const Workload workload = workload_of({request(6, 3), request(8, 2), request(14, 1)});
  {
    TestScheduler test(kRoomy, {.max_num_batched_tokens = 10, .policy = "split"}, workload);
    EXPECT_EQ(step(test.scheduler), (Who{{0, 6}, {1, 4}}));
    EXPECT_EQ(step(test.scheduler), (Who{{1, 4}, {2, 6}}));
    EXPECT_EQ(step(test.scheduler), (Who{{2, 8}}));
    EXPECT_EQ(step(test.scheduler), (Who{{0, 1}, {1, 1}}));
    EXPECT_EQ(step(test.scheduler), (Who{{0, 1}}));
  }
  TestScheduler test(kRoomy, {.max_num_batched_tokens = 10, .policy = "prefill-first"}, workload);
  EXPECT_EQ(step(test.scheduler), (Who{{0, 6}}));
  EXPECT_EQ(step(test.scheduler), (Who{{1, 8}}));   // whole
  EXPECT_EQ(step(test.scheduler), (Who{{2, 10}}));  // longer than any step
  EXPECT_EQ(step(test.scheduler), (Who{{2, 4}}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 1}, {1, 1}}));
}

TEST(Policies, NoEvictAdmitsWhatCanRunToItsEnd) {
  const Capacity capacity = {.kv_blocks = 6, .block_size = 4, .max_model_len = 100};
  TestScheduler test(capacity, {.policy = "no-evict"},
                     workload_of({request(4, 9), request(4, 12), request(4, 2)}));
  const StepPlan plan = test.scheduler.schedule();
  EXPECT_EQ(who(plan), (Who{{0, 4}}));
  EXPECT_EQ(plan.refusal, Refusal::kMaxLength);
}

TEST(Policies, LongestPrefixGoesFirst) {
  TestScheduler test(kRoomy, {.max_num_seqs = 1, .policy = "longest-prefix-first"},
                     workload_of({with_ids(count_up(0, 12), 1), with_ids(count_up(500, 12), 1),
                                  with_ids(count_up(0, 9), 1)}));
  EXPECT_EQ(step(test.scheduler), (Who{{0, 12}}));
  EXPECT_EQ(step(test.scheduler), (Who{{2, 1}}));
  EXPECT_EQ(step(test.scheduler), (Who{{1, 12}}));
}

TEST(Policies, UnknownNamesAreAnsweredWithTheNearest) {
  try {
    find_policy("saratih");
    FAIL() << "found a policy that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("did you mean 'sarathi'?"), std::string::npos);
  }
  for (const std::string& name : policy_names()) EXPECT_EQ(find_policy(name).name, name);
}

TEST(Scheduler, RefusesKnobsThatMakeNoSense) {
  const auto refuses = [](const ServingOptions& options) {
    EXPECT_THROW(TestScheduler(kRoomy, options, workload_of({})), Error);
  };
  refuses({.max_num_batched_tokens = 0});
  refuses({.max_num_seqs = -1});
  refuses({.long_prefill_token_threshold = -1});
  refuses({.policy = "none"});
  refuses({.scheduling_policy = "lifo"});
  refuses({.watermark = 1});
  try {
    TestScheduler({.kv_blocks = 0, .block_size = 16, .max_model_len = 10}, {}, workload_of({}));
    FAIL() << "accepted a device without KV blocks";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
  }
}

}  // namespace
}  // namespace tilewright
