#include "core/workload/workload_statistics.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tilewright {
namespace {

TEST(WorkloadStatistics, AreExactOnAHandMadeWorkload) {
  Workload workload;
  workload.prefix_block_tokens = 10;
  workload.requests = {{0, 30, 4, {1, 2, 3}},
                       {1'000'000'000, 25, 2, {1, 2, 9}},  // 20 of 25 tokens
                       {4'000'000'000, 25, 6, {1, 2, 9}},  // all, with its partial last block
                       {4'000'000'000, 20, 8, {7, 2}}};    // 2 is not at the beginning
  workload.requests[3].after = 1;
  const WorkloadStatistics statistics = workload_statistics(workload);
  EXPECT_EQ(statistics.requests, 4);
  EXPECT_EQ(statistics.sessions, 1);
  EXPECT_EQ(statistics.followers, 1);
  EXPECT_DOUBLE_EQ(statistics.duration_s, 4);
  EXPECT_DOUBLE_EQ(statistics.requests_per_second, 0.5);
  EXPECT_DOUBLE_EQ(statistics.gap_cv, 0.5);  // gaps of 1 and 3 s
  EXPECT_DOUBLE_EQ(statistics.prompt.mean, 25);
  EXPECT_DOUBLE_EQ(statistics.prompt.min, 20);
  EXPECT_DOUBLE_EQ(statistics.output.p50, 5);
  EXPECT_EQ(statistics.prompt_tokens, 100);
  EXPECT_EQ(statistics.output_tokens, 20);
  EXPECT_DOUBLE_EQ(statistics.shared_prefix, 0.45);
}

TEST(WorkloadStatistics, FindSharedPrefixesOfTokenIds) {
  Workload workload;
  Request request{0, 40, 1};
  for (int32_t i = 0; i < 40; ++i) request.prompt_ids.push_back(i);
  workload.requests = {request, request};
  workload.requests[1].prompt_ids[20] = 99;  // the second block of 16 differs
  const WorkloadStatistics statistics = workload_statistics(workload);
  EXPECT_EQ(statistics.prefix_block_tokens, 16);
  EXPECT_EQ(statistics.with_prompt_ids, 2);
  EXPECT_DOUBLE_EQ(statistics.shared_prefix, 16.0 / 80);
}

TEST(WorkloadStatistics, AreZeroWithoutRequests) {
  const Json json = to_json(workload_statistics(Workload{}));
  EXPECT_EQ(json["requests"], 0);
  EXPECT_EQ(json["gap_cv"], 0);
  EXPECT_EQ(json["prompt"]["p99"], 0);
}

TEST(WorkloadStatistics, ShowThatGeneratedSessionsShareTheirPrefixes) {
  EXPECT_GT(workload_statistics(load_workload("chat-sessions", 2000, 1)).shared_prefix, 0.5);
  EXPECT_EQ(workload_statistics(load_workload("chat", 100, 1)).shared_prefix, 0);
}

}  // namespace
}  // namespace tilewright
