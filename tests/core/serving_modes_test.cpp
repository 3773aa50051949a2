// Whole runs with a model whose tokens depend on every token before, in all modes of the engine.

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/random.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {
namespace {

constexpr int64_t kVocab = 5;

/// Prompts that share beginnings of any length, also with the outputs of others.
Workload shared_prompts(uint64_t seed, int64_t count) {
  Random random(seed);
  std::vector<Request> requests;
  int64_t now = 0;
  for (int64_t i = 0; i < count; ++i) {
    Request request;
    if (random.below(3) == 0) now += static_cast<int64_t>(random.below(200));
    request.arrival_ns = now;
    if (!requests.empty() && random.below(4) > 0) {
      const Request& other = requests[random.below(requests.size())];
      const uint64_t kept = 1 + random.below(other.prompt_ids.size());
      request.prompt_ids.assign(other.prompt_ids.begin(),
                                other.prompt_ids.begin() + static_cast<ptrdiff_t>(kept));
      // Sometimes a conversation that goes on: what the model said is part of the prompt.
      for (uint64_t j = random.below(2) * random.below(20); j > 0; --j) {
        request.prompt_ids.push_back(FakeModel::next(request.prompt_ids, kVocab));
      }
    }
    for (uint64_t j = 1 + random.below(25); j > 0; --j) {
      request.prompt_ids.push_back(static_cast<int32_t>(random.below(kVocab)));
    }
    request.prompt_tokens = std::ssize(request.prompt_ids);
    request.output_tokens = static_cast<int64_t>(1 + random.below(30));
    request.priority = static_cast<int64_t>(random.below(3));
    requests.push_back(std::move(request));
  }
  return workload_of(std::move(requests));
}

/// What the model says, computed without an engine.
std::vector<std::vector<int32_t>> plain_outputs(const Workload& workload, int64_t max_model_len) {
  std::vector<std::vector<int32_t>> outputs;
  for (const Request& request : workload.requests) {
    std::vector<int32_t> ids = request.prompt_ids;
    const int64_t most = std::min(request.prompt_tokens + request.output_tokens, max_model_len);
    while (std::ssize(ids) < most) ids.push_back(FakeModel::next(ids, kVocab));
    outputs.emplace_back(ids.begin() + request.prompt_tokens, ids.end());
  }
  return outputs;
}

std::vector<std::vector<int32_t>> outputs_of(const ServingResult& result) {
  std::vector<std::vector<int32_t>> outputs;
  for (const RequestRecord& record : result.requests) outputs.push_back(record.output_ids);
  return outputs;
}

Capacity tiny(int64_t kv_blocks, int64_t block_size, int64_t in_flight = 1) {
  return {.kv_blocks = kv_blocks,
          .block_size = block_size,
          .max_model_len = 120,
          .max_in_flight = in_flight,
          .vocab = kVocab};
}

void expect_consistent(const Workload& workload, const ServingResult& result, int64_t budget) {
  std::vector<int64_t> appended(result.requests.size(), 0);
  int64_t scheduled = 0;
  for (size_t i = 0; i < result.requests.size(); ++i) {
    const RequestRecord& record = result.requests[i];
    EXPECT_EQ(record.finish, FinishReason::kLength);
    EXPECT_EQ(record.scheduled_tokens, record.prompt_tokens + record.output_tokens - 1 -
                                           record.cached_tokens + record.recomputed_tokens -
                                           record.preempted_hit_tokens +
                                           record.rejected_draft_tokens + record.dropped_tokens);
    EXPECT_LT(record.cached_tokens, record.prompt_tokens);
    for (const TokenRun& run : record.token_runs) appended[i] += run.count * run.tokens;
    EXPECT_EQ(appended[i], record.output_tokens);
    EXPECT_GE(record.first_scheduled_ns, workload.requests[i].arrival_ns);
    scheduled += record.scheduled_tokens;
  }
  int64_t in_steps = 0, steps = 0;
  for (const StepRecord& record : result.steps) {
    EXPECT_EQ(record.first_step, steps);
    EXPECT_LE(record.tokens, budget);
    EXPECT_EQ(record.tokens,
              record.prefill_tokens + record.decodes + record.verifies + record.draft_tokens);
    steps += record.count;
    in_steps += record.count * record.tokens;
  }
  EXPECT_EQ(steps, std::ssize(result.step_end_ns));
  int64_t taken_back = 0;
  for (const RequestRecord& record : result.requests) taken_back += record.preemptions;
  EXPECT_EQ(taken_back, result.preemptions);
  EXPECT_EQ(in_steps, scheduled);
}

TEST(ServingModes, EveryModeMakesTheSameTokens) {
  int64_t preemptions = 0, hits = 0, copies = 0, accepted = 0, rejected = 0;
  uint64_t round = 0;
  for (const std::string& policy : policy_names()) {
    for (uint64_t seed = 0; seed < 40; ++seed, ++round) {
      Random random(round);
      const Workload workload = shared_prompts(round, 25);
      const int64_t block_size = std::array<int64_t, 4>{1, 3, 4, 16}[random.below(4)];
      const auto kv_blocks = static_cast<int64_t>(130 + random.below(200)) / block_size + 1;
      const int64_t in_flight = random.below(3) == 0 ? 3 : 1;
      FakeModel model(tiny(kv_blocks, block_size, in_flight));
      ServingOptions options;
      options.policy = policy;
      options.max_num_batched_tokens = static_cast<int64_t>(8 + random.below(60));
      options.max_num_seqs = static_cast<int64_t>(2 + random.below(20));
      options.long_prefill_token_threshold = static_cast<int64_t>(random.below(3)) * 7;
      options.scheduling_policy = random.below(2) == 0 ? "fcfs" : "priority";
      options.enable_prefix_caching = random.below(4) > 0;
      options.prefix_cache_tokens = random.below(3) > 0;
      options.scheduler_reserve_full_isl = random.below(2) == 0;
      options.async_scheduling = random.below(2) == 0;
      options.host_overhead_ns = static_cast<int64_t>(random.below(15));
      if (random.below(2) == 0) {
        options.speculative = {.method = DraftMethod::kNgram,
                               .num_speculative_tokens = static_cast<int64_t>(1 + random.below(5)),
                               .prompt_lookup_min = 1,
                               .prompt_lookup_max = 3};
      }
      FakeModel drafter(tiny(kv_blocks, block_size));
      drafter.mistakes = 80;
      if (random.below(4) == 0) {
        options.speculative.method = DraftMethod::kModel;
        options.speculative.num_speculative_tokens = static_cast<int64_t>(1 + random.below(4));
      }
      const ServingResult result = serve(workload, model, options, {}, &drafter);
      const auto want = plain_outputs(workload, std::min<int64_t>(120, kv_blocks * block_size));
      ASSERT_EQ(outputs_of(result), want) << policy << " round " << round;
      expect_consistent(workload, result, options.max_num_batched_tokens);
      EXPECT_TRUE(policy != "no-evict" || result.preemptions == 0);
      preemptions += result.preemptions;
      hits += result.prefix_cache.hits;
      copies += model.copies;
      accepted += result.speculation.accepted_tokens;
      for (const RequestRecord& record : result.requests) {
        rejected += record.rejected_draft_tokens;
      }
    }
  }
  // All of it was really used.
  EXPECT_GT(preemptions, 300);
  EXPECT_GT(hits, 10000);
  EXPECT_GT(copies, 500);
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(rejected, 1000);
}

}  // namespace
}  // namespace tilewright
