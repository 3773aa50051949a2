#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/serving/metrics.h"

namespace tilewright {
namespace {

constexpr int64_t kMs = 1'000'000;

RequestRecord completed(int64_t arrival_ms, int64_t prompt, std::vector<TokenRun> runs) {
  RequestRecord record;
  record.arrival_ns = arrival_ms * kMs;
  record.prompt_tokens = prompt;
  for (const TokenRun& run : runs) record.output_tokens += run.count;
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

}  // namespace
}  // namespace tilewright
