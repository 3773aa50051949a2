#pragma once

#include <memory>

#include "app/tui/jobs.h"

namespace tilewright {

/// What the workers of Results do. All open the database for reading; Error as db/queries.h says.

/// Shows what there is before it has counted the rows.
std::shared_ptr<const ResultsCatalog> load_catalog(const LoadCatalogJob& job,
                                                   const JobProgress& progress);
/// Errors as save_own_query().
std::shared_ptr<const OwnQueries> save_query(const SaveQueryJob& job);
/// A query that is wrong is an outcome, not an Error; so is one that takes longer than
/// kMostQuerySeconds. JobCancelled when it was cancelled.
std::shared_ptr<const QueryOutcome> run_query(const QueryJob& job, const JobProgress& progress);
constexpr double kMostQuerySeconds = 60;
/// CSV, or JSON as `tilewright query --json` prints it, by the file's name.
std::shared_ptr<const WrittenResult> write_result(const WriteResultJob& job);
std::shared_ptr<const FoundRun> find_run(const FindRunJob& job);
/// Simulates kernel runs again, as `tilewright diff` does.
std::shared_ptr<const ComparedRuns> compare_runs(const CompareRunsJob& job,
                                                 const JobProgress& progress);

}  // namespace tilewright
