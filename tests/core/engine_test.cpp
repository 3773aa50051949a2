#include "core/serving/engine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
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

std::string text_of(const StepRecord& r) {
  return fmt::format("step {}+{} {}..{} tokens {} ({} {} {}) running {} waiting {} kv {} idle {}",
                     r.first_step, r.count, r.start_ns, r.end_ns, r.tokens, r.prefill_tokens,
                     r.decodes, r.draft_tokens, r.running, r.waiting, r.kv_blocks, r.idle_ns) +
         fmt::format(" ops {}", fmt::join(r.op_ns, ","));
}

void expect_equal(const ServingResult& a, const ServingResult& b) {
  EXPECT_EQ(a.requests, b.requests);
  EXPECT_EQ(a.step_end_ns, b.step_end_ns);
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (size_t i = 0; i < a.steps.size(); ++i) {
    ASSERT_TRUE(a.steps[i] == b.steps[i]) << text_of(a.steps[i]) << "\n" << text_of(b.steps[i]);
  }
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

/// Options of all kinds for a timing run.
ServingOptions random_options(Random& random) {
  const std::vector<std::string> policies = policy_names();
  ServingOptions options;
  options.policy = policies[random.below(policies.size())];
  options.max_num_batched_tokens = static_cast<int64_t>(16 + random.below(200));
  options.max_num_seqs = static_cast<int64_t>(3 + random.below(40));
  options.host_overhead_ns = static_cast<int64_t>(random.below(5));
  options.scheduling_policy = random.below(3) == 0 ? "priority" : "fcfs";
  options.enable_prefix_caching = random.below(3) > 0;
  options.prefix_cache_tokens = random.below(2) == 0;
  options.async_scheduling = random.below(2) == 0;
  options.watermark = random.below(3) == 0 ? 0.1 : 0;
  return options;
}

TEST(Engine, FastForwardChangesNothing) {
  int64_t repeated = 0;
  int64_t preemptions = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    Workload workload = random_workload(seed);
    if (seed % 4 == 0) workload.concurrency = 5;
    if (seed % 2 == 0) {
      workload.prefix_block_tokens = 8;
      for (Request& request : workload.requests) {
        for (int64_t i = 0; i < request.prompt_tokens; i += 8) {
          request.prefix_hashes.push_back(static_cast<int64_t>(random.below(3)));
        }
      }
    }
    for (size_t i = 1; i < workload.requests.size(); ++i) {
      if (seed % 5 != 0 || random.below(3) > 0) continue;
      workload.requests[i].after = static_cast<int64_t>(random.below(i));
      workload.requests[i].think_ns = static_cast<int64_t>(random.below(500));
    }
    FakeExecutor single;
    single.blocks_are_shared = true;
    single.device = {.kv_blocks = 40 + static_cast<int64_t>(random.below(300)),
                     .block_size = 1 + static_cast<int64_t>(seed % 5) * 3,
                     .max_model_len = 140,
                     .max_in_flight = seed % 3 == 0 ? 3 : 1};
    single.per_token_ns = static_cast<int64_t>(seed % 3);
    single.per_context_ns = 1;
    FakeExecutor fast = single;
    ServingOptions options = random_options(random);
    const ServingResult forwarded = serve(workload, fast, options);
    options.fast_forward = false;
    const ServingResult stepped = serve(workload, single, options);
    expect_equal(forwarded, stepped);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    repeated += fast.repeated_steps;
    preemptions += stepped.preemptions;
    EXPECT_EQ(single.repeated_steps, 0);
  }
  EXPECT_GT(repeated, 1000);    // so it was really used,
  EXPECT_GT(preemptions, 100);  // also where memory was short
}

TEST(Engine, WhoFollowsARunStepByStepSeesAllOfItAndChangesNothing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const Workload workload = random_workload(seed);
    FakeExecutor alone;
    alone.blocks_are_shared = true;
    alone.device = {.kv_blocks = 200, .block_size = 4, .max_model_len = 140};
    FakeExecutor followed = alone;
    const ServingOptions options = random_options(random);
    int64_t steps = 0;
    int64_t most = 0;
    std::vector<RequestRecord> requests;
    ServingCallbacks callbacks;
    callbacks.most_repeated = [] { return 3; };
    callbacks.on_step = [&](const ServingSoFar& so_far) {
      const StepRecord& last = so_far.steps.back();
      most = std::max(most, last.first_step + last.count - steps);
      steps = last.first_step + last.count;
      EXPECT_GE(std::ssize(so_far.step_end_ns), steps);
      EXPECT_EQ(so_far.step_end_ns[static_cast<size_t>(steps - 1)], last.end_ns);
      requests.clear();
      for (size_t i = 0; i < so_far.requests.size(); ++i) requests.push_back(so_far.record_of(i));
    };
    const ServingResult result = serve(workload, followed, options, callbacks);
    expect_equal(serve(workload, alone, options), result);
    EXPECT_EQ(steps, std::ssize(result.step_end_ns));
    EXPECT_LE(most, 3);
    EXPECT_EQ(requests, result.requests);
  }
}

TEST(Engine, AsynchronousSchedulingHidesTheHost) {
  const Workload workload = workload_of({{0, 5, 4, {}}});
  FakeExecutor waits;
  const ServingResult in_turn = serve(workload, waits, {.host_overhead_ns = 4});
  EXPECT_EQ(in_turn.step_end_ns, (std::vector<int64_t>{14, 28, 42, 56}));
  FakeExecutor hides;
  const ServingResult ahead =
      serve(workload, hides, {.host_overhead_ns = 4, .async_scheduling = true});
  EXPECT_EQ(ahead.step_end_ns, (std::vector<int64_t>{14, 24, 34, 44}));
  EXPECT_EQ(ahead.device_ns, 40);
  FakeExecutor short_steps;  // the host is the bottleneck
  short_steps.base_ns = 3;
  const ServingResult bound =
      serve(workload, short_steps, {.host_overhead_ns = 4, .async_scheduling = true});
  EXPECT_EQ(bound.step_end_ns, (std::vector<int64_t>{7, 11, 15, 19}));
}

TEST(Engine, SeveralBatchesAreInFlight) {
  FakeExecutor executor;
  executor.device.max_in_flight = 2;
  executor.base_ns = 20;
  // Two prompts of a whole step each: their batches alternate, a decode of each follows every 20.
  const ServingResult result =
      serve(workload_of({{0, 8, 3, {}}, {0, 8, 3, {}}}), executor, {.max_num_batched_tokens = 8});
  EXPECT_EQ(result.step_end_ns, (std::vector<int64_t>{20, 30, 40, 50, 60, 70}));
  EXPECT_EQ(result.requests[0].token_runs, (Runs{{0, 1}, {2, 1}, {4, 1}}));
  EXPECT_EQ(result.device_ns, 70);
}

TEST(Engine, AClosedLoopKeepsItsConcurrency) {
  FakeExecutor executor;
  Workload workload = workload_of({{0, 4, 2, {}}, {0, 4, 4, {}}, {0, 4, 1, {}}, {90, 4, 1, {}}});
  workload.concurrency = 2;
  const ServingResult result = serve(workload, executor, {});
  EXPECT_EQ(result.requests[1].arrival_ns, 0);
  EXPECT_EQ(result.requests[2].arrival_ns, 20);  // when request 0 ended
  EXPECT_EQ(result.requests[3].arrival_ns, 90);  // at its own time
  EXPECT_EQ(result.end_ns, 100);
}

TEST(Engine, SessionsGoOnAfterTheyThought) {
  FakeExecutor executor;
  Workload workload = workload_of({{0, 4, 2, {}}, {0, 4, 1, {}}, {0, 4, 1, {}}});
  workload.requests[1].after = 0;
  workload.requests[1].think_ns = 100;
  workload.requests[2].after = 1;
  const ServingResult result = serve(workload, executor, {});
  EXPECT_EQ(result.requests[1].arrival_ns, 120);
  EXPECT_EQ(result.requests[2].arrival_ns, 130);
  workload.requests[1].after = 2;
  EXPECT_THROW(serve(workload, executor, {}), Error);
}

TEST(Engine, TellsWhyThingsHappened) {
  FakeExecutor executor;
  executor.blocks_are_shared = true;
  executor.device = {.kv_blocks = 4, .block_size = 4, .max_model_len = 16};
  Workload workload = workload_of({{0, 8, 3, {1, 2}}, {0, 7, 3, {1, 3}}, {0, 6, 1, {1, 2}}});
  workload.prefix_block_tokens = 4;
  const ServingResult result = serve(workload, executor, {.max_num_seqs = 2});
  using Kind = StepEvent::Kind;
  ASSERT_GE(result.events.size(), 2U);
  EXPECT_EQ(result.events[0],
            (StepEvent{.step = 0, .kind = Kind::kCacheHit, .request = 1, .shared_tokens = 4}));
  EXPECT_EQ(
      result.events[1],
      (StepEvent{.step = 0, .kind = Kind::kRefusal, .request = 2, .cause = Refusal::kMaxNumSeqs}));
  const StepEvent& last = result.events.back();
  EXPECT_EQ(last.kind, Kind::kCacheHit);
  EXPECT_EQ(last.request, 2);
  EXPECT_EQ(last.shared_tokens + last.copied_tokens, 5);
  EXPECT_EQ(result.prefix_cache.hits, 9);
  EXPECT_EQ(result.prefix_cache.queries, 8 + 7 + 6);
}

TEST(Engine, CountsWorkAgainstThePeaks) {
  FakeExecutor executor;
  executor.device.peak_flops = 1e9;  // the step's work is one FLOP for each slice, in 10 ns
  const ServingResult result = serve(workload_of({{0, 4, 1, {}}, {0, 4, 1, {}}}), executor, {});
  ASSERT_EQ(result.steps.size(), 1U);
  EXPECT_DOUBLE_EQ(result.utilisation(result.steps[0]).mfu, 0.2);
  EXPECT_EQ(result.utilisation(result.steps[0]).mbu, 0);
}

TEST(Engine, SyntheticAcceptanceShortensARun) {
  FakeExecutor executor;
  executor.device = {.kv_blocks = 3000, .block_size = 4, .max_model_len = 8192};
  const Workload workload = workload_of({{0, 4, 4001, {}}, {0, 4, 4001, {}}});
  ServingOptions options;
  options.speculative = {.method = DraftMethod::kSynthetic,
                         .num_speculative_tokens = 3,
                         .synthetic_acceptance_length = 2.5};
  const ServingResult result = serve(workload, executor, options);
  EXPECT_NEAR(result.speculation.mean_acceptance_length(), 2.5, 0.1);
  EXPECT_NEAR(static_cast<double>(result.step_end_ns.size()), 4001 / 2.5, 100);
  EXPECT_EQ(result.requests[0].output_tokens, 4001);
  // Which drafts are accepted does not depend on what else is served.
  const ServingResult alone = serve(workload_of({workload.requests[0]}), executor, options);
  EXPECT_EQ(alone.requests[0].rejected_draft_tokens, result.requests[0].rejected_draft_tokens);
}

TEST(Engine, TheTimeOfADraftModelIsPartOfTheStep) {
  FakeExecutor executor;
  FakeExecutor drafter;
  drafter.base_ns = 1;
  ServingOptions options;
  options.speculative = {.method = DraftMethod::kModel,
                         .num_speculative_tokens = 2,
                         .synthetic_acceptance_rates = {1, 1}};
  const ServingResult result = serve(workload_of({{0, 4, 7, {}}}), executor, options, {}, &drafter);
  // The prompt and two drafts, then three tokens a step; nothing is drafted behind the end.
  EXPECT_EQ(result.step_end_ns, (std::vector<int64_t>{12, 24, 34}));
  EXPECT_EQ(result.requests[0].token_runs, (Runs{{0, 1}, {1, 2, 3}}));
  EXPECT_EQ(result.by_op[2].op, "draft.gemm");
  EXPECT_EQ(result.by_op[2].ns, 4);
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

Workload functional_workload() {
  Request request;
  request.prompt_ids = {1, 2, 3};
  request.prompt_tokens = 3;
  request.output_tokens = 12;
  return workload_of({request});
}

TEST(Engine, StopsAtTokensInTheOrderOfTheTests) {
  const Workload workload = functional_workload();
  const Capacity device = {.kv_blocks = 50, .block_size = 4, .max_model_len = 100, .vocab = 50};
  const auto run = [&](const ServingOptions& options) {
    FakeModel model(device);
    return serve(workload, model, options).requests[0];
  };
  const std::vector<int32_t> all = run({}).output_ids;
  ASSERT_EQ(all.size(), 12U);
  const int32_t eos = all[4];
  const auto first = static_cast<int64_t>(std::find(all.begin(), all.end(), eos) - all.begin());
  for (const bool async : {false, true}) {
    ServingOptions options = {.async_scheduling = async, .eos_token_ids = {eos}};
    EXPECT_EQ(run(options).output_tokens, first + 1);
    EXPECT_EQ(run(options).finish, FinishReason::kStop);
    EXPECT_EQ(run(options).dropped_tokens, async ? 1 : 0);
    options.generation.min_tokens = 12;
    EXPECT_EQ(run(options).output_ids, all);
    options.generation = {.ignore_eos = true};
    EXPECT_EQ(run(options).finish, FinishReason::kLength);
    options.generation.stop_token_ids = {eos};
    EXPECT_EQ(run(options).output_tokens, first + 1);
  }
}

TEST(Engine, ShowsTheLogitsOfEveryToken) {
  Workload workload = functional_workload();
  FakeModel model({.kv_blocks = 50, .block_size = 4, .max_model_len = 100, .vocab = 4});
  ServingOptions options;
  options.speculative = {.method = DraftMethod::kNgram,
                         .num_speculative_tokens = 3,
                         .prompt_lookup_min = 1,
                         .prompt_lookup_max = 2};
  std::vector<int32_t> seen;
  const ServingResult result =
      serve(workload, model, options,
            {.on_logits = [&](int64_t request, int64_t position, std::span<const float> row) {
              EXPECT_EQ(request, 0);
              EXPECT_EQ(position, 3 + std::ssize(seen));
              seen.push_back(
                  static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
            }});
  EXPECT_EQ(seen, result.requests[0].output_ids);
}

TEST(Engine, RefusesPromptsThatNoModelCanRead) {
  FakeModel model({.kv_blocks = 50, .block_size = 4, .max_model_len = 100, .vocab = 4});
  EXPECT_THROW(serve(workload_of({{0, 3, 1, {}}}), model, {}), Error);
  Workload workload = functional_workload();
  workload.requests[0].prompt_ids[1] = 4;
  EXPECT_THROW(serve(workload, model, {}), Error);
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
