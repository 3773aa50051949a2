// Home: what it reads, how it finds old runs and stays up to date.

#include "app/tui/home/home_screen.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/tui/home/home_clock.h"
#include "app/tui/home/home_load.h"
#include "app/tui/home/home_views.h"
#include "db/store.h"
#include "tests/app/results_fixture.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

bool has(const State& state, std::string_view text) {
  return draw(state).text().find(text) != std::string::npos;
}

/// A database with so many runs; their labels are "first", "old 2", "old 3" and so on.
class HomeDatabase : public testing::Test {
 protected:
  void add_runs(int count) {
    Store store = Store::open(db_, OpenMode::kReadWrite);
    store.save_machine("small", "f00d", "{}");
    Transaction all(store.database());
    Statement add(store.database(),
                  "INSERT INTO run (kind, label, command, model, workload, machine, seed, date, "
                  "tool, status, "
                  "wall_ms, result) VALUES ('tune', ?, 'tilewright tune', '', '', 'f00d', 0, "
                  "'2026-01-02T03:04:05Z', 'tilewright', 'done', 1, '{}')");
    for (int i = 1; i <= count; ++i) {
      add.bind(1, std::string_view(i == 1 ? "First 100%" : fmt::format("old {}", i))).run();
      add.reset();
    }
    all.commit();
  }
  HomeData load(const std::string& filter = "") const {
    return load_home(db_, filter, [] { return false; });
  }

  TempFolder folder_;
  std::string db_ = folder_.path("results.db");
};

TEST_F(HomeDatabase, FindsRunsThatAreOlderThanTheList) {
  add_runs(kRunsShown + 20);
  const HomeData newest = load();
  EXPECT_EQ(std::ssize(newest.runs), kRunsShown);
  EXPECT_EQ(newest.run_count, kRunsShown + 20);
  EXPECT_FALSE(newest.has_all_runs());

  const HomeData found = load("first 100%");
  ASSERT_EQ(found.runs.size(), 1u);
  EXPECT_EQ(found.runs[0].id, 1);
  EXPECT_EQ(found.run_count, kRunsShown + 20) << "of all";
  EXPECT_EQ(load("2 tune old 2 done small").runs.size(), 1u) << "number, kind, label, machine";
  EXPECT_TRUE(load("' OR 1 --").runs.empty()) << "a text, no SQL";
  EXPECT_TRUE(load("first 1_0").runs.empty()) << "no pattern";
  EXPECT_EQ(std::ssize(load("old").runs), kRunsShown);
}

State loaded(const HomeData& data) {
  State state = test_state();
  home_loaded(state, 0, std::make_shared<const HomeData>(data));
  return state;
}

TEST_F(HomeDatabase, TheTitleSaysWhatTheListHas) {
  add_runs(kRunsShown + 20);
  State state = loaded(load());
  EXPECT_TRUE(has(state, "Runs  newest 500 of 520")) << draw(state).text();
  state.home.filter = "first";
  home_loaded(state, 0, std::make_shared<const HomeData>(load("first")));
  EXPECT_TRUE(has(state, "Runs  1 of 520  filter \"first\""));
  state.home.filter = "old";
  home_loaded(state, 0, std::make_shared<const HomeData>(load("old")));
  EXPECT_TRUE(has(state, "Runs  newest 500 of 520  filter \"old\""));
}

TEST_F(HomeDatabase, TheFilterAsksTheDatabaseForWhatTheListHasNot) {
  add_runs(kRunsShown + 20);
  State state = loaded(load());
  type(state, "/FIRST");
  const Effects asked = press(state, "Enter");
  const auto* job = submitted<LoadHomeJob>(asked);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(std::get<LoadHomeJob>(job->request).filter, "first");
  EXPECT_TRUE(has(state, "looking for \"first\" ..."));
  finish(state, job->id, std::make_shared<const HomeData>(load("first")));
  ASSERT_EQ(shown_runs(state.home).size(), 1u);
  EXPECT_EQ(shown_runs(state.home)[0]->id, 1);

  const Effects all = press(state, "Esc");
  ASSERT_TRUE(submitted<LoadHomeJob>(all));
  EXPECT_EQ(std::get<LoadHomeJob>(submitted<LoadHomeJob>(all)->request).filter, "");
}

TEST_F(HomeDatabase, TheFilterAsksNobodyWhereTheListHasAll) {
  add_runs(3);
  State state = loaded(load());
  type(state, "/nothing of that");
  EXPECT_FALSE(submitted<LoadHomeJob>(press(state, "Enter")));
  EXPECT_TRUE(has(state, "nothing matches \"nothing of that\"; Esc shows all"));
}

TEST(Home, ABestConfigSaysByWhatItWasTimed) {
  HomeData data;
  data.exists = true;
  for (const char* evaluator : {"sim/2/detailed", "sim/2/fast"}) {
    data.best.push_back({"gemm f16 f16 f16 nd nd nd m=16 n=32 k=48 epilogue=none", "tile_m=16",
                         "ascend-910b2", evaluator, 2});
  }
  const State state = loaded(data);
  EXPECT_TRUE(has(state, "2.00 us detailed")) << draw(state).text();
  EXPECT_TRUE(has(state, "2.00 us fast"));
}

TEST(Home, ABestConfigOfAnotherToolsProblemIsShown) {
  HomeData data;
  data.exists = true;
  data.best.push_back(
      {"conv x=64 y=32 epilogue=none", "mode=", "GPU", "table/0123456789abcdef", 2});
  const State state = loaded(data);
  EXPECT_TRUE(has(state, "conv x=64 y=32")) << draw(state).text();
  EXPECT_TRUE(has(state, "mode="));
}

TEST_F(HomeDatabase, ReadsAgainWithoutFlickerAndKeepsWhatIsChosen) {
  add_runs(3);
  State state = loaded(load());
  press(state, "j");
  ASSERT_EQ(shown_runs(state.home)[1]->id, 2);
  const std::string before = draw(state).text();
  Effects effects;
  reread_home(state, effects);
  const auto* job = submitted<LoadHomeJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(state.home.load_job, job->id);
  EXPECT_EQ(draw(state).text(), before) << "nobody asked for it";
  EXPECT_FALSE(effect_of<CancelEffect>(press(state, "K")));
  add_runs(2);
  finish(state, job->id, std::make_shared<const HomeData>(load()));
  EXPECT_EQ(state.home.load_job, 0);
  EXPECT_EQ(state.home.runs.row, 3);
  EXPECT_EQ(shown_runs(state.home)[3]->id, 2) << "the chosen run moved down";
}

State with_failed_read(State state, bool is_quiet) {
  Effects effects;
  is_quiet ? reread_home(state, effects) : refresh_home(state, effects);
  JobSnapshot job;
  job.id = state.home.load_job;
  job.phase = JobPhase::kFailed;
  job.failure = "database results.db: the disk reports an error";
  update(state, job, effects);
  EXPECT_EQ(state.home.load_job, 0);
  return state;
}

TEST_F(HomeDatabase, AReadThatFailsSaysSoWhereItsRowsWouldBe) {
  State empty = with_failed_read(test_state(), false);
  const std::string drawn = draw(empty).text();
  EXPECT_TRUE(has(empty, "not read: database results.db")) << drawn;
  EXPECT_TRUE(has(empty, "R reads")) << drawn;
  EXPECT_FALSE(has(empty, "reading the database")) << drawn;

  add_runs(3);
  State state = with_failed_read(loaded(load()), true);
  EXPECT_TRUE(state.message.text.empty()) << state.message.text;
  EXPECT_TRUE(has(state, "not as it is now: database results.db")) << draw(state).text();
  EXPECT_TRUE(has(state, "tune old 3")) << "what was read before stays";
  MouseEvent click;
  click.kind = MouseEvent::Kind::kPress;
  click.x = 10;
  const int width = visible_panes(state)[0].rect.inset(2, 1).width;
  click.y = 2 + failure_rows(state, kRuns, width) + 1 + 1;  // borders, why, head, the second row
  Effects effects;
  update(state, InputEvent(click), effects);
  EXPECT_EQ(state.home.runs.row, 1);
  home_loaded(state, 0, std::make_shared<const HomeData>(load()));
  EXPECT_FALSE(has(state, "not as it is now"));
}

TEST(Home, SaysThatNothingIsKept) {
  State state = loaded({});
  state.not_kept = "database results.db: cannot be written: the file or its folder is read-only";
  EXPECT_TRUE(has(state, "nothing is kept: database results.db: cannot be written"));
  press(state, "2");
  EXPECT_TRUE(has(state, "nothing is kept  ascend")) << draw(state).text();
}

TEST(HomeClock, IsDueSecondsAfterALastReadInFrontAndNeverDuringOne) {
  HomeClock clock;
  EXPECT_FALSE(clock.is_due(true, true, 100));
  EXPECT_FALSE(clock.wait(100));
  EXPECT_FALSE(clock.is_due(true, true, 110)) << "while it is read";
  EXPECT_FALSE(clock.is_due(true, false, 110));
  EXPECT_EQ(clock.wait(110), 200) << "20 times the 10 seconds that it took";
  EXPECT_FALSE(clock.is_due(false, false, 311)) << "another screen is in front";
  EXPECT_FALSE(clock.wait(311));
  EXPECT_FALSE(clock.is_due(true, true, 312));
  EXPECT_FALSE(clock.is_due(true, false, 312.01));
  EXPECT_FALSE(clock.is_due(true, false, 315));
  EXPECT_TRUE(clock.is_due(true, false, 315.02));
}

}  // namespace
}  // namespace tilewright
