#include "app/tui/job_work.h"

#include "app/tui/home/home_load.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/serve/serve_run.h"
#include "app/tui/timeline/timeline_data.h"

namespace tilewright {

namespace {

struct Worker {
  const JobProgress& progress;

  JobResult operator()(const LoadHomeJob& job) const {
    return std::make_shared<const HomeData>(
        load_home(job.db, [this] { return progress.is_cancelled(); }));
  }
  JobResult operator()(const RunKernelJob& job) const {
    return std::make_shared<const KernelOutcome>(run_kernel(job, progress));
  }
  JobResult operator()(const RestoreRunsJob& job) const {
    return std::make_shared<const RestoredRuns>(restore_runs(job, progress));
  }
  JobResult operator()(const IndexTimelineJob& job) const {
    return load_timeline(job.request, progress);
  }
  JobResult operator()(const ExportTimelineJob& job) const {
    return export_timeline(job, progress);
  }
  JobResult operator()(const AreaJob& job) const {
    return area_data(job.timeline->index, job.area, job.grouping);
  }
  JobResult operator()(const ServeJob& job) const { return serve_run(job, progress); }
  JobResult operator()(const LoadServeJob& job) const { return load_serve(job); }
  JobResult operator()(const StepKernelsJob& job) const { return step_kernels(job); }
};

}  // namespace

JobResult do_job(const JobRequest& request, const JobProgress& progress) {
  return std::visit(Worker{progress}, request);
}

}  // namespace tilewright
