// The Results screen: keys to state, and how it looks.

#include "app/tui/results/results_screen.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "app/tui/results/results_views.h"
#include "app/tui/session.h"
#include "tests/app/golden.h"
#include "tests/app/results_fixture.h"

namespace tilewright {
namespace {

TEST(Results, OpensByReadingWhatCanBeAsked) {
  State state = test_state();
  type(state, ":results");
  const Effects effects = press(state, "Enter");
  EXPECT_EQ(state.screen, Screen::kResults);
  ASSERT_TRUE(submitted<LoadCatalogJob>(effects));
  EXPECT_NE(draw(state).text().find("reading the database"), std::string::npos);
  state.jobs.clear();
  catalog_loaded(state, std::make_shared<ResultsCatalog>());
  EXPECT_NE(draw(state).text().find("no database yet"), std::string::npos);
}

TEST(Results, EnterAsksTheChosenQueryAndShowsItsRows) {
  State state = results_state();
  const Effects effects = press(state, "Enter");
  const auto* query = submitted<QueryJob>(effects);
  ASSERT_TRUE(query);
  EXPECT_EQ(std::get<QueryJob>(query->request).sql, "SELECT *\nFROM best_measurements");
  EXPECT_EQ(info_of(Screen::kResults).command_line(state), "tilewright query best");
  finish(state, query->id,
         std::make_shared<const QueryOutcome>(
             outcome_of(some_winners(), "SELECT *\nFROM best_measurements")));
  EXPECT_EQ(state.pane().pane, kGridPane);
  EXPECT_NE(draw(state).text().find("Result  4 rows  8.1 ms"), std::string::npos);
  EXPECT_EQ(state.results.history, std::vector<std::string>{"SELECT *\nFROM best_measurements"});
}

TEST(Results, ATableIsAskedForSomeOfItsRows) {
  State state = results_state();
  const Effects effects = press(state, "j j j Enter");
  const auto* query = submitted<QueryJob>(effects);
  ASSERT_TRUE(query);
  EXPECT_EQ(std::get<QueryJob>(query->request).sql, "SELECT * FROM measurement LIMIT 1000");
  EXPECT_EQ(info_of(Screen::kResults).command_line(state),
            "tilewright query 'SELECT * FROM measurement LIMIT 1000'");
  EXPECT_EQ(sql_of(state.results,
                   source_rows(state.results)[static_cast<size_t>(state.results.source.row)]),
            "SELECT * FROM measurement LIMIT 1000")
      << "the cursor stays on it below the history";
}

TEST(Results, TypedSqlIsRunAndKeptInTheHistory) {
  State state = results_state();
  press(state, "Tab e");
  EXPECT_TRUE(state.results.is_typing);
  EXPECT_NE(draw(state).text().find("F5 run"), std::string::npos);
  type(state, "select 'q?:4' fr");
  press(state, "Tab");
  type(state, " ru");
  press(state, "Tab Enter");
  type(state, "limit 3");
  EXPECT_EQ(state.results.sql.utf8(), "select 'q?:4' from runs\nlimit 3");
  const Effects effects = press(state, "F5");
  const auto* query = submitted<QueryJob>(effects);
  ASSERT_TRUE(query);
  EXPECT_EQ(std::get<QueryJob>(query->request).sql, "select 'q?:4' from runs\nlimit 3");
  EXPECT_FALSE(submitted<QueryJob>(press(state, "F5"))) << "one at a time";
  EXPECT_EQ(effect_of<CancelEffect>(press(state, "Esc"))->id, query->id);
  JobSnapshot cancelled;
  cancelled.id = query->id;
  cancelled.phase = JobPhase::kCancelled;
  Effects none;
  update(state, cancelled, none);
  EXPECT_EQ(state.results.query_job, 0);
  press(state, "Esc");
  EXPECT_FALSE(state.results.is_typing);
}

TEST(Results, TabGoesThroughTheChoices) {
  State state = results_state();
  press(state, "Tab e");
  type(state, "select * from ");
  press(state, "Tab");
  EXPECT_EQ(state.results.sql.utf8(), "select * from runs");
  EXPECT_NE(draw(state).text().find("runs measurement sqlite_stat1"), std::string::npos);
  press(state, "Tab");
  EXPECT_EQ(state.results.sql.utf8(), "select * from measurement");
  press(state, "Shift-Tab");
  EXPECT_EQ(state.results.sql.utf8(), "select * from runs");
  type(state, " ");
  EXPECT_FALSE(state.results.completion);
  press(state, "Tab");
  EXPECT_EQ(state.message.text, "nothing completes this");
}

TEST(Results, UpBringsEarlierQueriesBack) {
  State state = with_result(results_state());
  put_sql(state.results, "SELECT 2");
  Effects effects;
  start_query(state, effects);
  state.results.query_job = 0;
  state.pane().pane = kSqlPane;
  press(state, "e Up");
  EXPECT_EQ(state.results.sql.utf8().substr(0, 20), "SELECT *\nFROM winner");
  press(state, "Down");
  EXPECT_EQ(state.results.sql.utf8(), "SELECT 2");
}

TEST(Results, SaysWhatIsWrongAndWhere) {
  State state = results_state();
  press(state, "Tab e");
  type(state, "select id,");
  press(state, "Enter");
  type(state, "  tme from runs");
  const Effects effects = press(state, "F5");
  auto failure = std::make_shared<QueryOutcome>();
  failure->sql = "select id,\n  tme from runs";
  failure->failure = "no such column: tme";
  failure->offset = 13;
  finish(state, submitted<QueryJob>(effects)->id, failure);
  EXPECT_TRUE(state.results.is_typing);
  EXPECT_EQ(state.results.sql.cursor, 13u);
  EXPECT_NE(draw(state).text().find("line 2, column 3: no such column: tme"), std::string::npos);
  type(state, "i");
  EXPECT_EQ(draw(state).text().find("no such column"), std::string::npos);
}

TEST(Results, NBeginsFromNothing) {
  State state = with_result(results_state());
  press(state, "n");
  type(state, "n");
  EXPECT_EQ(state.results.sql.utf8(), "n");
  EXPECT_TRUE(state.results.rows) << "the last result stays";
}

TEST(Results, PastesIntoSqlThatIsTyped) {
  State state = results_state();
  Effects effects;
  update(state, PasteEvent{U"select 1"}, effects);
  EXPECT_TRUE(state.results.sql.text.empty());
  press(state, "Tab e");
  update(state, PasteEvent{U"select\n1"}, effects);
  EXPECT_EQ(state.results.sql.utf8(), "select\n1");
}

TEST(Results, SortsFiltersAndComesBack) {
  State state = with_result(results_state());
  press(state, "l l l >");
  settle_rows(state);
  EXPECT_EQ(state.results.rows->rows, (std::vector<uint32_t>{3, 2, 0, 1}));
  EXPECT_NE(draw(state).text().find("by time_us down"), std::string::npos);
  press(state, "/");
  type(state, "GEMM");
  press(state, "Enter");
  settle_rows(state);
  EXPECT_NE(draw(state).text().find("4 rows  8.1 ms  by time_us down  filter \"GEMM\""),
            std::string::npos)
      << "each problem is one of GEMM";
  press(state, "/");
  type(state, "flash");
  press(state, "Enter");
  settle_rows(state);
  EXPECT_EQ(state.results.rows->rows, (std::vector<uint32_t>{2}));
  press(state, "Esc >");
  settle_rows(state);
  EXPECT_EQ(state.results.rows->rows, (std::vector<uint32_t>{0, 1, 2, 3}));
}

TEST(Results, FrequencyCountsValuesAndKeepsOneOfThem) {
  State state = with_result(results_state());
  press(state, "F");
  EXPECT_EQ(state.pane().pane, kColumnPane);
  ASSERT_EQ(state.results.facts->frequent[0].value, "gemm");
  press(state, "Enter");
  settle_rows(state);
  EXPECT_EQ(state.results.rows->rows, (std::vector<uint32_t>{0, 1}));
  EXPECT_NE(draw(state).text().find("only kernel = gemm"), std::string::npos);
  press(state, "Esc");
  settle_rows(state);
  EXPECT_EQ(state.results.rows->rows.size(), 4u);
}

TEST(Results, CopiesValuesAndRows) {
  State state = with_result(results_state());
  EXPECT_EQ(effect_of<CopyEffect>(press(state, "l l y"))->text, "tile_m=128,tile_n=256");
  EXPECT_EQ(effect_of<CopyEffect>(press(state, "j Y"))->text,
            "gemm\tgemm f16 f16 f16 nd nd nd m=16 n=4096 k=4096 epilogue=none\t"
            "tile_m=16,tile_n=256\t21.5\t1\t12");
  press(state, "Tab");
  EXPECT_EQ(effect_of<CopyEffect>(press(state, "y"))->text,
            "tilewright query 'SELECT *\nFROM winners -- newest\nWHERE gain > 1.5'");
}

TEST(Results, WritesAndAsksBeforeItReplaces) {
  State state = with_result(results_state());
  type(state, "wresult.txt");
  press(state, "Enter");
  EXPECT_NE(state.message.text.find("FILE.csv or FILE.json"), std::string::npos);
  type(state, "wresult.csv");
  Effects effects = press(state, "Enter");
  const auto* job = submitted<WriteResultJob>(effects);
  ASSERT_TRUE(job);
  EXPECT_FALSE(std::get<WriteResultJob>(job->request).replaces);
  auto there = std::make_shared<WrittenResult>();
  there->path = "result.csv";
  there->would_replace = true;
  finish(state, job->id, there);
  ASSERT_TRUE(state.question);
  EXPECT_NE(draw(state).text().find("result.csv is there; replace it?"), std::string::npos);
  effects = press(state, "y");
  ASSERT_TRUE(submitted<WriteResultJob>(effects));
  EXPECT_TRUE(std::get<WriteResultJob>(submitted<WriteResultJob>(effects)->request).replaces);
}

TEST(Results, XOpensTheWinnersOfTheRowsTuning) {
  QueryTable runs;
  runs.columns = {"id", "kind", "label"};
  runs.rows = {{int64_t{7}, std::string("tune"), std::string("qwen2-7b")},
               {int64_t{8}, std::string("serve\x1b[31m"), std::string("qwen2-7b")}};
  State state = with_result(results_state(), runs);
  press(state, "j x");
  EXPECT_EQ(state.screen, Screen::kResults);
  EXPECT_NE(state.message.text.find("run 8 is of kind serve?[31m"), std::string::npos);
  const Effects effects = press(state, "k x");
  EXPECT_EQ(state.screen, Screen::kExport);
  const auto* job = submitted<LoadExportJob>(effects);
  ASSERT_TRUE(job);
  EXPECT_EQ(std::get<LoadExportJob>(job->request).run, 7);
  State without = results_state();
  press(without, "x");
  EXPECT_NE(without.message.text.find("the row has no run"), std::string::npos);
}

TEST(Results, EnterOpensAProblemInTheLabAndLooksForARun) {
  State state = with_result(results_state());
  press(state, "Enter");
  EXPECT_EQ(state.screen, Screen::kLab);
  EXPECT_EQ(state.lab.form.kernel, "gemm");

  QueryTable runs;
  runs.columns = {"id", "kind", "label"};
  runs.rows = {{int64_t{7}, std::string("tune"), std::string("qwen2-7b")}};
  state = with_result(results_state(), runs);
  const Effects effects = press(state, "Enter");
  const auto* job = submitted<FindRunJob>(effects);
  ASSERT_TRUE(job);
  EXPECT_EQ(std::get<FindRunJob>(job->request).run, 7);
  auto found = std::make_shared<FoundRun>();
  found->run = 7;
  found->kind = "report";
  finish(state, job->id, found);
  EXPECT_NE(state.message.text.find("tilewright report 7"), std::string::npos);
  const Effects again = press(state, "Enter");
  found = std::make_shared<FoundRun>();
  found->run = 7;
  found->kind = "tune";
  finish(state, submitted<FindRunJob>(again)->id, found);
  EXPECT_EQ(state.screen, Screen::kTune);

  QueryTable other;
  other.columns = {"id"};
  other.rows = {{int64_t{7}}};
  state = with_result(results_state(), other);
  EXPECT_FALSE(submitted<FindRunJob>(press(state, "Enter")));
  EXPECT_NE(state.message.text.find("neither problem and config nor a run"), std::string::npos);
}

TEST(ResultsScreen, TheIdOfRunsIsARun) {
  State state = results_state();
  QueryTable table;
  table.columns = {"id", "what"};
  table.rows = {{int64_t{7}, std::string("a")}};
  state = with_result(state, table);
  const auto run_of = [&](const std::string& sql) {
    state.results.shown_sql = sql;
    return chosen_run_id(state.results);
  };
  EXPECT_EQ(run_of("SELECT id, label AS what FROM runs"), 7);
  EXPECT_EQ(run_of("select r.id, label what from run r where kind = 'tune' limit 5, 3"), 7);
  EXPECT_EQ(run_of("SELECT id, what FROM runs ORDER BY id, date"), 7);
  for (const char* other :
       {"", "SELECT id, what FROM measurements", "SELECT seed AS id, what FROM runs",
        "SELECT max(seed) id, what FROM runs", "SELECT m.id, what FROM runs r, measurements m",
        "SELECT id, what FROM runs, trials", "SELECT id, what FROM runs JOIN trials",
        "SELECT id, what FROM trials -- FROM runs"}) {
    EXPECT_EQ(run_of(other), 0) << other;
  }
  state.results.shown_sql = "SELECT id, label AS what FROM runs";
  press(state, "a");
  EXPECT_EQ(state.results.mark_a, 7);
}

ComparedRuns some_comparison() {
  using Verdict = ComparedRow::Verdict;
  ComparedRuns compared;
  compared.a = 9;
  compared.b = 12;
  compared.facts = {"both: qwen2-7b chat", "machine: ascend-910b2 -> ascend-910b3"};
  compared.total = {"time", "13.2 ms", "11.3 ms", "-14.4 %", Verdict::kBetter, 0};
  compared.sections = {{"best time by problem",
                        {{"ffn up", "2.90 ms", "2.56 ms", "-11.7 %", Verdict::kBetter, 0.75},
                         {"o proj", "0.97 ms", "0.98 ms", "+1.0 %", Verdict::kWorse, 0},
                         {"qkv", "1.00 ms", "1.00 ms", "=", Verdict::kEqual, 0},
                         {"silu", "-", "0.10 ms", "new", Verdict::kOther, 0}},
                        0,
                        1}};
  return compared;
}

State compared_state(int width, int height, GlyphSet glyphs) {
  State state = with_result(results_state(width, height, glyphs));
  press(state, "a j j b");
  finish(state, state.results.compare_job, std::make_shared<const ComparedRuns>(some_comparison()));
  press(state, "D");
  return state;
}

TEST(Results, MarksTwoRunsAndComparesThem) {
  State state = with_result(results_state());
  EXPECT_FALSE(submitted<CompareRunsJob>(press(state, "a")));
  const Effects effects = press(state, "j j b");
  const auto* job = submitted<CompareRunsJob>(effects);
  ASSERT_TRUE(job);
  EXPECT_EQ(std::get<CompareRunsJob>(job->request).a, 12);
  EXPECT_EQ(std::get<CompareRunsJob>(job->request).b, 9);
  press(state, "D");
  EXPECT_NE(draw(state).text().find("comparing"), std::string::npos);
  finish(state, job->id, std::make_shared<const ComparedRuns>(some_comparison()));
  EXPECT_NE(draw(state).text().find("A/B  run 9 -> run 12"), std::string::npos);
  EXPECT_EQ(info_of(Screen::kResults).command_line(state), "tilewright diff 12 9");
}

void fail(State& state, int64_t id, std::string why) {
  JobSnapshot job;
  job.id = id;
  job.phase = JobPhase::kFailed;
  job.failure = std::move(why);
  Effects effects;
  update(state, job, effects);
}

TEST(Results, WhatCannotBeReadSaysSoInItsPane) {
  State state = test_state();
  type(state, ":results");
  const Effects effects = press(state, "Enter");
  const auto* catalog = submitted<LoadCatalogJob>(effects);
  ASSERT_TRUE(catalog);
  fail(state, catalog->id, "database x.db: no database");
  press(state, "j");  // the message goes, the pane's own words stay
  EXPECT_NE(draw(state).text().find("database x.db: no"), std::string::npos)
      << draw(state).text();
  EXPECT_EQ(draw(state).text().find("reading the database"), std::string::npos);

  State compared = with_result(results_state());
  press(compared, "a");
  const Effects marked = press(compared, "j j b");
  ASSERT_TRUE(submitted<CompareRunsJob>(marked));
  fail(compared, submitted<CompareRunsJob>(marked)->id, "run 9 is of another version");
  EXPECT_NE(draw(compared).text().find("cannot be compared: run 9 is of another version"),
            std::string::npos)
      << draw(compared).text();
}

TEST(Results, AsksForTheNumberOfARunWhereNoRowHasOne) {
  State state = results_state();
  type(state, "a12");
  press(state, "Enter");
  EXPECT_EQ(state.results.mark_a, 12);
  type(state, "bx");
  press(state, "Enter");
  EXPECT_EQ(state.results.mark_b, 0);
  EXPECT_EQ(state.message.role, Role::kBad);
}

TEST(Results, ALargeResultIsDrawnAtOnce) {
  QueryTable table;
  table.is_cut = true;
  for (int i = 0; i < 20; ++i) table.columns.push_back("column" + std::to_string(i));
  for (int64_t row = 0; row < kMostResultRows; ++row) {
    table.rows.emplace_back(table.columns.size(), ResultValue(row));
  }
  State state = with_result(results_state(), std::move(table));
  const auto started = std::chrono::steady_clock::now();
  press(state, "G l l l l l l l l l l l l l l k PgUp");
  const Grid grid = draw(state);
  const std::chrono::duration<double, std::milli> taken =
      std::chrono::steady_clock::now() - started;
  EXPECT_LT(taken.count(), 200) << "17 keys and a frame; a frame has 33 ms";
  EXPECT_NE(grid.text().find("the first 100,000 rows"), std::string::npos);
  EXPECT_NE(grid.text().find("column14"), std::string::npos);
}

TEST(Results, ClicksChooseAndSort) {
  State state = with_result(results_state());
  const std::vector<PaneBox> boxes = visible_panes(state);
  const auto grid = std::ranges::find(boxes, static_cast<int>(kGridPane), &PaneBox::pane);
  ASSERT_NE(grid, boxes.end());
  const Rect inner = grid->rect.inset(2, 1);
  Effects effects;
  update(state, MouseEvent{MouseEvent::Kind::kPress, inner.x + 4, inner.y + 2}, effects);
  EXPECT_EQ(state.results.row.row, 1);
  update(state, MouseEvent{MouseEvent::Kind::kPress, inner.x + 4, inner.y}, effects);
  settle_rows(state);
  EXPECT_EQ(state.results.rows->order.column, 0);
  update(state, MouseEvent{MouseEvent::Kind::kPress, 4, 4}, effects);
  EXPECT_EQ(state.pane().pane, kSourcesPane);
  EXPECT_EQ(state.results.source.row, 1);
  const auto sql = std::ranges::find(boxes, static_cast<int>(kSqlPane), &PaneBox::pane);
  update(state, MouseEvent{MouseEvent::Kind::kPress, sql->rect.x + 2 + 4, sql->rect.y + 2},
         effects);
  EXPECT_TRUE(state.results.is_typing);
  EXPECT_EQ(state.results.sql.line(), 1u);
  EXPECT_EQ(state.results.sql.column(), 4u);
}

TEST(Results, SqlAndHistoryComeBackWithTheSession) {
  const State before = with_result(results_state());
  State after = test_state();
  Effects effects;
  restore_session(after, session_text(before), effects);
  EXPECT_EQ(after.results.sql.text, before.results.sql.text);
  EXPECT_EQ(after.results.history, before.results.history);
}

TEST(Results, LooksAsDrawn) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}, {60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      const std::string size = fmt::format("{}x{}_{}", width, height, name_of(glyphs));
      expect_golden("results_begin_" + size, draw(results_state(width, height, glyphs)));
      State state = with_result(results_state(width, height, glyphs));
      expect_golden("results_rows_" + size, draw(state));
      press(state, "l l l > F");
      settle_rows(state);
      expect_golden("results_column_" + size, draw(state));
      expect_golden("results_compared_" + size, draw(compared_state(width, height, glyphs)));
      press(state, "Tab Tab Tab e");
      type(state, " a");
      press(state, "Tab");
      expect_golden("results_typing_" + size, draw(state));
    }
  }
}

}  // namespace
}  // namespace tilewright
