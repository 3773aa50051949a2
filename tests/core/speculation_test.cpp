#include "core/serving/speculation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/workload/trace_reader.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {
namespace {

using Ids = std::vector<int32_t>;

TEST(Lookup, ProposesWhatFollowedTheLongestSuffixWhereItStoodFirst) {
  EXPECT_EQ(propose_by_lookup(Ids{1, 2, 3, 9, 1, 2, 3}, 2, 4, 3), (Ids{9, 1, 2}));
  // Both 2 3 and 1 2 3 occur; the longer one counts.
  EXPECT_EQ(propose_by_lookup(Ids{2, 3, 7, 1, 2, 3, 8, 1, 2, 3}, 2, 4, 1), (Ids{8}));
  // Not longer than max: then the first occurrence of 2 3.
  EXPECT_EQ(propose_by_lookup(Ids{2, 3, 7, 1, 2, 3, 8, 1, 2, 3}, 2, 2, 1), (Ids{7}));
  // An occurrence may overlap the suffix.
  EXPECT_EQ(propose_by_lookup(Ids{5, 5, 5, 5}, 1, 3, 4), (Ids{5}));
  EXPECT_EQ(propose_by_lookup(Ids{1, 2, 3, 4}, 1, 3, 4), Ids{});
  EXPECT_EQ(propose_by_lookup(Ids{1, 2, 1}, 2, 3, 4), Ids{});
  EXPECT_EQ(propose_by_lookup(Ids{1}, 1, 3, 4), Ids{});
}

Ids look_up_plainly(const Ids& context, int64_t min, int64_t max, int64_t count) {
  const int64_t size = std::ssize(context);
  for (int64_t length = std::min(max, size - 1); length >= min; --length) {
    for (int64_t start = 0; start + length < size; ++start) {
      if (!std::equal(context.end() - length, context.end(), context.begin() + start)) continue;
      const int64_t next = start + length;
      return {context.begin() + next, context.begin() + next + std::min(count, size - next)};
    }
  }
  return {};
}

TEST(Lookup, AgreesWithTryingEveryPlace) {
  Random random(3);
  int proposals = 0;
  for (int round = 0; round < 3000; ++round) {
    Ids context;
    const uint64_t letters = 2 + random.below(4);
    for (uint64_t i = 1 + random.below(40); i > 0; --i) {
      context.push_back(static_cast<int32_t>(random.below(letters)));
    }
    const auto min = static_cast<int64_t>(1 + random.below(4));
    const int64_t max = min + static_cast<int64_t>(random.below(4));
    const Ids got = propose_by_lookup(context, min, max, 5);
    ASSERT_EQ(got, look_up_plainly(context, min, max, 5));
    proposals += got.empty() ? 0 : 1;
  }
  EXPECT_GT(proposals, 1000);
}

TEST(Speculation, AcceptsDraftsAtTheGivenRates) {
  const Workload workload = workload_of(std::vector<Request>(100));
  Speculation speculation({.method = DraftMethod::kSynthetic,
                           .num_speculative_tokens = 3,
                           .synthetic_acceptance_rates = {0.8, 0.5, 0.1}},
                          workload, false);
  for (int64_t request = 0; request < 100; ++request) {
    for (int64_t token = 0; token < 300; ++token) {
      speculation.count(3, speculation.accepted(request, token, 3));
    }
  }
  const SpeculationStats& stats = speculation.stats();
  EXPECT_EQ(stats.num_drafts, 30000);
  EXPECT_EQ(stats.draft_tokens, 90000);
  EXPECT_NEAR(static_cast<double>(stats.accepted_per_position[0]) / 30000, 0.8, 0.01);
  EXPECT_NEAR(static_cast<double>(stats.accepted_per_position[1]) / 30000, 0.5, 0.01);
  EXPECT_NEAR(static_cast<double>(stats.accepted_per_position[2]) / 30000, 0.1, 0.01);
  EXPECT_NEAR(stats.mean_acceptance_length(), 2.4, 0.02);
  EXPECT_NEAR(stats.acceptance_rate(), 1.4 / 3, 0.01);
}

TEST(Speculation, FindsTheRatesOfAMeanLength) {
  const std::vector<double> rates = rates_of_length(2.75, 3);
  EXPECT_NEAR(rates[0] + rates[1] + rates[2], 1.75, 1e-9);
  EXPECT_NEAR(rates[1], rates[0] * rates[0], 1e-9);
  EXPECT_NEAR(rates_of_length(4, 3)[2], 1, 1e-9);
  EXPECT_NEAR(rates_of_length(1, 3)[0], 0, 1e-9);
}

TEST(Speculation, RefusesWhatItCannotFollow) {
  const Workload workload = workload_of(std::vector<Request>(1));
  const auto refuses = [&](const SpeculativeOptions& options, bool is_functional) {
    EXPECT_THROW(Speculation(options, workload, is_functional), Error);
  };
  using enum DraftMethod;
  refuses({.method = kSynthetic, .num_speculative_tokens = 2}, false);
  refuses(
      {.method = kSynthetic, .num_speculative_tokens = 2, .synthetic_acceptance_rates = {0.5, 0.6}},
      false);
  refuses({.method = kSynthetic, .num_speculative_tokens = 2, .synthetic_acceptance_rates = {0.5}},
          false);
  refuses({.method = kSynthetic, .num_speculative_tokens = 2, .synthetic_acceptance_length = 3.5},
          false);
  refuses({.method = kSynthetic, .num_speculative_tokens = 2, .synthetic_acceptance_length = 2},
          true);
  refuses({.method = kNgram, .num_speculative_tokens = 0}, true);
  refuses({.method = kNgram, .num_speculative_tokens = 2}, false);  // no token ids
  refuses({.method = kNgram,
           .num_speculative_tokens = 2,
           .prompt_lookup_min = 3,
           .prompt_lookup_max = 2},
          true);
  refuses({.method = kModel, .num_speculative_tokens = 2}, false);
}

TEST(Speculation, LooksUpRecordedConversationsAsMeasuredElsewhere) {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path data =
      set ? std::filesystem::path(set)
          : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data";
  const std::filesystem::path trace = data / "traces/sharegpt_tokens_llama31.first150.jsonl";
  if (!std::filesystem::exists(trace)) {
    GTEST_SKIP() << "no file " << trace << "; set TILEWRIGHT_DATA";
  }
  Workload workload;
  try {
    workload = read_workload(trace.string());
  } catch (const Error& error) {
    GTEST_SKIP() << error.message();
  }
  limit_requests(workload, 40);
  constexpr int64_t kContext = 2000;
  for (Request& request : workload.requests) {
    if (request.prompt_ids.empty()) GTEST_SKIP() << "the reader does not keep token ids";
    if (request.prompt_tokens <= kContext) continue;
    request.prompt_ids.erase(request.prompt_ids.begin(), request.prompt_ids.end() - kContext);
    request.prompt_tokens = kContext;
  }
  struct Row {
    int64_t min, max, k;
    double rate, length, per_step;
    std::vector<double> per_position;
  };
  const std::vector<Row> kRows = {{2, 4, 4, 0.323, 2.29, 1.49, {.52, .34, .24, .18}},
                                  {3, 5, 5, 0.362, 2.80, 1.38, {.63, .43, .32, .24, .18}},
                                  {1, 3, 3, 0.249, 1.75, 1.56, {.37, .22, .16}}};
  for (const Row& row : kRows) {
    FakeExecutor executor;
    executor.device = {.kv_blocks = 100000, .block_size = 16, .max_model_len = 131072};
    const ServingResult result = serve(workload, executor,
                                       {.enable_prefix_caching = false,
                                        .speculative = {.method = DraftMethod::kNgram,
                                                        .num_speculative_tokens = row.k,
                                                        .prompt_lookup_min = row.min,
                                                        .prompt_lookup_max = row.max}});
    const SpeculationStats& stats = result.speculation;
    EXPECT_NEAR(stats.acceptance_rate(), row.rate, 0.02);
    EXPECT_NEAR(stats.mean_acceptance_length(), row.length, 0.05);
    for (size_t i = 0; i < row.per_position.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(stats.accepted_per_position[i]) /
                      static_cast<double>(stats.num_drafts),
                  row.per_position[i], 0.02);
    }
    int64_t tokens = 0, steps = 0;
    for (const RequestRecord& request : result.requests) {
      for (const TokenRun& run : request.token_runs) {
        tokens += run.count * run.tokens;
        steps += run.count;
      }
      --tokens, --steps;  // the first token comes from the prompt
    }
    EXPECT_NEAR(static_cast<double>(tokens) / static_cast<double>(steps), row.per_step, 0.02);
  }
}

}  // namespace
}  // namespace tilewright
