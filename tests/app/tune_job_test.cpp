// Tunings as jobs of the workbench: run, steered, read from the database, written as batches.

#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "app/cli/batch_file.h"
#include "app/tui/tune/tune_work.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "db/store.h"
#include "tests/app/program.h"
#include "tests/app/tune_fixture.h"
#include "tests/temp_folder.h"
#include "tuner/session/active_search.h"

namespace tilewright {
namespace {

TuneJob small_job(const TempFolder& folder, const std::string& budget = "evaluations=12") {
  TuneForm form;
  form.shape = "m=64,n=512,k=512";
  form.machine = "ascend-910b2:datasheet";
  form.budget = budget;
  TuneJob job;
  job.tokens = tokens_of(form);
  job.command_line = command_line_of(form);
  job.globals.db = folder.path("results.db");
  job.globals.machine = form.machine;
  job.globals.jobs = 2;
  return job;
}

TEST(TuneJob, RunsAsTheCommandDoesAndShowsItself) {
  const TempFolder folder;
  int shown = 0;
  const JobProgress progress(
      {}, [](double) {}, [&](const JobResult&) { ++shown; }, std::make_shared<JobMailbox>());
  const auto view = run_tune(small_job(folder), progress);
  EXPECT_GE(shown, 2);
  EXPECT_EQ(view->phase, TunePhase::kDone);
  EXPECT_EQ(view->run, 1);
  EXPECT_EQ(view->tried, 12);
  Store store = Store::open(folder.path("results.db"), OpenMode::kReadOnly);
  const std::vector<Winner> winners = store.load_winners(1);
  ASSERT_EQ(winners.size(), 1u);
  EXPECT_EQ(winners[0].time_us, view->problems[0]->best_us);
  EXPECT_EQ(winners[0].config, view->problems[0]->best.text());
  EXPECT_EQ(store.load_run(1).command, small_job(folder).command_line);
  EXPECT_EQ(store.trials_of_winners(1, kScreening), std::vector{view->problems[0]->best_at})
      << "Export numbers tries as Tune does";

  const auto read = watch_run({folder.path("results.db"), 1}, progress);
  EXPECT_EQ(read->phase, TunePhase::kDone);
  EXPECT_FALSE(read->is_elsewhere);
  EXPECT_EQ(read->problems[0]->best_us, view->problems[0]->best_us);
  EXPECT_EQ(read->problems[0]->baseline_us, view->problems[0]->baseline_us);
  EXPECT_EQ(read->strategy, view->strategy);
}

TEST(TuneJob, AModelsSessionSaysHowFarItIsServed) {
  const TempFolder folder;
  TuneForm form;
  form.target = folder.file("config.json", kSmallModel);
  form.machine = "ascend-910b2:datasheet";
  form.workload = "chat";
  form.budget = "evaluations=1";
  form.options = "--limit 4";
  TuneJob job = small_job(folder);
  job.tokens = tokens_of(form);
  job.command_line = command_line_of(form);
  std::stop_source stop;
  std::vector<std::pair<std::string, double>> stages;
  const JobProgress progress(
      stop.get_token(), [](double) {},
      [&](const JobResult& result) {
        const TuneView& view = *std::get<std::shared_ptr<const TuneView>>(result);
        if (!view.stage.empty()) stages.emplace_back(view.stage, view.stage_share);
        if (view.run > 0) stop.request_stop();  // the search is of no interest
        if (view.run > 0) {
          EXPECT_EQ(view.stage, "");
        }
      },
      std::make_shared<JobMailbox>());
  run_tune(job, progress);
  ASSERT_FALSE(stages.empty());
  EXPECT_TRUE(stages.front().first.starts_with("serving: ")) << stages.front().first;
  double least_prepared = 1;
  for (const auto& [stage, share] : stages) {
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
    if (stage.starts_with("preparing: ")) least_prepared = std::min(least_prepared, share);
  }
  EXPECT_LT(least_prepared, 1) << "problems are prepared one after the other";
}

TEST(TuneJob, DoesWhatItIsToldAndEndsWithEverythingKept) {
  const TempFolder folder;
  std::stop_source stop;
  const auto mailbox = std::make_shared<JobMailbox>();
  TuneCommand budget;
  budget.kind = TuneCommand::Kind::kBudget;
  budget.evaluations = 20;
  TuneCommand ban;
  ban.kind = TuneCommand::Kind::kLimit;
  ban.limits.bans = {{"nonsense", "1"}};
  mailbox->put(budget);
  mailbox->put(ban);
  const JobProgress progress(
      stop.get_token(), [](double) {}, {}, mailbox);
  const auto view = run_tune(small_job(folder), progress);
  EXPECT_EQ(view->budget, 20);
  EXPECT_EQ(view->tried, 20);
  EXPECT_TRUE(std::ranges::any_of(view->log, [](const TuneLogLine& line) {
    return line.is_warning && line.text.starts_with("ban nonsense=1: ");
  }));
}

TEST(TuneJob, ACancelledSessionIsInterruptedAndKept) {
  const TempFolder folder;
  std::stop_source stop;
  const auto show = [&](const JobResult& result) {
    const auto* view = std::get_if<std::shared_ptr<const TuneView>>(&result);
    if (view && (*view)->tried > 0) stop.request_stop();
  };
  const JobProgress progress(
      stop.get_token(), [](double) {}, show, std::make_shared<JobMailbox>());
  const auto view = run_tune(small_job(folder, "evaluations=100000"), progress);
  EXPECT_EQ(view->phase, TunePhase::kInterrupted);
  Store store = Store::open(folder.path("results.db"), OpenMode::kReadOnly);
  EXPECT_EQ(store.load_run(view->run).status, RunStatus::kInterrupted);
  EXPECT_GT(view->planned, view->tried);
  const auto read = watch_run({folder.path("results.db"), view->run}, progress);
  EXPECT_EQ(read->tried, view->tried);
  EXPECT_GT(read->planned, read->tried) << "what it was to try is kept";
}

TEST(TuneJob, ASessionThatGoesOnCountsAllTriesOfItsRun) {
  const TempFolder folder;
  const JobProgress progress(
      {}, [](double) {}, {}, std::make_shared<JobMailbox>());
  const auto before = run_tune(small_job(folder), progress);
  TuneJob more = small_job(folder, "evaluations=20");
  more.tokens.insert(more.tokens.end(), {"--resume", "1"});
  const double kept_seconds =
      Store::open(folder.path("results.db"), OpenMode::kReadOnly).load_run(1).wall_ms / 1e3;
  EXPECT_GT(kept_seconds, 0);
  int64_t least = 20;
  double first_seconds = 0;
  const auto show = [&](const JobResult& result) {
    const auto* shown = std::get_if<std::shared_ptr<const TuneView>>(&result);
    if (!shown || (*shown)->run == 0) return;
    least = std::min(least, (*shown)->tried);
    if (first_seconds == 0) first_seconds = (*shown)->seconds;
  };
  const JobProgress watched(
      {}, [](double) {}, show, std::make_shared<JobMailbox>());
  const auto view = run_tune(more, watched);
  EXPECT_EQ(least, 12) << "the count goes on from what there was before";
  EXPECT_GE(first_seconds, kept_seconds);
  EXPECT_EQ(view->run, before->run);
  EXPECT_EQ(view->tried, 20) << "with those of before";
  EXPECT_EQ(view->planned, 20);
  EXPECT_EQ(view->problems[0]->tried, 20);
  const auto read = watch_run({folder.path("results.db"), 1}, progress);
  EXPECT_EQ(read->tried, 20);
  EXPECT_EQ(read->problems[0]->best_at, view->problems[0]->best_at);
  Store store = Store::open(folder.path("results.db"), OpenMode::kReadOnly);
  EXPECT_EQ(store.trials_of_winners(1, kScreening), std::vector{view->problems[0]->best_at});
  const Json kept = Json::parse(store.load_run(1).result);
  EXPECT_EQ(kept["evaluations"].get<int64_t>() + kept["cache_hits"].get<int64_t>() +
                kept["screened"].get<int64_t>(),
            20);
}

TEST(TuneJob, AKilledSessionTellsHowFarItWas) {
  const TempFolder folder;
  std::stop_source stop;
  std::string plan;
  const auto show = [&](const JobResult& result) {
    const auto* view = std::get_if<std::shared_ptr<const TuneView>>(&result);
    if (!view || (*view)->tried == 0) return;
    if (plan.empty()) {
      plan = Store::open(folder.path("results.db"), OpenMode::kReadOnly).load_run(1).process;
    }
    stop.request_stop();
  };
  const JobProgress progress(
      stop.get_token(), [](double) {}, show, std::make_shared<JobMailbox>());
  const auto view = run_tune(small_job(folder, "evaluations=1000"), progress);
  {
    Store store = Store::open(folder.path("results.db"), OpenMode::kReadWrite);
    store.resume_run(1);
    store.plan_run(1, plan);
  }
  const JobProgress whole({}, [](double) {});
  const auto live = run_so_far({folder.path("results.db"), 1}, whole);
  EXPECT_EQ(live->phase, TunePhase::kRunning);
  EXPECT_EQ(live->planned, 1000) << plan;
  EXPECT_EQ(live->strategy, view->strategy);
  EXPECT_EQ(live->tried, view->tried);
  {
    Store store = Store::open(folder.path("results.db"), OpenMode::kReadWrite);
    store.plan_run(1, R"({"process": {"start": 1}})");  // another that had this one's number
  }
  const auto killed = watch_run({folder.path("results.db"), 1}, whole);
  EXPECT_EQ(killed->phase, TunePhase::kInterrupted);
  EXPECT_EQ(killed->planned, 1000);
}

TEST(TuneJob, SaysWhatIsWrongWithoutARun) {
  const TempFolder folder;
  const JobProgress progress({}, [](double) {});
  TuneJob job = small_job(folder);
  job.tokens = {"gemmm"};
  EXPECT_THROW(run_tune(job, progress), Error);
  job.tokens = {folder.file("batch.json", R"({"schema": 1, "jobs": []})")};
  EXPECT_THROW(run_tune(job, progress), Error);
  EXPECT_THROW(watch_run({folder.path("none.db"), 1}, progress), Error);
}

TEST(WriteBatch, AddsJobsThatTheCommandReads) {
  const TempFolder folder;
  const std::string path = folder.path("batch.json");
  TuneForm form = form_for(small_gemm(), {});
  form.machine = "ascend-910b2";
  form.budget = "30";
  form.options += " --pin tile_m=64 --no-transfer";
  write_batch({path, tokens_of(form), form.machine, 7});
  form.target = "qwen2-7b";
  form.options.clear();
  const std::string said = write_batch({path, tokens_of(form), form.machine, 0});
  EXPECT_NE(said.find("2 jobs"), std::string::npos) << said;
  const std::vector<BatchJob> jobs = read_batch(read_file(path), path);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].machine, "ascend-910b2");
  EXPECT_EQ(jobs[0].seed, 7);
  const std::vector<std::string> expected = {"gemm",
                                             "--dtype=f16",
                                             "--budget=evaluations=30",
                                             "--pin=tile_m=64",
                                             "--no-transfer",
                                             "--shape=m=512,n=1024,k=1024"};
  std::vector<std::string> tokens = jobs[0].tokens;
  for (const std::string& token : expected) {
    EXPECT_NE(std::ranges::find(tokens, token), tokens.end()) << token;
  }
  EXPECT_EQ(jobs[1].tokens.front(), "qwen2-7b");
}

TEST(WriteBatch, RefusesWhatIsNoBatchAndWhatNoBatchHas) {
  const TempFolder folder;
  const std::string other = folder.file("other.json", R"({"schema": 1})");
  const TuneForm form = form_for(small_gemm(), {});
  EXPECT_THROW(write_batch({other, tokens_of(form), "", 0}), Error);
  EXPECT_EQ(read_file(other), R"({"schema": 1})");
  TuneForm range = form;
  range.shape = "m=1..512,n=1024,k=1024";
  EXPECT_THROW(write_batch({folder.path("new.json"), tokens_of(range), "", 0}), Error);
}

}  // namespace
}  // namespace tilewright
