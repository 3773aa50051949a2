// The jobs of the Serve screen against a real database.

#include "app/tui/serve/serve_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "app/tui/job_work.h"
#include "app/tui/serve/serve_command.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "db/store.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

/// A model that is small enough for a test.
constexpr std::string_view kModel = R"({
  "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "bfloat16",
  "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2,
  "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512,
  "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
  "tie_word_embeddings": false})";

class ServeRunTest : public testing::Test {
 protected:
  ServeRunTest() { write_file(model_, kModel); }

  std::vector<std::string> words() const {
    return {"replay", model_, "--workload", "chat", "--limit", "6", "--slo", "ttft=500ms"};
  }

  std::shared_ptr<const ServeView> serve(const JobProgress& progress,
                                         bool is_paused = false) const {
    ServeJob job;
    job.is_paused = is_paused;
    job.words = words();
    job.db = db_;
    job.machine = "ascend-910b2:datasheet";
    return std::get<std::shared_ptr<const ServeView>>(do_job(job, progress));
  }

  TempFolder folder_;
  std::string model_ = folder_.path("config.json");
  std::string db_ = folder_.path("results.db");
};

TEST_F(ServeRunTest, IsKeptAsTheCommandKeepsItAndReadBack) {
  const auto view = serve(JobProgress({}, [](double) {}));
  EXPECT_EQ(view->identity.status, "done");
  EXPECT_EQ(view->metrics.completed, 6);
  const JobProgress none({}, [](double) {});
  const auto stored = std::get<std::shared_ptr<const ServeView>>(
      do_job(LoadServeJob{db_, view->identity.run}, none));
  EXPECT_EQ(stored->identity.command,
            "tilewright replay " + model_ + " --workload chat --limit 6 --slo ttft=500ms");
  EXPECT_EQ(stored->identity.slo.ttft_ms, 500);
  EXPECT_EQ(stored->identity.kv_blocks, view->identity.kv_blocks);
  EXPECT_EQ(stored->identity.knobs, view->identity.knobs);
  EXPECT_EQ(stored->record.requests, view->record.requests);
  EXPECT_EQ(stored->record.steps, view->record.steps);
  EXPECT_EQ(stored->metrics.ttft.mean, view->metrics.ttft.mean);
  Store store = Store::open(db_, OpenMode::kReadOnly);
  EXPECT_EQ(store.load_run(view->identity.run).status, RunStatus::kDone);
}

TEST_F(ServeRunTest, ShowsItselfWhileItRunsAndStopsWherePaused) {
  const auto mailbox = std::make_shared<JobMailbox>();
  int shown = 0;
  int64_t steps = 0;
  std::optional<ServeProgress> last;
  // Begins paused; each time it shows itself standing still it is told to make two steps, and at
  // last to end.
  const auto show = [&](const JobResult& result) {
    const auto& view = std::get<std::shared_ptr<const ServeView>>(result);
    last = view->progress;
    if (!view->progress->is_paused) return;
    const StepRecord& step = view->record.steps.back();
    const int64_t made = step.first_step + step.count;
    if (shown > 0) {
      EXPECT_EQ(made, steps + 2);
    }
    steps = made;
    ++shown;
    mailbox->put(shown < 4 ? ServeCommand{.kind = ServeCommand::Kind::kStep, .steps = 2}
                           : ServeCommand{.kind = ServeCommand::Kind::kEnd});
  };
  const auto view = serve(JobProgress(
                              {}, [](double) {}, show, mailbox),
                          true);
  EXPECT_EQ(shown, 4);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->requests, 6);
  EXPECT_EQ(view->identity.status, "interrupted");
  EXPECT_EQ(std::ssize(view->record.step_end_ns), 7);
  Store store = Store::open(db_, OpenMode::kReadOnly);
  EXPECT_EQ(store.load_run(view->identity.run).status, RunStatus::kInterrupted);
}

TEST_F(ServeRunTest, ACancelledRunIsKeptAsFarAsItCame) {
  std::stop_source stop;
  const auto mailbox = std::make_shared<JobMailbox>();
  const auto show = [&](const JobResult&) { stop.request_stop(); };
  const auto view = serve(JobProgress(
                              stop.get_token(), [](double) {}, show, mailbox),
                          true);
  EXPECT_EQ(view->identity.status, "interrupted");
  EXPECT_GT(view->identity.run, 0);
}

TEST_F(ServeRunTest, KnowsTheKernelsOfItsSteps) {
  const auto view = serve(JobProgress({}, [](double) {}));
  const JobProgress none({}, [](double) {});
  const size_t last = view->record.steps.size() - 1;
  const auto found = std::get<std::shared_ptr<const StepKernels>>(
      do_job(StepKernelsJob{view, last, db_, "ascend-910b2:datasheet"}, none));
  EXPECT_EQ(found->missing, "") << "decodes alone";
  for (const std::string& op : view->record.ops) {
    EXPECT_NE(std::ranges::find(found->kernels, op, &OpKernel::op), found->kernels.end()) << op;
  }
  EXPECT_THROW(do_job(StepKernelsJob{view, last, db_, "ascend-910b4"}, none), Error)
      << "another machine";
}

TEST_F(ServeRunTest, WhatIsNoServingRunIsRefused) {
  const JobProgress none({}, [](double) {});
  EXPECT_THROW(do_job(LoadServeJob{db_, 1}, none), Error) << "no database";
  Store store = Store::open(db_, OpenMode::kReadWrite);
  store.save_machine("npu", "aaaa", "{}");
  tilewright::Run run;
  run.kind = RunKind::kTune;
  run.machine_fingerprint = "aaaa";
  const int64_t tuned = store.begin_run(run);
  EXPECT_THROW(do_job(LoadServeJob{db_, tuned}, none), Error);
  run.kind = RunKind::kServe;
  run.command = "tilewright \x1b[31m replay";
  const int64_t empty = store.begin_run(run);
  store.finish_run(empty, RunStatus::kDone, 1, "{\"options\": [1], \"kv_blocks\": -1e300}");
  EXPECT_THROW(do_job(LoadServeJob{db_, empty}, none), Error) << "without steps";
}

TEST(ReplayCommand, TakesWhatTheCommandTakes) {
  const auto listener = [](std::string_view) {};
  const ReplayCommand command({"--machine", "x", "replay", "m", "--limit", "3"}, "db", "y",
                              listener);
  EXPECT_EQ(command.model(), "m");
  EXPECT_EQ(command.machine(), "x");
  EXPECT_THROW(ReplayCommand({"tune", "m"}, "db", "y", listener), Error);
  EXPECT_THROW(ReplayCommand({"replay"}, "db", "y", listener), Error);
  EXPECT_THROW(ReplayCommand({"replay", "m", "--compare", "none"}, "db", "y", listener), Error);
  EXPECT_EQ(slo_of_command("tilewright replay m --slo tpot=3ms").tpot_ms, 3);
  EXPECT_FALSE(slo_of_command("garbage").any());
}

}  // namespace
}  // namespace tilewright
