#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "app/cli/settings.h"
#include "app/tui/export/export_request.h"
#include "app/tui/fusion/fusion_request.h"
#include "app/tui/kernel_request.h"
#include "app/tui/results/query_table.h"
#include "app/tui/serve/serve_pace.h"
#include "app/tui/tune/tune_fit.h"
#include "core/timeline/timeline_area.h"
#include "tuner/session/tune_events.h"

namespace tilewright {

struct HomeData;
struct KernelOutcome;
struct RestoredRuns;
struct TimelineData;
struct ComparedConfigs;
struct ComparedRuns;
struct FoundRun;
struct QueryOutcome;
struct OwnQueries;
struct ResultsCatalog;
struct WrittenResult;
struct AreaData;
struct ServeView;
struct StepKernels;
struct TuneMatters;
struct ExportDraft;
struct ExportVerdict;
struct WrittenPlan;
struct FusionProgram;
struct FusionVariant;
struct FusionPlans;
struct FusionAnswer;
enum class AreaGrouping : uint8_t;

/// Jobs of different lanes run side by side, each lane one job after the other: what is short
/// (reading the database, adding up events) never waits for what is long.
enum class JobLane : uint8_t {
  kQuick,
  kIndex,
  kLong,
  kTune,
  kServe,
  kFollow,
  kQuery,
  kFusion,
  kFusionAsk
};
constexpr size_t kJobLanes = 9;

/// Reads what Home shows from the results database.
struct LoadHomeJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::string db;
  std::string filter;  ///< of the runs, in lower case; empty: all
};

/// Simulates one kernel in detail and keeps the run in the database.
struct RunKernelJob {
  static constexpr JobLane kLane = JobLane::kLong;
  KernelRequest request;
  std::string db;
  bool keeps = true;  ///< false when an earlier result is only shown again
  int64_t run = 0;    ///< of the database, that is shown again; 0: none
  bool checks = false;
  bool finds_hazards = false;
};

/// A run of the Lab as a session keeps it.
struct SavedRun {
  int number = 0;   ///< of the session
  int64_t run = 0;  ///< in the database; 0 where it was not kept
  KernelRequest request;
};

/// Simulates the runs of a session again, as their results are not kept.
struct RestoreRunsJob {
  static constexpr JobLane kLane = JobLane::kLong;
  std::vector<SavedRun> runs;
  int shown = 0;   ///< number of the one that was shown; 0: none
  int pinned = 0;  ///< of the baseline; 0: none
};

/// Simulates one kernel and indexes its events.
struct IndexTimelineJob {
  static constexpr JobLane kLane = JobLane::kIndex;
  KernelRequest request;
};

/// Writes the timeline of a kernel: Chrome trace JSON, or CSV by the file's name.
struct ExportTimelineJob {
  static constexpr JobLane kLane = JobLane::kLong;
  KernelRequest request;
  std::string path;
};

/// Adds up the events of a part of a timeline.
struct AreaJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  std::shared_ptr<const TimelineData> timeline;  // the interface shows it meanwhile
  TimelineArea area;
  AreaGrouping grouping{};
};

/// Serves a workload in virtual time, as `tilewright replay` does, and keeps the run.
struct ServeJob {
  static constexpr JobLane kLane = JobLane::kServe;
  std::vector<std::string> words;  ///< of the command line, behind the program's name
  std::string db;
  std::string machine;  ///< where the words name none
  double pace = 0;      ///< simulated seconds a second; 0: as fast as possible
  bool is_paused = false;
};

/// Reads a serving run from the results database.
struct LoadServeJob {
  static constexpr JobLane kLane = JobLane::kIndex;
  static constexpr bool kIsReading = true;
  std::string db;
  int64_t run = 0;
};

/// Tunes what a command line of `tilewright tune` names.
struct TuneJob {
  static constexpr JobLane kLane = JobLane::kTune;
  std::vector<std::string> tokens;  ///< target and options
  std::string command_line;
  Globals globals;
};

/// Reads a tuning from the database, and goes on to do so while another process is at it.
struct WatchRunJob {
  static constexpr JobLane kLane = JobLane::kFollow;
  static constexpr bool kIsReading = true;
  std::string db;
  int64_t run = 0;
};

/// Finds what the ops of a step of a serving run launch.
struct StepKernelsJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::shared_ptr<const ServeView> view;  // the interface shows it meanwhile
  size_t step = 0;                        ///< place in view->record.steps
  std::string db;
  std::string machine;  ///< where the run's command line names none
};

/// Reads what can be asked of the results database.
struct LoadCatalogJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::string db;
  std::string queries;  ///< file of the user's own ones
};

/// Keeps SQL under a name in the user's file, or deletes what has that name.
struct SaveQueryJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  std::string queries;  ///< file
  std::string name;
  std::string sql;  ///< empty: delete
};

/// Asks the database, by the name of a saved query or by SQL.
struct QueryJob {
  static constexpr JobLane kLane = JobLane::kQuery;
  static constexpr bool kIsReading = true;
  std::string db;
  std::string sql;
};

/// Sorts and filters the rows of a result.
struct ArrangeJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::shared_ptr<const QueryTable> table;  // the interface shows it meanwhile
  RowOrder order;
};

/// Looks at the values of a column of a result.
struct DescribeJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::shared_ptr<const ArrangedRows> rows;  // the interface shows them meanwhile
  int column = 0;
};

/// Writes a result as it is shown: CSV or JSON by the file's name.
struct WriteResultJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  std::shared_ptr<const ArrangedRows> rows;  // the interface shows them meanwhile
  std::string path;
  bool replaces = false;  ///< a file that is there
};

/// Looks what a run was.
struct FindRunJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::string db;
  int64_t run = 0;
};

/// Compares two runs, the first one being the baseline.
struct CompareRunsJob {
  static constexpr JobLane kLane = JobLane::kLong;
  static constexpr bool kIsReading = true;
  std::string db;
  int64_t a = 0;
  int64_t b = 0;
};

/// Finds out which parameters matter by what was tried of a problem.
struct TuneMattersJob {
  static constexpr JobLane kLane = JobLane::kIndex;
  static constexpr bool kIsReading = true;
  std::shared_ptr<const TuneProblemView> problem;  // shared with the views that have it
};

/// Finds out which pairs of values of two parameters fit.
struct TuneFitJob {
  static constexpr JobLane kLane = JobLane::kIndex;
  static constexpr bool kIsReading = true;
  std::string problem;
  std::shared_ptr<const TuneSpaces> spaces;  // shared with the views that have it
  SpacePlane plane;
};

/// Finds out why no config has two values together.
struct CellReasonJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::string problem;
  std::shared_ptr<const TuneSpaces> spaces;  // shared with the views that have it
  CellPlace cell;
};

/// Simulates two configs of a problem in detail, to show them side by side.
struct CompareConfigsJob {
  static constexpr JobLane kLane = JobLane::kLong;
  static constexpr bool kIsReading = true;
  KernelRequest a;
  KernelRequest b;
};

/// Adds a tuning to a batch file.
struct WriteBatchJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  std::string path;
  std::vector<std::string> tokens;  ///< target and options
  std::string machine;
  int64_t seed = 0;
};

/// Reads the winners of a tuning run.
struct LoadExportJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  static constexpr bool kIsReading = true;
  std::string db;
  int64_t run = 0;  ///< 0: the newest with winners
};

/// Makes what would be written, and compares it with the file that is there.
struct DraftExportJob {
  static constexpr JobLane kLane = JobLane::kQuery;
  static constexpr bool kIsReading = true;
  std::string db;
  ExportRequest request;
};

/// Computes the selected configs at a small size.
struct VerifyNumericsJob {
  static constexpr JobLane kLane = JobLane::kLong;
  static constexpr bool kIsReading = true;
  ExportRequest request;
};

/// Serves the run's workload with the plan and without.
struct VerifyReplayJob {
  static constexpr JobLane kLane = JobLane::kServe;
  static constexpr bool kIsReading = true;
  std::string db;
  ExportRequest request;
};

/// Writes what was made.
struct WriteExportJob {
  static constexpr JobLane kLane = JobLane::kQuick;
  std::shared_ptr<const ExportDraft> draft;  // the interface shows it meanwhile
};

/// Plans which ops of a graph share a kernel.
struct PlanFusionJob {
  static constexpr JobLane kLane = JobLane::kFusion;
  static constexpr bool kIsReading = true;
  FusionRequest request;
  std::shared_ptr<FusionProgram> program;  // the interface shows it meanwhile; null: to be read
  bool is_search = false;                  ///< within constraints, which are by region
  std::vector<PlanOptions> constraints;
};

/// Changes, times or explains a plan.
struct AskFusionJob {
  static constexpr JobLane kLane = JobLane::kFusionAsk;
  static constexpr bool kIsReading = true;
  std::shared_ptr<FusionProgram> program;     // the interface shows it meanwhile
  std::shared_ptr<const FusionVariant> plan;  // and this
  FusionAsk ask;
};

using JobRequest =
    std::variant<LoadHomeJob, RunKernelJob, RestoreRunsJob, IndexTimelineJob, ExportTimelineJob,
                 AreaJob, ServeJob, LoadServeJob, StepKernelsJob, TuneJob, WatchRunJob,
                 TuneMattersJob, TuneFitJob, CellReasonJob, CompareConfigsJob, WriteBatchJob,
                 LoadCatalogJob, SaveQueryJob, QueryJob, ArrangeJob, DescribeJob, WriteResultJob,
                 FindRunJob, CompareRunsJob, LoadExportJob, DraftExportJob, VerifyNumericsJob,
                 VerifyReplayJob, WriteExportJob, PlanFusionJob, AskFusionJob>;

/// Whether nothing is lost when the job ends early: where its struct says so (kIsReading).
bool is_reading(const JobRequest& request);

/// What a job found. Never changed again, so that the interface reads it without locks; shared
/// because the worker may still hold it while it is shown.
using JobResult =
    std::variant<std::monostate, std::shared_ptr<const HomeData>,
                 std::shared_ptr<const KernelOutcome>, std::shared_ptr<const RestoredRuns>,
                 std::shared_ptr<const TimelineData>, std::shared_ptr<const AreaData>,
                 std::shared_ptr<const ServeView>, std::shared_ptr<const StepKernels>,

                 std::shared_ptr<const TuneView>, std::shared_ptr<const TuneMatters>,
                 std::shared_ptr<const TuneFit>, std::shared_ptr<const CellReason>,
                 std::shared_ptr<const ComparedConfigs>,

                 std::shared_ptr<const ResultsCatalog>, std::shared_ptr<const OwnQueries>,
                 std::shared_ptr<const QueryOutcome>, std::shared_ptr<const ArrangedRows>,
                 std::shared_ptr<const ColumnFacts>, std::shared_ptr<const WrittenResult>,
                 std::shared_ptr<const FoundRun>, std::shared_ptr<const ComparedRuns>,

                 std::shared_ptr<const ExportView>, std::shared_ptr<const ExportDraft>,
                 std::shared_ptr<const ExportVerdict>, std::shared_ptr<const WrittenPlan>,

                 std::shared_ptr<const FusionPlans>, std::shared_ptr<const FusionAnswer>,
                 std::string>;

enum class JobPhase : uint8_t { kQueued, kRunning, kDone, kFailed, kCancelled };

/// A job at one moment.
struct JobSnapshot {
  int64_t id = 0;
  std::string title;
  JobPhase phase = JobPhase::kQueued;
  double fraction = 0;      ///< of the work that is done
  std::string failure;      ///< why, of a failed job
  JobResult result;         ///< of a job that is done; of a running one what it shows meanwhile
  bool is_reading = false;  ///< nothing is lost when it ends early
  bool is_quiet = false;    ///< nobody asked for it: it is not shown, nor is its end told

  bool is_over() const { return phase != JobPhase::kQueued && phase != JobPhase::kRunning; }
};

/// Thrown through a job's work to end it.
struct JobCancelled {};

/// What somebody who watches a running job wants of it, such as a pause.
using JobCommand = std::variant<TuneCommand, ServeCommand>;

/// Where commands for a job wait until it asks for them. Any thread may use it.
class JobMailbox {
 public:
  void put(JobCommand command);
  /// Everything that came since the last call, in order.
  std::vector<JobCommand> take();
  /// Returns when there is something to take, or a stop was requested, or the time is over.
  void wait(const std::stop_token& stop, double seconds);

 private:
  std::mutex mutex_;  ///< guards commands_
  std::condition_variable_any came_;
  std::vector<JobCommand> commands_;
};

/// What a job calls now and then while it works.
class JobProgress {
 public:
  JobProgress(std::stop_token stop, std::function<void(double)> report)
      : stop_(std::move(stop)), report_(std::move(report)) {}
  JobProgress(std::stop_token stop, std::function<void(double)> report,
              std::function<void(JobResult)> show, std::shared_ptr<JobMailbox> mailbox)
      : stop_(std::move(stop)),
        report_(std::move(report)),
        show_(std::move(show)),
        mailbox_(std::move(mailbox)) {}

  bool is_cancelled() const { return stop_.stop_requested(); }
  /// How far the work is, of a job that ends by itself when it was cancelled.
  void tell(double fraction) const { report_(fraction); }
  /// For a part of the work, from one fraction to another.
  JobProgress part(double from, double to) const {
    return {stop_, [*this, from, to](double fraction) { report_(from + fraction * (to - from)); },
            show_, mailbox_};
  }
  /// What is to be seen of the work so far: the interface gets the newest as if it was the result.
  void show(JobResult so_far) const {
    if (show_) show_(std::move(so_far));
  }
  /// Commands that came since the last call.
  std::vector<JobCommand> commands() const {
    return mailbox_ ? mailbox_->take() : std::vector<JobCommand>{};
  }
  /// Until a command comes or the job is cancelled, at most so long.
  void wait(double seconds) const {
    if (mailbox_) mailbox_->wait(stop_, seconds);
  }
  /// Throws JobCancelled when the job was cancelled. Cheap enough for some thousand calls a second.
  void at(double fraction) const {
    if (is_cancelled()) throw JobCancelled{};
    report_(fraction);
  }

 private:
  std::stop_token stop_;
  std::function<void(double)> report_;
  std::function<void(JobResult)> show_ = {};
  std::shared_ptr<JobMailbox> mailbox_ = {};  ///< shared with whoever steers the job
};

/// Does one job. Throws Error or JobCancelled.
using JobWork = std::function<JobResult(const JobRequest&, const JobProgress&)>;

/// A worker thread for each lane. The interface thread never waits for a worker: it submits, and
/// takes snapshots when `wake` was called (from the worker's thread).
class JobRunner {
 public:
  JobRunner(JobWork work, std::function<void()> wake);
  /// Cancels everything and waits for the workers.
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  /// Cancels everything; whether all work has ended within so many seconds. Nothing is to be
  /// submitted after it.
  bool stops_within(double seconds);

  void submit(int64_t id, std::string title, JobRequest request);
  /// Takes a queued job away; a running one ends when it next reports progress.
  void cancel(int64_t id);
  /// Puts a command where the queued or running job finds it; nothing where there is none.
  void steer(int64_t id, JobCommand command);
  /// The newest snapshot of each job that changed since the last call, in the order of ids. What
  /// was given before and is held by nobody any more is freed by a thread of the runner's own: the
  /// result of a long run takes longer than a frame to free.
  std::vector<JobSnapshot> take_changes();

 private:
  struct Task {
    JobSnapshot snapshot;
    JobRequest request;
    std::stop_source stop;
    std::shared_ptr<JobMailbox> mailbox = std::make_shared<JobMailbox>();
  };
  struct Lane {
    std::deque<std::shared_ptr<Task>> queue;
    std::shared_ptr<Task> running;  // shared with the worker that runs it
  };

  void cancel_all();
  void serve(Lane& lane, const std::stop_token& stop);
  void run(Task& task);
  void publish(const JobSnapshot& snapshot);
  void free_results(const std::stop_token& stop);

  JobWork work_;
  std::function<void()> wake_;
  std::mutex mutex_;  ///< guards the lanes, changes_, given_ and is_sweep_due_
  std::condition_variable_any queued_;
  std::condition_variable_any idle_;
  std::array<Lane, kJobLanes> lanes_;
  std::vector<JobSnapshot> changes_;
  std::vector<JobResult> given_;  ///< each once, so that nobody else holds the last reference
  bool is_sweep_due_ = false;
  std::condition_variable_any sweep_;
  std::vector<std::jthread> workers_;  ///< one for each lane, and one that frees results
};

}  // namespace tilewright
