#include "core/serving/engine.h"

#include <gtest/gtest.h>

#include "core/base/random.h"
#include "core/serving/metrics.h"
#include "core/workload/generator.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {
namespace {

using Runs = std::vector<TokenRun>;

TEST(Engine, FollowsAScheduleWorkedOutByHand) {
  FakeExecutor executor;
  const ServingOptions options = {.max_num_batched_tokens = 8, .host_overhead_ns = 2};
  const ServingResult result =
      serve(workload_of({{0, 5, 3, {}}, {0, 6, 2, {}}}), executor, options);
  using Seen = FakeExecutor::Seen;
  const std::vector<std::vector<Seen>> kWant = {
      {{0, 0, 5, true}, {1, 0, 3, false}},
      {{0, 5, 1, true}, {1, 3, 3, true}},
      {{0, 6, 1, true}, {1, 6, 1, true}},
  };
  EXPECT_EQ(executor.steps, kWant);
  EXPECT_EQ(result.step_end_ns, (std::vector<int64_t>{12, 24, 36}));
  EXPECT_EQ(result.requests[0].token_runs, (Runs{{0, 3}}));
  EXPECT_EQ(result.requests[1].token_runs, (Runs{{1, 2}}));
  EXPECT_EQ(result.step_tokens, (std::map<int64_t, int64_t>{{2, 1}, {4, 1}, {8, 1}}));
  EXPECT_EQ(result.step_samples, (std::map<int64_t, int64_t>{{1, 1}, {2, 2}}));
  EXPECT_EQ(result.host_ns, 6);
  EXPECT_EQ(result.device_ns, 30);
  EXPECT_EQ(result.peak_kv_blocks, 4);
}

TEST(Engine, RecomputesAPreemptedRequestWithItsOutput) {
  FakeExecutor executor;
  executor.device.kv_blocks = 5;
  const ServingResult result = serve(workload_of({{0, 7, 6, {}}, {0, 7, 6, {}}}), executor,
                                     {.enable_prefix_caching = false});
  // Step 2: request 0 takes the last free block, request 1 finds none and is its own victim. It
  // comes back in step 6, when request 0 has ended, and computes 7 prompt and 2 output tokens at
  // once.
  EXPECT_EQ(result.requests[0].token_runs, (Runs{{0, 6}}));
  EXPECT_EQ(result.requests[1].token_runs, (Runs{{0, 2}, {6, 4}}));
  EXPECT_EQ(result.requests[1].preemptions, 1);
  EXPECT_EQ(result.requests[1].recomputed_tokens, 8);
  EXPECT_EQ(result.requests[1].scheduled_tokens, 7 + 6 - 1 + 8);
  EXPECT_EQ(result.preemptions, 1);
  EXPECT_EQ(result.step_end_ns.back(), 100);
  EXPECT_EQ(result.step_tokens, (std::map<int64_t, int64_t>{{1, 7}, {2, 1}, {9, 1}, {14, 1}}));
}

TEST(Engine, WaitsForArrivalsAndTakesThemAtStepEnds) {
  FakeExecutor executor;
  const ServingResult result =
      serve(workload_of({{5, 4, 4, {}}, {16, 4, 1, {}}, {500, 4, 1, {}}}), executor, {});
  EXPECT_EQ(result.requests[0].first_scheduled_ns, 5);
  EXPECT_EQ(result.requests[1].first_scheduled_ns, 25);  // it came during the second step
  EXPECT_EQ(result.requests[2].first_scheduled_ns, 500);
  EXPECT_EQ(result.end_ns, 510);
}

TEST(Engine, EndsRequestsThatCanNeverRunAndServesTheOthers) {
  FakeExecutor executor;
  executor.device = {.kv_blocks = 8, .block_size = 4, .max_model_len = 4096};
  const ServingResult result =
      serve(workload_of({{0, 1000, 5, {}}, {0, 32, 5, {}}, {0, 30, 5, {}}}), executor, {});
  EXPECT_EQ(result.requests[0].finish, FinishReason::kRejected);
  EXPECT_EQ(result.requests[1].finish, FinishReason::kRejected);
  EXPECT_EQ(result.requests[2].finish, FinishReason::kLength);
  EXPECT_EQ(result.requests[2].output_tokens, 2);  // the pool ends there
  EXPECT_EQ(result.max_model_len, 32);
}

TEST(Engine, ServesAnEmptyWorkload) {
  FakeExecutor executor;
  EXPECT_TRUE(serve(workload_of({}), executor, {}).step_end_ns.empty());
}

/// Bursts of requests of very different lengths.
Workload random_workload(uint64_t seed) {
  Random random(seed);
  std::vector<Request> requests;
  int64_t now = 0;
  for (int i = 0; i < 120; ++i) {
    if (random.below(3) == 0) now += static_cast<int64_t>(random.below(4000));
    requests.push_back({now,
                        static_cast<int64_t>(1 + random.below(90)),
                        static_cast<int64_t>(1 + random.below(60)),
                        {}});
  }
  return workload_of(std::move(requests));
}

void expect_equal(const ServingResult& a, const ServingResult& b) {
  EXPECT_EQ(a.requests, b.requests);
  EXPECT_EQ(a.step_end_ns, b.step_end_ns);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.events, b.events);
  EXPECT_EQ(a.prefix_cache, b.prefix_cache);
  EXPECT_EQ(a.step_tokens, b.step_tokens);
  EXPECT_EQ(a.step_samples, b.step_samples);
  EXPECT_EQ(a.peak_kv_blocks, b.peak_kv_blocks);
  EXPECT_EQ(a.preemptions, b.preemptions);
  EXPECT_EQ(a.end_ns, b.end_ns);
  EXPECT_EQ(a.host_ns, b.host_ns);
  EXPECT_EQ(a.device_ns, b.device_ns);
  ASSERT_EQ(a.by_op.size(), b.by_op.size());
  for (size_t i = 0; i < a.by_op.size(); ++i) {
    EXPECT_EQ(a.by_op[i].op, b.by_op[i].op);
    EXPECT_EQ(a.by_op[i].calls, b.by_op[i].calls);
    EXPECT_EQ(a.by_op[i].ns, b.by_op[i].ns);
  }
}

TEST(Engine, FastForwardChangesNothing) {
  int64_t repeated = 0;
  int64_t preemptions = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Workload workload = random_workload(seed);
    FakeExecutor single;
    single.device = {.kv_blocks = 40 + static_cast<int64_t>(seed) * 7,
                     .block_size = 1 + static_cast<int64_t>(seed % 5) * 3,
                     .max_model_len = 140};
    single.per_token_ns = static_cast<int64_t>(seed % 3);
    single.per_context_ns = 1;
    FakeExecutor fast = single;
    ServingOptions options = {.max_num_batched_tokens = 16 + static_cast<int64_t>(seed) * 5,
                              .max_num_seqs = 3 + static_cast<int64_t>(seed),
                              .host_overhead_ns = static_cast<int64_t>(seed % 4)};
    const ServingResult forwarded = serve(workload, fast, options);
    options.fast_forward = false;
    const ServingResult stepped = serve(workload, single, options);
    expect_equal(forwarded, stepped);
    repeated += fast.repeated_steps;
    preemptions += stepped.preemptions;
    EXPECT_EQ(single.repeated_steps, 0);
  }
  EXPECT_GT(repeated, 1000);    // so it was really used,
  EXPECT_GT(preemptions, 100);  // also where memory was short
}

TEST(Engine, ConservesTokensAndTime) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Workload workload = random_workload(seed);
    FakeExecutor executor;
    executor.device = {.kv_blocks = 60, .block_size = 4, .max_model_len = 200};
    executor.per_token_ns = 3;
    const ServingResult result = serve(workload, executor, {.max_num_batched_tokens = 64});
    int64_t scheduled = 0, in_steps = 0, record_steps = 0;
    for (size_t i = 0; i < result.requests.size(); ++i) {
      const RequestRecord& request = result.requests[i];
      EXPECT_EQ(request.finish, FinishReason::kLength);
      EXPECT_EQ(request.output_tokens, workload.requests[i].output_tokens);
      EXPECT_EQ(request.scheduled_tokens, request.prompt_tokens + request.output_tokens - 1 -
                                              request.cached_tokens + request.recomputed_tokens -
                                              request.preempted_hit_tokens);
      int64_t tokens = 0;
      for (const TokenRun& run : request.token_runs) tokens += run.count;
      EXPECT_EQ(tokens, request.output_tokens);
      scheduled += request.scheduled_tokens;
    }
    for (const auto& [tokens, count] : result.step_tokens) {
      EXPECT_LE(tokens, 64);
      in_steps += tokens * count;
    }
    for (const StepRecord& record : result.steps) {
      EXPECT_EQ(record.first_step, record_steps);
      record_steps += record.count;
    }
    EXPECT_EQ(scheduled, in_steps);
    EXPECT_EQ(record_steps, static_cast<int64_t>(result.step_end_ns.size()));
    EXPECT_EQ(result.by_op[0].ns + result.by_op[1].ns, result.device_ns);
  }
}

TEST(Engine, StopsWhenAskedAndEndsEveryRequest) {
  FakeExecutor executor;
  int asked = 0;
  int64_t last_step = 0;
  const ServingResult result =
      serve(workload_of({{0, 5, 100, {}}, {0, 5, 1, {}}, {9999, 5, 1, {}}}), executor,
            {.fast_forward = false},
            {.stop = [&] { return ++asked > 3; },
             .progress = [&](const ServingProgress& progress) { last_step = progress.steps; }});
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(last_step, 3);
  EXPECT_EQ(result.requests[0].finish, FinishReason::kAborted);
  EXPECT_EQ(result.requests[0].output_tokens, 3);
  EXPECT_EQ(result.requests[1].finish, FinishReason::kLength);
  EXPECT_EQ(result.requests[2].finish, FinishReason::kAborted);
  const ServingMetrics metrics = compute_metrics(result.requests, result.step_end_ns);
  EXPECT_EQ(metrics.completed, 1);
  EXPECT_EQ(metrics.aborted, 2);
  EXPECT_EQ(metrics.failed, 0);
}

TEST(Engine, ServesGeneratedTrafficTheSameEveryTime) {
  const Workload workload = generate_workload(generator_presets()[0], 300, 1);
  const auto once = [&] {
    FakeExecutor executor;
    executor.device = {.kv_blocks = 2000, .block_size = 128, .max_model_len = 16384};
    executor.base_ns = 20'000'000;
    executor.per_token_ns = 30'000;
    return serve(workload, executor, {});
  };
  expect_equal(once(), once());
}

}  // namespace
}  // namespace tilewright
