#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/serving/metrics.h"
#include "core/serving/run_totals.h"

namespace tilewright {
namespace {

constexpr int64_t kMs = 1'000'000;

RequestRecord completed(int64_t arrival_ms, int64_t prompt, std::vector<TokenRun> runs) {
  RequestRecord record;
  record.arrival_ns = arrival_ms * kMs;
  record.prompt_tokens = prompt;
  for (const TokenRun& run : runs) record.output_tokens += run.count * run.tokens;
  record.finish = FinishReason::kLength;
  record.token_runs = std::move(runs);
  return record;
}

std::vector<int64_t> steps_ms(std::vector<int64_t> ends) {
  for (int64_t& end : ends) end *= kMs;
  return ends;
}

// Steps end at 100, 200, 400, 900, 1500 ms.
//   A arrives at 0:   tokens at 100, 200, 400     TTFT 100  E2EL 400   TPOT 150  gaps 100 200
//   B arrives at 50:  tokens at 200, 400, 1500    TTFT 150  E2EL 1450  TPOT 650  gaps 200 1100
//   C arrives at 600: token at 900                TTFT 300  E2EL 300   TPOT -
//   D is rejected.
struct HandMade {
  std::vector<int64_t> ends = steps_ms({100, 200, 400, 900, 1500});
  std::vector<RequestRecord> records = {completed(0, 10, {{0, 3}}),
                                        completed(50, 20, {{1, 2}, {4, 1}}),
                                        completed(600, 30, {{3, 1}})};
  HandMade() {
    records.emplace_back();
    records.back().arrival_ns = 700 * kMs;
    records.back().finish = FinishReason::kRejected;
  }
};

TEST(ServingMetrics, AreExactOnAHandMadeRun) {
  const HandMade run;
  const ServingMetrics m = compute_metrics(run.records, run.ends);
  EXPECT_EQ(m.completed, 3);
  EXPECT_EQ(m.failed, 1);
  EXPECT_EQ(m.total_input_tokens, 60);
  EXPECT_EQ(m.total_output_tokens, 7);
  EXPECT_DOUBLE_EQ(m.duration, 1.5);
  EXPECT_DOUBLE_EQ(m.request_throughput, 2);
  EXPECT_DOUBLE_EQ(m.output_throughput, 7 / 1.5);
  EXPECT_DOUBLE_EQ(m.total_token_throughput, 67 / 1.5);
  EXPECT_DOUBLE_EQ(m.max_output_tokens_per_s, 6);
  EXPECT_EQ(m.max_concurrent_requests, 3);
  EXPECT_NEAR(m.ttft.mean, 550.0 / 3, 1e-9);
  EXPECT_DOUBLE_EQ(m.ttft.median, 150);
  EXPECT_NEAR(m.ttft.p90, 150 + 0.8 * 150, 1e-9);
  EXPECT_NEAR(m.ttft.p99, 150 + 0.98 * 150, 1e-9);
  EXPECT_DOUBLE_EQ(m.tpot.mean, 400);
  EXPECT_DOUBLE_EQ(m.tpot.std, 250);
  EXPECT_DOUBLE_EQ(m.tpot.median, 400);
  EXPECT_DOUBLE_EQ(m.itl.mean, 400);
  EXPECT_DOUBLE_EQ(m.itl.median, 200);
  EXPECT_NEAR(m.itl.std, std::sqrt((300.0 * 300 + 2 * 200 * 200 + 700 * 700) / 4), 1e-9);
  EXPECT_NEAR(m.itl.p90, 200 + 0.7 * 900, 1e-9);
  EXPECT_DOUBLE_EQ(m.e2el.median, 400);
  EXPECT_FALSE(m.request_goodput.has_value());
}

TEST(ServingMetrics, CountGoodputOfRequestsThatKeepEveryLimit) {
  const HandMade run;
  const auto goodput = [&](const Slo& slo) {
    return compute_metrics(run.records, run.ends, slo).request_goodput.value();
  };
  EXPECT_DOUBLE_EQ(goodput({.ttft_ms = 150}), 2 / 1.5);  // limits are inclusive
  EXPECT_DOUBLE_EQ(goodput({.ttft_ms = 149}), 1 / 1.5);
  EXPECT_DOUBLE_EQ(goodput({.tpot_ms = 200}), 2 / 1.5);  // one token: TPOT counts as 0
  EXPECT_DOUBLE_EQ(goodput({.ttft_ms = 150, .tpot_ms = 200}), 1 / 1.5);
  EXPECT_DOUBLE_EQ(goodput({.e2el_ms = 1}), 0);
}

TEST(ServingMetrics, AreZeroWithoutCompletedRequests) {
  std::vector<RequestRecord> records(1);
  records[0].finish = FinishReason::kRejected;
  const ServingMetrics m = compute_metrics(records, {}, {.ttft_ms = 1});
  EXPECT_EQ(m.completed, 0);
  EXPECT_EQ(m.failed, 1);
  EXPECT_EQ(m.request_throughput, 0);
  EXPECT_EQ(m.ttft.p99, 0);
  EXPECT_EQ(m.request_goodput.value(), 0);
}

TEST(ServingMetrics, UseTheKeysOfVllm) {
  const HandMade run;
  const Json json = to_json(compute_metrics(run.records, run.ends));
  for (const char* key :
       {"duration", "completed", "failed", "total_input_tokens", "total_output_tokens",
        "request_throughput", "output_throughput", "total_token_throughput",
        "max_output_tokens_per_s", "max_concurrent_requests", "mean_ttft_ms", "median_tpot_ms",
        "std_itl_ms", "p90_e2el_ms", "p99_ttft_ms"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_FALSE(json.contains("request_goodput"));
  EXPECT_TRUE(
      to_json(compute_metrics(run.records, run.ends, {.ttft_ms = 1})).contains("request_goodput"));
  EXPECT_DOUBLE_EQ(json["median_itl_ms"].get<double>(), 200);
}

// Steps end at 100, 200 and 400 ms and give 1, 3 and 2 tokens.
TEST(ServingMetrics, CountOneGapForTheTokensOfAStep) {
  const std::vector<int64_t> ends = steps_ms({100, 200, 400});
  const std::vector<RequestRecord> records = {completed(0, 10, {{0, 1}, {1, 1, 3}, {2, 1, 2}})};
  const ServingMetrics m = compute_metrics(records, ends);
  EXPECT_EQ(m.total_output_tokens, 6);
  EXPECT_DOUBLE_EQ(m.itl.mean, 150);
  EXPECT_DOUBLE_EQ(m.tpot.mean, 60);
  EXPECT_DOUBLE_EQ(m.max_output_tokens_per_s, 6);
}

TEST(ServingMetrics, SplitTheTimeOfRequestsAsTheServerDoes) {
  HandMade run;
  run.records[0].first_scheduled_ns = 20 * kMs;
  run.records[1].first_scheduled_ns = 110 * kMs;
  const ServingMetrics m = compute_metrics(run.records, run.ends);
  EXPECT_DOUBLE_EQ(m.queue.mean, 40);       // 20, 60; the third does not say
  EXPECT_DOUBLE_EQ(m.prefill.mean, 85);     // 80, 90
  EXPECT_DOUBLE_EQ(m.inference.mean, 885);  // 380, 1390
  EXPECT_NEAR(m.decode.mean, 1600.0 / 3, 1e-9);
}

TEST(ServingMetrics, GiveThePercentilesThatAreAskedFor) {
  const HandMade run;
  const MetricsOptions options{.slo = {}, .percentiles = parse_percentiles("50, 0,99.9")};
  const ServingMetrics m = compute_metrics(run.records, run.ends, options);
  ASSERT_EQ(m.ttft.percentiles.size(), 3U);
  EXPECT_DOUBLE_EQ(m.ttft.percentiles[0].second, m.ttft.median);
  EXPECT_DOUBLE_EQ(m.ttft.percentiles[1].second, 100);
  EXPECT_TRUE(to_json(m).contains("p99.9_ttft_ms"));
  EXPECT_TRUE(to_json(compute_metrics(run.records, run.ends)).contains("p95_itl_ms"));
  for (const char* text : {"", "101", "-1", "nan", "50,,60", "x"}) {
    EXPECT_THROW(parse_percentiles(text), Error) << text;
  }
}

TEST(ServingMetrics, ListEveryRequestInDetail) {
  const HandMade run;
  const Json json = detailed_json(run.records, run.ends);
  EXPECT_EQ(json["input_lens"], Json({10, 20, 30, 0}));
  EXPECT_EQ(json["output_lens"], Json({3, 3, 1, 0}));
  EXPECT_EQ(json["ttfts"], Json({0.1, 0.15, 0.3, 0.0}));
  EXPECT_EQ(json["itls"].size(), 4U);
  EXPECT_DOUBLE_EQ(json["itls"][1][1].get<double>(), 1.1);
  EXPECT_TRUE(json["itls"][3].empty());
  EXPECT_DOUBLE_EQ(json["start_times"][1].get<double>(), 0.05);
  EXPECT_EQ(json["errors"], Json({"", "", "", "rejected"}));
}

TEST(RunTotals, TakeFromTheEngineWhatItKnows) {
  ServingResult result;
  result.steps = {{.start_ns = 0, .end_ns = 100, .kv_blocks = 4},
                  {.start_ns = 500, .end_ns = 800, .kv_blocks = 8}};
  result.kv_blocks = 16;
  result.peak_kv_blocks = 9;
  result.preemptions = 2;
  result.step_tokens = {{7, 2}};
  const RunTotals totals = totals_of(result, {.block_size = 32, .peak_flops = 5});
  EXPECT_DOUBLE_EQ(totals.mean_kv_blocks, 7);
  EXPECT_EQ(totals.peak_kv_blocks, 9);
  EXPECT_EQ(totals.block_size, 32);
  EXPECT_EQ(totals.preemptions, 2);
  EXPECT_EQ(totals.peak_flops, 5);
  EXPECT_EQ(totals.step_tokens.at(7), 2);
}

TEST(RunTotals, GiveUtilisationAndSharesByTheirDefinitions) {
  RunTotals totals;
  EXPECT_TRUE(to_json(totals, 1).empty());
  totals.work = {
      .flops = 3e12, .weight_bytes = 5e11, .kv_read_bytes = 2e11, .kv_write_bytes = 1e11};
  totals.device_ns = 2'000'000'000;
  totals.idle_ns = 500'000'000;
  totals.peak_flops = 3e12;
  totals.peak_bytes_per_s = 1e12;
  totals.kv_blocks = 200;
  totals.peak_kv_blocks = 150;
  totals.mean_kv_blocks = 50;
  totals.prefix_caching = true;
  totals.prefix_queries = 400;
  totals.prefix_hits = 100;
  totals.speculation = {.num_drafts = 10,
                        .draft_tokens = 40,
                        .accepted_tokens = 15,
                        .accepted_per_position = {8, 5, 2, 0}};
  const Json json = to_json(totals, 4);
  EXPECT_DOUBLE_EQ(json["mfu"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(json["mbu"].get<double>(), 0.4);
  EXPECT_DOUBLE_EQ(json["device_busy"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(json["device_idle"].get<double>(), 0.25);
  EXPECT_DOUBLE_EQ(json["kv_usage_mean"].get<double>(), 0.25);
  EXPECT_DOUBLE_EQ(json["kv_usage_peak"].get<double>(), 0.75);
  EXPECT_DOUBLE_EQ(json["prefix_cache_hit_rate"].get<double>(), 0.25);
  EXPECT_DOUBLE_EQ(json["spec_decode_acceptance_rate"].get<double>(), 37.5);
  EXPECT_DOUBLE_EQ(json["spec_decode_acceptance_length"].get<double>(), 2.5);
  EXPECT_EQ(json["spec_decode_num_drafts"], 10);
  EXPECT_EQ(json["spec_decode_per_position_acceptance_rates"], Json({0.8, 0.5, 0.2, 0.0}));
}

}  // namespace
}  // namespace tilewright
