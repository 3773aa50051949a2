#include "app/tui/serve/serve_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/plan_file.h"
#include "app/cli/run_report.h"
#include "app/cli/serving_run.h"
#include "app/tui/serve/serve_command.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "kernels/model_executor.h"

namespace tilewright {

namespace {

/// Of a run under way that are copied for the screen; more are shown when it is paused or over.
constexpr size_t kMostLive = 20'000;

/// Warnings of a command, for whoever shows them.
class Notes {
 public:
  void add(std::string_view line) {
    constexpr std::string_view kPrefix = "tilewright: warning: ";
    const std::scoped_lock lock(mutex_);
    if (line.starts_with(kPrefix)) line.remove_prefix(kPrefix.size());
    lines_.emplace_back(trim(line));
  }
  std::string text() const {
    const std::scoped_lock lock(mutex_);
    return join(lines_, "; ");
  }

 private:
  mutable std::mutex mutex_;  ///< guards lines_
  std::vector<std::string> lines_;
};

std::string text_of(const Json& value) {
  if (value.is_string()) return printable(value.get<std::string>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// "options" of a result as they are shown.
std::vector<std::pair<std::string, std::string>> knobs_of(const Json& options) {
  std::vector<std::pair<std::string, std::string>> knobs;
  if (!options.is_object()) return knobs;
  for (const auto& [name, value] : options.items()) {
    knobs.emplace_back(printable(name), text_of(value));
  }
  return knobs;
}

double number_in(const Json& json, const char* key) {
  const bool has = json.is_object() && json.contains(key) && json.at(key).is_number();
  return has ? json.at(key).get<double>() : 0;
}

ServeIdentity identity_of(const Context& context, const ServingSetup& setup) {
  ServeIdentity identity;
  identity.command = context.command_line();
  identity.model = setup.model.name;
  identity.workload = setup.workload.name;
  identity.machine = setup.machine.name;
  identity.fingerprint = setup.machine.fingerprint();
  identity.status = name_of(RunStatus::kRunning);
  identity.knobs = knobs_of(options_json(setup));
  identity.slo = read_slo(context.arguments());
  return identity;
}

/// Follows a run on behalf of the screen: copies what there is now and then, waits where it is
/// slowed down, and takes commands.
class Follower {
 public:
  Follower(const ServeJob& job, const JobProgress& progress, ServeIdentity identity,
           int64_t requests)
      : progress_(progress),
        identity_(std::move(identity)),
        requests_(requests),
        pace_(job.pace, job.is_paused),
        begun_(wall_seconds()) {}

  bool is_over() const { return pace_.has_ended() || progress_.is_cancelled(); }
  int64_t most_repeated() const { return pace_.most_repeated(); }

  void follow(const ServingSoFar& so_far) {
    const StepRecord& last = so_far.steps.back();
    const int64_t steps = last.first_step + last.count;
    if (requests_ > 0) {
      progress_.tell(static_cast<double>(so_far.finished) / static_cast<double>(requests_));
    }
    bool was_shown_still = false;
    for (;;) {
      for (const JobCommand& command : progress_.commands()) {
        const auto* wanted = std::get_if<ServeCommand>(&command);
        if (!wanted) continue;
        pace_.take(*wanted, steps, so_far.now_ns, wall_seconds());
        was_shown_still = false;
      }
      const double wait = pace_.wait(steps, so_far.now_ns, wall_seconds());
      if (is_over()) return;
      // Standing still it shows itself once, whole; else now and then.
      if (pace_.is_paused() ? !was_shown_still : wall_seconds() >= next_show_) show(so_far);
      was_shown_still = pace_.is_paused();
      if (wait <= 0) return;
      progress_.wait(std::min(wait, std::max(0.0, pace_.is_paused() ? wait : kShowSeconds)));
    }
  }

 private:
  static constexpr double kShowSeconds = 0.1;

  /// At most ten times a second, and at most a tenth of the time.
  void show(const ServingSoFar& so_far) {
    const double begin = wall_seconds();
    auto view = std::make_shared<ServeView>();
    view->identity = identity_;
    view->progress = {.now_ns = so_far.now_ns,
                      .finished = so_far.finished,
                      .requests = requests_,
                      .running = so_far.running,
                      .waiting = so_far.waiting,
                      .is_paused = pace_.is_paused(),
                      .wall_seconds = begin - begun_,
                      .pace = pace_.pace()};
    copy_so_far(so_far, pace_.is_paused() ? SIZE_MAX : kMostLive, *view);
    complete_view(*view);
    progress_.show(std::shared_ptr<const ServeView>(std::move(view)));
    const double end = wall_seconds();
    next_show_ = end + std::max(kShowSeconds, 9 * (end - begin));
  }

  const JobProgress& progress_;
  ServeIdentity identity_;
  int64_t requests_;
  ServePace pace_;
  double begun_;
  double next_show_ = 0;
};

/// Replaces the record of a view by all that a run came to.
void take_result(const ServingResult& result, ServeView& view) {
  view.record = {result.requests, result.step_end_ns, result.steps, result.events, {}};
  for (RequestRecord& request : view.record.requests) request.output_ids = {};
  for (const OpTime& op : result.by_op) view.record.ops.push_back(op.op);
  view.ids.resize(view.record.requests.size());
  for (size_t i = 0; i < view.ids.size(); ++i) view.ids[i] = static_cast<int64_t>(i);
}

/// The device of a run that is about to begin, for what is shown of it.
void add_capacity(const Capacity& capacity, ServeIdentity& identity) {
  identity.peak_flops = capacity.peak_flops;
  identity.peak_bytes_per_s = capacity.peak_bytes_per_s;
  identity.kv_blocks = capacity.kv_blocks;
}

/// The executor of a setup with a plan, which must outlive it.
std::unique_ptr<ModelExecutor> executor_of(const ServingSetup& setup, const Plan* plan) {
  ModelExecutorOptions options = setup.executor;
  options.plan = plan;
  return std::make_unique<ModelExecutor>(setup.model, setup.machine, options);
}

/// The plan of a command line; null without one. It lives in `plans`.
const Plan* plan_of(const ReplayCommand& command, const ServingSetup& setup,
                    std::deque<Plan>& plans) {
  const Arguments& arguments = command.arguments();
  if (!arguments.has("plan") || arguments.text("plan") == kNoPlan) return nullptr;
  return &plans.emplace_back(load_plan(command.context(), arguments.text("plan"), setup.machine,
                                       setup.model.name, arguments.has("force")));
}

}  // namespace

void copy_so_far(const ServingSoFar& so_far, size_t most, ServeView& view) {
  std::vector<size_t> arrived;
  size_t gone = 0;
  for (size_t i = 0; i < so_far.requests.size(); ++i) {
    const RequestState& state = so_far.states[i];
    const bool has_arrived = state.is_queued || so_far.requests[i].first_scheduled_ns >= 0 ||
                             state.finish != FinishReason::kNone;
    if (!has_arrived) continue;
    arrived.push_back(i);
    if (state.finish != FinishReason::kNone) ++gone;
  }
  size_t left_out = gone > most ? gone - most : 0;
  int64_t first_step = 0;  // behind the tokens of those that are left out
  for (const size_t i : arrived) {
    if (left_out > 0 && so_far.states[i].finish != FinishReason::kNone) {
      --left_out;
      view.is_partial = true;
      if (so_far.requests[i].token_runs.empty()) continue;
      const TokenRun& last = so_far.requests[i].token_runs.back();
      first_step = std::max(first_step, last.first_step + last.count);
      continue;
    }
    view.ids.push_back(static_cast<int64_t>(i));
    view.record.requests.push_back(so_far.record_of(i));
  }
  std::span<const StepRecord> steps = so_far.steps;
  if (steps.size() > most) steps = steps.last(most);
  while (steps.size() > 1 && steps.front().first_step < first_step) steps = steps.subspan(1);
  view.is_partial = view.is_partial || steps.size() < so_far.steps.size();
  view.record.steps.assign(steps.begin(), steps.end());
  const StepRecord& last = so_far.steps.back();
  view.record.step_end_ns.assign(so_far.step_end_ns.begin(),
                                 so_far.step_end_ns.begin() + last.first_step + last.count);
  view.record.events.assign(so_far.events.begin(), so_far.events.end());
  for (const OpTime& op : so_far.by_op) view.record.ops.push_back(op.op);
}

std::shared_ptr<const ServeView> serve_run(const ServeJob& job, const JobProgress& progress) {
  Notes notes;
  const ReplayCommand command(job.words, job.db, job.machine,
                              [&](std::string_view line) { notes.add(line); });
  const Context& context = command.context();
  const ServingSetup setup = read_serving_setup(context, command.model());
  std::deque<Plan> plans;
  Replay replay;
  replay.plan = plan_of(command, setup, plans);
  replay.label = replay.plan ? context.arguments().text("plan") : kNoPlan;
  ServeIdentity identity = identity_of(context, setup);
  add_capacity(executor_of(setup, replay.plan)->capacity(), identity);
  progress.at(0);

  Store store = context.open_store();
  const std::unique_ptr<RunRecord> row = begin_replay(context, store, setup, replay);
  identity.run = row->id();
  Follower follower(job, progress, identity, std::ssize(setup.workload.requests));
  ServingCallbacks callbacks;
  callbacks.stop = [&] { return follower.is_over(); };
  callbacks.on_step = [&](const ServingSoFar& so_far) { follower.follow(so_far); };
  callbacks.most_repeated = [&] { return follower.most_repeated(); };
  serve_replay(setup, {.slo = identity.slo}, callbacks, replay);
  keep_replay(store, *row, setup, replay);

  auto view = std::make_shared<ServeView>();
  view->identity = std::move(identity);
  view->identity.status =
      name_of(replay.result.interrupted ? RunStatus::kInterrupted : RunStatus::kDone);
  take_result(replay.result, *view);
  complete_view(*view);
  for (const std::string& note : notes_on({replay}, setup)) notes.add(note);
  view->note = notes.text();
  return view;
}

std::shared_ptr<const ServeView> load_serve(const LoadServeJob& job) {
  Store store = Store::open(job.db, OpenMode::kReadOnly);
  const Run run = store.load_run(job.run);
  if (run.kind != RunKind::kServe) {
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} is of kind {}, not a serving run", run.id, name_of(run.kind)));
  }
  std::optional<ServingRecord> record = read_serving_record(store, run.id);
  if (!record) {
    throw Error(ErrorKind::kNotFound, fmt::format("run {} kept no steps (its status is '{}')",
                                                  run.id, name_of(run.status)));
  }
  auto view = std::make_shared<ServeView>();
  ServeIdentity& identity = view->identity;
  const Json result = stored_result(run);
  const auto text_in = [&](const std::string& text) { return printable(text, text.size()); };
  identity.run = run.id;
  identity.command = text_in(run.command);
  identity.model = text_in(run.model);
  identity.workload = text_in(run.workload);
  identity.machine = text_in(run.machine_name);
  identity.fingerprint = text_in(run.machine_fingerprint);
  identity.status = name_of(run.status);
  if (result.is_object() && result.contains("options")) {
    identity.knobs = knobs_of(result.at("options"));
  }
  identity.slo = slo_of_command(run.command);
  identity.peak_flops = number_in(result, "peak_flops");
  identity.peak_bytes_per_s = number_in(result, "peak_bytes_per_s");
  constexpr double kMostBlocks = 1e15;
  identity.kv_blocks =
      static_cast<int64_t>(std::clamp(number_in(result, "kv_blocks"), 0.0, kMostBlocks));
  view->record = std::move(*record);
  view->ids.resize(view->record.requests.size());
  for (size_t i = 0; i < view->ids.size(); ++i) view->ids[i] = static_cast<int64_t>(i);
  complete_view(*view);
  return view;
}

std::shared_ptr<const StepKernels> step_kernels(const StepKernelsJob& job) {
  const ServeView& view = *job.view;
  const ReplayCommand command(words_of_command(view.identity.command), job.db, job.machine,
                              [](std::string_view) {});
  const ServingSetup setup = read_engine_setup(command.context(), command.model());
  if (setup.machine.fingerprint() != view.identity.fingerprint) {
    throw Error(ErrorKind::kCheckFailed,
                fmt::format("{} is not the machine of that run ({} {}): its parameters have "
                            "changed since, or it is another one",
                            setup.machine.name, view.identity.machine, view.identity.fingerprint));
  }
  std::deque<Plan> plans;
  const Plan* plan = plan_of(command, setup, plans);
  const std::unique_ptr<ModelExecutor> executor = executor_of(setup, plan);
  const auto machine = std::make_shared<const NamedMachine>(command.machine(), setup.machine);
  auto kernels = std::make_shared<StepKernels>();
  kernels->view = job.view;
  kernels->step = job.step;
  const StepBatch known = batch_of(view, job.step);
  kernels->missing = known.missing;
  for (StepLaunch& launch : executor->launches(known.batch)) {
    if (launch.op == "attention" && !known.missing.empty()) continue;
    kernels->kernels.push_back({std::move(launch.op),
                                launch.calls,
                                launch.is_tuned,
                                {machine, std::move(launch.problem), std::move(launch.config)}});
  }
  return kernels;
}

}  // namespace tilewright
