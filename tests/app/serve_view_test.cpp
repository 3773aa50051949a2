// What the Serve screen works out of the log of a run.

#include "app/tui/serve/serve_view.h"

#include <gtest/gtest.h>

#include <numeric>

#include "app/tui/serve/serve_requests.h"
#include "core/base/error.h"
#include "tests/app/serve_fixture.h"

namespace tilewright {
namespace {

TEST(ServeView, SeriesKeepsEveryTokenAndPreemption) {
  const auto view = finished_view();
  double tokens = 0;
  int64_t preemptions = 0;
  for (const ServeBin& bin : view->series.bins) {
    tokens += bin.tokens_per_s * static_cast<double>(view->series.bin_ns) * 1e-9;
    preemptions += bin.preemptions;
    EXPECT_GE(bin.kv_share, 0);
    EXPECT_LE(bin.kv_share, 1);
  }
  EXPECT_NEAR(tokens, static_cast<double>(view->metrics.total_output_tokens), 1e-6);
  EXPECT_GT(view->preemptions, 0) << "the run is to have some";
  EXPECT_EQ(preemptions, view->preemptions);
  EXPECT_GE(view->series.end_ns(), view->end_ns);
  EXPECT_LE(view->series.bins.size(), 513U);
}

TEST(ServeView, BinsOfALongRunStayFew) {
  ServeView view;
  view.record.step_end_ns = {int64_t{1} << 62};
  view.record.steps = {{.start_ns = 0, .end_ns = int64_t{1} << 62, .running = 3}};
  complete_view(view);
  EXPECT_LE(view.series.bins.size(), 513U);
  EXPECT_DOUBLE_EQ(view.series.bins.front().running, 3);
}

TEST(ServeView, LatenciesCountEveryCompletedRequestOnce) {
  const auto view = finished_view();
  ASSERT_EQ(view->latencies.size(), 4U);
  for (const size_t i : {0U, 1U, 3U}) {
    const ServeLatency& latency = view->latencies[i];
    EXPECT_EQ(std::accumulate(latency.histogram.begin(), latency.histogram.end(), int64_t{0}), 14)
        << latency.name;
  }
  const ServeLatency& ttft = view->latencies[0];
  int kept = 0;
  for (const ServeRequest& request : view->requests) kept += request.ttft_ms <= 60 ? 1 : 0;
  EXPECT_NEAR(ttft.kept, kept / 14.0, 1e-12);
  EXPECT_GT(ttft.kept, 0);
  EXPECT_LT(ttft.kept, 1);
}

TEST(ServeView, SpansOfARequestFollowEachOtherFromArrivalToEnd) {
  const auto view = finished_view();
  bool has_stall = false;
  for (const ServeRequest& request : view->requests) {
    EXPECT_EQ(request.phase, RequestPhase::kDone);
    ASSERT_FALSE(request.spans.empty());
    EXPECT_EQ(request.spans.front().from_ns, request.arrival_ns);
    for (size_t i = 1; i < request.spans.size(); ++i) {
      EXPECT_EQ(request.spans[i].from_ns, request.spans[i - 1].to_ns) << request.id;
      has_stall |= request.spans[i].kind == RequestSpan::Kind::kStall;
    }
    const double ms = static_cast<double>(request.spans.back().to_ns - request.arrival_ns) * 1e-6;
    EXPECT_NEAR(ms, request.e2el_ms, 1e-9);
  }
  EXPECT_TRUE(has_stall);
}

TEST(ServeView, ARunUnderWayHasEveryRequestThatArrived) {
  const auto view = paused_view(20);
  ASSERT_TRUE(view->progress);
  std::map<RequestPhase, int64_t> phases;
  for (const ServeRequest& request : view->requests) ++phases[request.phase];
  EXPECT_EQ(phases[RequestPhase::kDone], view->progress->finished);
  EXPECT_EQ(phases[RequestPhase::kWaiting] + phases[RequestPhase::kPreempted],
            view->progress->waiting);
  EXPECT_EQ(phases[RequestPhase::kPrefill] + phases[RequestPhase::kDecode],
            view->progress->running);
  EXPECT_LT(view->requests.size(), 14U) << "others come later";
}

TEST(ServeView, OfALongRunTheLastPartIsCopied) {
  const auto all = paused_view(60);
  const auto part = paused_view(60, 3);
  EXPECT_FALSE(all->is_partial);
  ASSERT_TRUE(part->is_partial);
  EXPECT_LE(part->record.steps.size(), 3U);
  EXPECT_LT(part->requests.size(), all->requests.size());
  EXPECT_EQ(part->record.steps.back(), all->record.steps.back());
  for (const ServeRequest& request : part->requests) {
    const auto same = std::ranges::find(all->requests, request.id, &ServeRequest::id);
    ASSERT_NE(same, all->requests.end());
    EXPECT_EQ(same->phase, request.phase);
    EXPECT_EQ(same->ttft_ms, request.ttft_ms);
  }
}

TEST(ServeView, StepsOfARequestHaveItsTokens) {
  const auto view = finished_view();
  for (const ServeRequest& request : view->requests) {
    const std::vector<size_t> steps = steps_of(*view, request);
    ASSERT_FALSE(steps.empty());
    for (const TokenRun& run : view->record.requests[request.place].token_runs) {
      EXPECT_TRUE(std::ranges::binary_search(steps, record_of_step(*view, run.first_step)));
    }
  }
}

TEST(ServeView, ALogThatGoesBackInTimeIsRefused) {
  ServeView view;
  view.record.step_end_ns = {5, 3};
  EXPECT_THROW(complete_view(view), Error);
}

TEST(StepBatch, OfDecodesIsTheOneThatWasExecuted) {
  FakeExecutor device = serve_device();
  serve(serve_workload(), device, {.max_num_batched_tokens = 128, .fast_forward = false});
  const auto view = finished_view();
  int known = 0;
  for (size_t i = 0; i < view->record.steps.size(); ++i) {
    const StepBatch step = batch_of(*view, i);
    const auto& executed = device.steps[static_cast<size_t>(view->record.steps[i].first_step)];
    if (!step.missing.empty()) continue;
    ++known;
    std::vector<FakeExecutor::Seen> slices;
    for (const SequenceSlice& slice : step.batch.slices) {
      slices.push_back({slice.request, slice.context, slice.tokens, slice.samples});
    }
    const auto by_request = [](const auto& a, const auto& b) { return a.request < b.request; };
    auto want = executed;
    std::ranges::sort(slices, by_request);
    std::ranges::sort(want, by_request);
    EXPECT_EQ(slices, want) << "step " << view->record.steps[i].first_step;
  }
  EXPECT_GT(known, static_cast<int>(view->record.steps.size()) / 2);
}

TEST(ServePace, WaitsForRealTimeAndForCommands) {
  ServePace pace(2, false);
  EXPECT_EQ(pace.wait(0, 0, 100), 0);
  EXPECT_DOUBLE_EQ(pace.wait(1, 1'000'000'000, 100), 0.5);
  EXPECT_DOUBLE_EQ(pace.wait(1, 1'000'000'000, 100.5), 0);
  EXPECT_EQ(pace.most_repeated(), 1);
  pace.take({.kind = ServeCommand::Kind::kPause}, 1, 1'000'000'000, 101);
  EXPECT_EQ(pace.wait(1, 1'000'000'000, 200), ServePace::kForever);
  pace.take({.kind = ServeCommand::Kind::kStep, .steps = 2}, 1, 1'000'000'000, 200);
  EXPECT_EQ(pace.wait(2, 1'500'000'000, 200), 0) << "a step that was asked for comes at once";
  EXPECT_EQ(pace.wait(3, 2'000'000'000, 200), ServePace::kForever);
  EXPECT_TRUE(pace.is_paused());
  pace.take({.kind = ServeCommand::Kind::kResume}, 3, 2'000'000'000, 300);
  EXPECT_DOUBLE_EQ(pace.wait(4, 3'000'000'000, 300), 0.5) << "it counts from here";
  pace.take({.kind = ServeCommand::Kind::kPace, .pace = 0}, 4, 3'000'000'000, 300);
  EXPECT_EQ(pace.wait(5, int64_t{1} << 60, 300), 0);
  EXPECT_EQ(pace.most_repeated(), 256);
  pace.take({.kind = ServeCommand::Kind::kEnd}, 5, 0, 300);
  EXPECT_TRUE(pace.has_ended());
}

TEST(ServePace, StepsThroughItsList) {
  EXPECT_EQ(next_pace(0, -1), 100);
  EXPECT_EQ(next_pace(100, 1), 0);
  EXPECT_EQ(next_pace(0, 1), 0);
  EXPECT_EQ(next_pace(0.1, -1), 0.1);
  EXPECT_EQ(pace_text(0.5), "0.5x real time");
}

TEST(ServeForm, WordsComeBackAsTheForm) {
  ServeForm form = ServeForm::standard();
  EXPECT_EQ(form_of(words_of(form, "m")).value("more"), "--machine m");
  form.set("plan", "plan.json");
  form.set("limit", "");
  form.set("more", "--machine ascend-910b4 --enforce-eager --seed 3");
  EXPECT_EQ(words_of(form, "other"),
            (std::vector<std::string>{"replay", "qwen2-7b", "--workload", "chat", "--plan",
                                      "plan.json", "--slo", "ttft=500ms,tpot=50ms", "--machine",
                                      "ascend-910b4", "--enforce-eager", "--seed", "3"}));
  EXPECT_EQ(form_of(words_of(form, "other")), form);
  EXPECT_EQ(form_of({"tune", "x"}), ServeForm::standard());
  std::vector<std::string> of_the_shell = words_of(form, "other");
  of_the_shell.insert(of_the_shell.begin(), {"--db", "x.db", "--json"});
  of_the_shell.insert(of_the_shell.end(), {"--jobs=2", "-q"});
  EXPECT_EQ(form_of(of_the_shell), form);
  EXPECT_THROW(form.set("modle", "x"), Error);
}

}  // namespace
}  // namespace tilewright
