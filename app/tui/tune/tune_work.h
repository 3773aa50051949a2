#pragma once

#include <memory>
#include <string>

#include "app/tui/jobs.h"
#include "app/tui/tune/tune_fit.h"
#include "app/tui/tune/tune_recorder.h"
#include "core/machine/machine.h"
#include "tuner/session/search_analysis.h"

namespace tilewright {

/// What workers do for the Tune screen. All throw Error, and JobCancelled where nothing is kept.

/// Tunes what a command line names, as `tilewright tune` does, showing what there is to see and
/// doing what it is told. A cancelled session ends with everything kept.
std::shared_ptr<const TuneView> run_tune(const TuneJob& job, const JobProgress& progress);

/// Reads a tuning from the database, again and again while another process is at it.
std::shared_ptr<const TuneView> watch_run(const WatchRunJob& job, const JobProgress& progress);
/// What a run has tried so far, without following it.
std::shared_ptr<const TuneView> run_so_far(const WatchRunJob& job, const JobProgress& progress);

/// What the tries of a problem say about its parameters.
struct TuneMatters {
  std::shared_ptr<const TuneProblemView> problem;  // shared with the views that have it
  SearchAnalysis analysis;
};
std::shared_ptr<const TuneMatters> matters_of(const TuneMattersJob& job);

/// The spaces and the bound of a kernel's problem; nothing of a problem that no kernel here makes.
/// `searched`: what a session looks at, null where that is not known.
ProblemFacts facts_of(const Problem& problem, const Machine& machine, const Space* searched);

/// Adds a tuning to a batch file, which is made when it does not exist; says what was done.
std::string write_batch(const WriteBatchJob& job);

}  // namespace tilewright
