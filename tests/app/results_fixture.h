#pragma once

#include <memory>
#include <string>

#include "app/tui/results/results_screen.h"
#include "app/tui/results/results_update.h"
#include "tests/app/tui_fixture.h"

namespace tilewright {

/// Results as it opens, with what can be asked.
inline State results_state(int width = 120, int height = 40, GlyphSet glyphs = GlyphSet::kUnicode) {
  State state = test_state(width, height, glyphs);
  type(state, ":results");
  press(state, "Enter");
  auto catalog = std::make_shared<ResultsCatalog>();
  catalog->exists = true;
  catalog->saved = {
      {"best", "best known config of every problem", "SELECT *\nFROM best_measurements"},
      {"runs", "everything that was executed", "SELECT id, kind FROM runs"}};
  catalog->entries = {{"runs", true, {"id", "kind", "label"}, 3},
                      {"measurement", false, {"id", "time_us"}, 1'000'000},
                      {"sqlite_stat1", false, {"tbl"}, {}}};
  catalog_loaded(state, catalog);
  state.jobs.clear();
  return state;
}

/// The job of a kind that was submitted last; null when there is none.
template <typename Job>
const SubmitEffect* submitted(const Effects& effects) {
  const SubmitEffect* found = nullptr;
  for (const Effect& effect : effects) {
    const auto* submit = std::get_if<SubmitEffect>(&effect);
    if (submit && std::holds_alternative<Job>(submit->request)) found = submit;
  }
  return found;
}

/// Tells a state that a job is done; the effects of it.
inline Effects finish(State& state, int64_t id, JobResult result) {
  Effects effects;
  JobSnapshot job;
  job.id = id;
  job.phase = JobPhase::kDone;
  job.result = std::move(result);
  update(state, job, effects);
  return effects;
}

/// Does what a worker would do with the rows, as long as there is something to do.
inline void settle_rows(State& state) {
  for (int round = 0; round < 4; ++round) {
    Effects effects;
    settle_results(state, effects);
    const ResultsState& results = state.results;
    if (results.arrange_job != 0) {
      finish(state, results.arrange_job,
             std::make_shared<const ArrangedRows>(arrange(results.rows->table, results.wanted)));
    } else if (results.facts_job != 0) {
      finish(state, results.facts_job,
             std::make_shared<const ColumnFacts>(describe(results.rows, results.column)));
    }
  }
}

inline QueryOutcome outcome_of(QueryTable table, const std::string& sql) {
  QueryOutcome outcome;
  outcome.sql = sql;
  outcome.ms = 8.1;
  settle_columns(table);
  outcome.rows = std::make_shared<const ArrangedRows>(
      arrange(std::make_shared<const QueryTable>(std::move(table)), {}));
  return outcome;
}

/// Winners of two tunings, with what a hostile database may hold.
inline QueryTable some_winners() {
  QueryTable table;
  table.columns = {"kernel", "problem", "config", "time_us", "gain", "run"};
  const auto row = [&](const char* kernel, int m, const char* config, double time, ResultValue gain,
                       int64_t run) {
    table.rows.push_back(
        {std::string(kernel),
         "gemm f16 f16 f16 nd nd nd m=" + std::to_string(m) + " n=4096 k=4096 epilogue=none",
         std::string(config), time, std::move(gain), run});
  };
  row("gemm", 1000, "tile_m=128,tile_n=256", 149.43, 1.25, 12);
  row("gemm", 16, "tile_m=16,tile_n=256", 21.5, 1.0, 12);
  row("flash", 4096, "rows=128", 1583.9, {}, 9);
  row("\x1b[31mevil\n", 1, "", 1e300, -1.0, 9);
  return table;
}

/// With a result in the grid, as the runs of a query leave it.
inline State with_result(State state, QueryTable table = some_winners()) {
  put_sql(state.results, "SELECT *\nFROM winners -- newest\nWHERE gain > 1.5");
  Effects effects;
  start_query(state, effects);
  const auto* query = submitted<QueryJob>(effects);
  finish(state, query->id,
         std::make_shared<const QueryOutcome>(
             outcome_of(std::move(table), std::get<QueryJob>(query->request).sql)));
  settle_rows(state);
  return state;
}

}  // namespace tilewright
