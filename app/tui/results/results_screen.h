#pragma once

#include <memory>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

/// The results database: ask it, sort and filter the answer, look at its columns, and compare two
/// runs.
const ScreenInfo& results_screen();
std::vector<WorkbenchCommand> results_commands();

/// Brings up to date what is drawn: rows in the wanted order, facts of the chosen column.
void settle_results(State& state, Effects& effects);

/// Jobs are over.
void catalog_loaded(State& state, const std::shared_ptr<const ResultsCatalog>& catalog);
void own_queries_changed(State& state, const std::shared_ptr<const OwnQueries>& own);
void query_finished(State& state, int64_t job, const std::shared_ptr<const QueryOutcome>& outcome);
void rows_arranged(State& state, int64_t job, const std::shared_ptr<const ArrangedRows>& rows);
void column_described(State& state, int64_t job, const std::shared_ptr<const ColumnFacts>& facts);
void result_written(State& state, const std::shared_ptr<const WrittenResult>& written);
void run_found(State& state, int64_t job, const std::shared_ptr<const FoundRun>& run,
               Effects& effects);
void runs_compared(State& state, int64_t job, const std::shared_ptr<const ComparedRuns>& compared);
void results_job_ended(State& state, const JobSnapshot& job);

}  // namespace tilewright
