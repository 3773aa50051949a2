#include "app/tui/job_work.h"

#include "app/tui/export/export_load.h"
#include "app/tui/fusion/fusion_work.h"
#include "app/tui/home/home_load.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/results/results_load.h"
#include "app/tui/serve/serve_run.h"
#include "app/tui/timeline/timeline_data.h"
#include "app/tui/tune/tune_compare.h"
#include "app/tui/tune/tune_work.h"

namespace tilewright {

namespace {

struct Worker {
  const JobProgress& progress;

  JobResult operator()(const LoadHomeJob& job) const {
    return std::make_shared<const HomeData>(
        load_home(job.db, job.filter, [this] { return progress.is_cancelled(); }));
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
  JobResult operator()(const TuneJob& job) const { return run_tune(job, progress); }
  JobResult operator()(const WatchRunJob& job) const { return watch_run(job, progress); }
  JobResult operator()(const TuneMattersJob& job) const { return matters_of(job); }
  JobResult operator()(const TuneFitJob& job) const {
    return std::make_shared<const TuneFit>(
        fit_of(job.problem, *job.spaces, job.plane, [this] { progress.at(0); }));
  }
  JobResult operator()(const CellReasonJob& job) const {
    return std::make_shared<const CellReason>(reason_of(job.problem, *job.spaces, job.cell));
  }
  JobResult operator()(const CompareConfigsJob& job) const {
    return compare_configs(job, progress);
  }
  JobResult operator()(const WriteBatchJob& job) const { return write_batch(job); }
  JobResult operator()(const LoadCatalogJob& job) const { return load_catalog(job, progress); }
  JobResult operator()(const SaveQueryJob& job) const { return save_query(job); }
  JobResult operator()(const QueryJob& job) const { return run_query(job, progress); }
  JobResult operator()(const ArrangeJob& job) const {
    return std::make_shared<const ArrangedRows>(arrange(job.table, job.order));
  }
  JobResult operator()(const DescribeJob& job) const {
    return std::make_shared<const ColumnFacts>(describe(job.rows, job.column));
  }
  JobResult operator()(const WriteResultJob& job) const { return write_result(job); }
  JobResult operator()(const FindRunJob& job) const { return find_run(job); }
  JobResult operator()(const CompareRunsJob& job) const { return compare_runs(job, progress); }
  JobResult operator()(const LoadExportJob& job) const { return load_export(job, progress); }
  JobResult operator()(const DraftExportJob& job) const { return draft_export(job, progress); }
  JobResult operator()(const VerifyNumericsJob& job) const {
    return verify_numerics(job, progress);
  }
  JobResult operator()(const VerifyReplayJob& job) const { return verify_replay(job, progress); }
  JobResult operator()(const WriteExportJob& job) const { return write_plan_file(job); }
  JobResult operator()(const PlanFusionJob& job) const { return plan_fusion(job, progress); }
  JobResult operator()(const AskFusionJob& job) const { return answer_fusion(job, progress); }
  JobResult operator()(const ServeJob& job) const { return serve_run(job, progress); }
  JobResult operator()(const LoadServeJob& job) const { return load_serve(job); }
  JobResult operator()(const StepKernelsJob& job) const { return step_kernels(job); }
};

}  // namespace

JobResult do_job(const JobRequest& request, const JobProgress& progress) {
  return std::visit(Worker{progress}, request);
}

}  // namespace tilewright
