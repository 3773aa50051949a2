#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/jobs.h"
#include "app/tui/serve/serve_view.h"
#include "core/serving/engine.h"

namespace tilewright {

/// What an op of a step launches, as the Timeline takes it.
struct OpKernel {
  std::string op;
  int64_t calls = 0;      ///< in the step
  bool is_tuned = false;  ///< its config is the plan's
  KernelRequest request;
};

/// The launches of a step.
struct StepKernels {
  std::shared_ptr<const ServeView> view;  ///< of the run; shared with what is shown
  size_t step = 0;                        ///< place in view->record.steps
  std::vector<OpKernel> kernels;
  std::string missing;  ///< why an op has none, such as attention; empty: all are there
};

/// Serves what the job's words say, shows how far it is, and keeps the run; a cancelled one as far
/// as it came. Error (usage, not found, infeasible) as the command `replay`.
std::shared_ptr<const ServeView> serve_run(const ServeJob& job, const JobProgress& progress);

/// Reads a serving run from the database. Error (not found, failed).
std::shared_ptr<const ServeView> load_serve(const LoadServeJob& job);

/// What is launched in a step of a run. Error when the run's setup cannot be made again.
std::shared_ptr<const StepKernels> step_kernels(const StepKernelsJob& job);

/// A copy of what a run under way knows. Of long runs the last `most` requests and steps, and all
/// that are under way.
void copy_so_far(const ServingSoFar& so_far, size_t most, ServeView& view);

/// The batch of a step, as far as a log says what its slices were; the first of the record's steps.
struct StepBatch {
  Batch batch;
  std::string missing;  ///< what is not known of its attention; empty: nothing
};
StepBatch batch_of(const ServeView& view, size_t step);

}  // namespace tilewright
