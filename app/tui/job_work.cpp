#include "app/tui/job_work.h"

#include "app/tui/home/home_load.h"
#include "app/tui/lab/kernel_outcome.h"

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
  JobResult operator()(const IndexTimelineJob&) const { return {}; }
  JobResult operator()(const ExportTimelineJob& job) const {
    return export_timeline(job, progress);
  }
};

}  // namespace

JobResult do_job(const JobRequest& request, const JobProgress& progress) {
  return std::visit(Worker{progress}, request);
}

}  // namespace tilewright
