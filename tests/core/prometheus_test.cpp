#include "core/serving/prometheus.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/text.h"

namespace tilewright {
namespace {

constexpr int64_t kMs = 1'000'000;

/// Two requests of three steps that end at 100, 200 and 1200 ms; one more is rejected, and one was
/// aborted while it waited.
struct SmallRun {
  Workload workload;
  std::vector<RequestRecord> requests{4};
  std::vector<int64_t> ends = {100 * kMs, 200 * kMs, 1200 * kMs};
  RunTotals totals;

  SmallRun() {
    workload.requests = {{0, 10, 5}, {0, 300, 1}, {0, 9, 9}, {0, 9, 9}};
    requests[0].prompt_tokens = 10;
    requests[0].output_tokens = 5;
    requests[0].first_scheduled_ns = 50 * kMs;
    requests[0].token_runs = {{0, 2, 1}, {2, 1, 3}};
    requests[0].finish = FinishReason::kLength;
    requests[1].prompt_tokens = 300;
    requests[1].output_tokens = 1;
    requests[1].first_scheduled_ns = 0;
    requests[1].token_runs = {{1, 1}};
    requests[1].finish = FinishReason::kLength;
    requests[2].finish = FinishReason::kRejected;
    requests[3].finish = FinishReason::kAborted;
  }

  std::string text() const {
    return prometheus_text({.model_name = "a \"b\"\\c\nd",
                            .workload = workload,
                            .requests = requests,
                            .step_end_ns = ends,
                            .totals = totals});
  }
};

const std::string kLabels = R"(engine="0",model_name="a \"b\"\\c\nd")";

void expect_line(const std::string& text, const std::string& line) {
  EXPECT_NE(("\n" + text).find("\n" + line + "\n"), std::string::npos) << line;
}

void expect_value(const std::string& text, const std::string& name, const std::string& value,
                  const std::string& more = "") {
  expect_line(text, "vllm:" + name + "{" + kLabels + more + "} " + value);
}

TEST(Prometheus, CountsRequestsAndTokens) {
  const std::string text = SmallRun().text();
  expect_line(text, "# TYPE vllm:prompt_tokens_total counter");
  expect_value(text, "prompt_tokens_total", "310.0");
  expect_value(text, "generation_tokens_total", "6.0");
  expect_value(text, "request_success_total", "3.0", ",finished_reason=\"length\"");
  expect_value(text, "request_success_total", "1.0", ",finished_reason=\"abort\"");
  expect_value(text, "num_requests_running", "0.0");
  expect_value(text, "num_requests_waiting", "1.0");
}

TEST(Prometheus, FillsTheBucketsOfVllm) {
  const std::string text = SmallRun().text();
  expect_line(text, "# TYPE vllm:time_to_first_token_seconds histogram");
  const auto bucket = [&](const std::string& name, const std::string& bound,
                          const std::string& count) {
    expect_value(text, name + "_bucket", count, ",le=\"" + bound + "\"");
  };
  bucket("time_to_first_token_seconds", "0.08", "0.0");
  bucket("time_to_first_token_seconds", "0.1", "1.0");  // bounds belong to their bucket
  bucket("time_to_first_token_seconds", "0.25", "2.0");
  bucket("time_to_first_token_seconds", "2560.0", "2.0");
  bucket("time_to_first_token_seconds", "+Inf", "2.0");
  expect_value(text, "time_to_first_token_seconds_count", "2.0");
  // Gaps of 0.1 s and of 1 s, which three tokens end together.
  bucket("inter_token_latency_seconds", "0.1", "1.0");
  bucket("inter_token_latency_seconds", "1.0", "2.0");
  expect_value(text, "inter_token_latency_seconds_count", "2.0");
  bucket("request_time_per_output_token_seconds", "0.3", "1.0");  // 1.1 s / 4
  expect_value(text, "request_time_per_output_token_seconds_count", "1.0");
  expect_value(text, "request_queue_time_seconds_sum", "0.05");
  bucket("request_prompt_tokens", "10.0", "1.0");
  bucket("request_prompt_tokens", "200.0", "1.0");
  bucket("request_prompt_tokens", "+Inf", "2.0");
  EXPECT_EQ(text.find("request_prompt_tokens_bucket{" + kLabels + ",le=\"500.0\"}"),
            std::string::npos);  // beyond the longest request
}

TEST(Prometheus, LeavesOutWhatTheRunDoesNotKnow) {
  SmallRun run;
  for (const char* name : {"prefix_cache", "spec_decode", "estimated_flops", "kv_cache_usage",
                           "iteration_tokens", "cache_config"}) {
    EXPECT_EQ(run.text().find(name), std::string::npos) << name;
  }
  run.totals.prefix_caching = true;
  run.totals.prefix_queries = 300;
  run.totals.prefix_hits = 64;
  run.totals.kv_blocks = 100;
  run.totals.block_size = 16;
  run.totals.chips = 2;
  run.totals.work = {.flops = 1e12, .weight_bytes = 8, .kv_read_bytes = 4, .kv_write_bytes = 2};
  run.totals.speculation = {
      .num_drafts = 10, .draft_tokens = 30, .accepted_tokens = 12, .accepted_per_position = {8, 4}};
  run.totals.step_tokens = {{1, 2}, {300, 1}};
  const std::string text = run.text();
  expect_value(text, "prefix_cache_hits_total", "64.0");
  expect_value(text, "cache_config_info", "1.0",
               ",block_size=\"16\",enable_prefix_caching=\"True\",num_gpu_blocks=\"100\"");
  expect_value(text, "estimated_read_bytes_per_gpu_total", "6.0");
  expect_value(text, "spec_decode_num_accepted_tokens_per_pos_total", "4.0", ",position=\"1\"");
  expect_value(text, "iteration_tokens_total_bucket", "2.0", ",le=\"256.0\"");
  expect_value(text, "iteration_tokens_total_sum", "302.0");
}

TEST(Prometheus, HasOneTypeForEachSeries) {
  SmallRun run;
  run.totals.kv_blocks = 1;
  const std::string text = run.text();
  std::vector<std::string> types;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    if (line.starts_with("# TYPE ")) types.emplace_back(split(line, ' ')[2]);
    if (line.starts_with('#')) continue;
    EXPECT_TRUE(line.starts_with(types.back())) << line;  // directly behind its TYPE
  }
  const size_t count = types.size();
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  EXPECT_EQ(types.size(), count);
}

}  // namespace
}  // namespace tilewright
