#include "app/cli/serving_record.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

/// Three steps in two records, three requests, an event of each kind.
ServingResult small_run() {
  ServingResult result;
  result.requests.resize(3);
  RequestRecord& served = result.requests[0];
  served.arrival_ns = 10;
  served.first_scheduled_ns = 20;
  served.prompt_tokens = 7;
  served.output_tokens = 3;
  served.scheduled_tokens = 9;
  served.finish = FinishReason::kLength;
  served.token_runs = {{0, 3, 1}};
  RequestRecord& rejected = result.requests[1];
  rejected.arrival_ns = 15;
  rejected.prompt_tokens = 700;
  rejected.finish = FinishReason::kRejected;
  RequestRecord& aborted = result.requests[2];
  aborted.arrival_ns = 30;
  aborted.first_scheduled_ns = 40;
  aborted.output_tokens = 2;
  aborted.preemptions = 1;
  aborted.finish = FinishReason::kAborted;
  aborted.token_runs = {{1, 1, 1}, {2, 1, 1}};
  result.step_end_ns = {100, 150, 200};
  result.by_op = {{"qkv", 3, 90}, {"attention", 1, 30}};
  StepRecord first{.start_ns = 20, .end_ns = 100, .tokens = 7, .prefill_tokens = 7};
  first.idle_ns = 20;
  first.op_ns = {30, 30};
  first.work = {1e15 + 1, 5, 6, 7};
  StepRecord rest{.first_step = 1, .count = 2, .start_ns = 110, .end_ns = 200, .decodes = 1};
  rest.op_ns = {60};
  rest.work = {20, 30, 40, 50};
  result.steps = {first, rest};
  StepEvent hit{.step = 0, .kind = StepEvent::Kind::kCacheHit};
  hit.shared_tokens = 4;
  hit.copied_tokens = 2;
  StepEvent preemption{.step = 1, .kind = StepEvent::Kind::kPreemption};
  preemption.request = 2;
  preemption.needed_by = 0;
  StepEvent refusal{.step = 2, .kind = StepEvent::Kind::kRefusal};
  refusal.cause = Refusal::kKvBlocks;
  result.events = {hit, preemption, refusal};
  return result;
}

class ServingRecordTest : public testing::Test {
 protected:
  /// Keeps a run with that log and returns its number.
  int64_t keep(std::span<const LogTable> log) {
    store_.save_machine("npu", "aaaa", "{}");
    tilewright::Run run;
    run.kind = RunKind::kServe;
    run.machine_fingerprint = "aaaa";
    const int64_t id = store_.begin_run(run);
    store_.finish_run(id, RunStatus::kDone, 1, "{}", log);
    return id;
  }

  /// What is said when `change` was done to the tables before they were kept.
  std::string refusal(const std::function<void(std::vector<LogTable>&)>& change) {
    std::vector<LogTable> tables = log_tables(small_run());
    change(tables);
    try {
      read_serving_record(store_, keep(tables));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kFailed);
      return error.message();
    }
    return "";
  }

  TempFolder folder_;
  Store store_ = Store::open(folder_.path("results.db"), OpenMode::kReadWrite);
};

std::vector<int64_t>& column(std::vector<LogTable>& tables, LogKind kind, std::string_view name) {
  for (LogTable& table : tables) {
    for (LogColumn& each : table.columns) {
      if (table.kind == kind && each.name == name) return each.values;
    }
  }
  throw Error(ErrorKind::kNotFound, "no column " + std::string(name));
}

TEST_F(ServingRecordTest, ComesBackAsItWas) {
  const ServingResult result = small_run();
  const auto record = read_serving_record(store_, keep(log_tables(result)));
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->requests, result.requests);
  EXPECT_EQ(record->step_end_ns, result.step_end_ns);
  EXPECT_EQ(record->events, result.events);
  EXPECT_EQ(record->ops, (std::vector<std::string>{"qkv", "attention"}));
  std::vector<StepRecord> steps = result.steps;
  steps[1].op_ns.push_back(0);
  EXPECT_EQ(record->steps, steps);
  EXPECT_EQ(record->steps[0].work.flops, 1e15 + 1);
  EXPECT_EQ(record->steps[1].work.kv_write_bytes, 50);
}

TEST_F(ServingRecordTest, IsNoneWhereNothingWasKept) {
  EXPECT_FALSE(read_serving_record(store_, keep({})).has_value());
  EXPECT_FALSE(read_serving_record(store_, keep(log_tables(ServingResult()))).has_value());
}

TEST_F(ServingRecordTest, WhatNoRunLeavesIsRefused) {
  const struct {
    LogKind kind;
    const char* column;
    int64_t value;
    const char* part;
  } cases[] = {
      {LogKind::kRequest, "finish", 5, "a row of request has finish = 5"},
      {LogKind::kRequest, "arrival_ns", INT64_MIN, "a row of request has arrival_ns = -9223"},
      {LogKind::kRequest, "arrival_ns", INT64_MAX, "a row of request has arrival_ns = 9223"},
      {LogKind::kToken, "request", 3, "tokens are of request 3, and there are 3"},
      {LogKind::kToken, "request", 2, "request 0 ended without a token"},
      {LogKind::kToken, "count", 0, "a row of token has count = 0"},
      {LogKind::kToken, "count", 4, "4 steps from 0 on, and has 3"},
      {LogKind::kToken, "first_step", 1, "3 steps from 1 on, and has 3"},
      {LogKind::kStep, "count", 1 << 30, "1073741824 steps from 0 on"},
      {LogKind::kStep, "end_ns", 19, "step 0 ends before it begins"},
      {LogKind::kOp, "qkv", -1, "a row of op has qkv = -1"},
      {LogKind::kEvent, "kind", 3, "a row of event has kind = 3"},
      {LogKind::kEvent, "cause", 6, "a row of event has cause = 6"},
      {LogKind::kStepEnd, "end_ns", -1, "a row of step_end has end_ns = -1"},
  };
  for (const auto& each : cases) {
    const std::string message = refusal([&](std::vector<LogTable>& tables) {
      column(tables, each.kind, each.column)[0] = each.value;
    });
    EXPECT_NE(message.find(each.part), std::string::npos) << each.part << ": " << message;
    EXPECT_NE(message.find("is damaged"), std::string::npos) << message;
  }
  EXPECT_NE(refusal([](std::vector<LogTable>& tables) {
              tables[0].columns.erase(tables[0].columns.begin());
            }).find("request has no column arrival_ns"),
            std::string::npos);
  EXPECT_NE(refusal([](std::vector<LogTable>& tables) {
              for (LogColumn& each : tables[4].columns) each.values.push_back(1);
            }).find("3 rows of ops for 2 of steps"),
            std::string::npos);
}

TEST(ServingRecord, IdleIsAShareOfEachStep) {
  const ServingResult result = small_run();
  EXPECT_DOUBLE_EQ(step_ns(result.steps[0]), 80);
  EXPECT_DOUBLE_EQ(step_ns(result.steps[1]), 30);
  EXPECT_DOUBLE_EQ(idle_share(result.steps[0]), 0.25);
  EXPECT_DOUBLE_EQ(idle_share(result.steps[1]), 0);
  EXPECT_DOUBLE_EQ(mean_idle_share(result.steps), 0.25 / 3);
  EXPECT_EQ(mean_idle_share({}), 0);
  EXPECT_EQ(idle_share(StepRecord()), 0);
}

}  // namespace
}  // namespace tilewright
