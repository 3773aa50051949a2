// `tilewright replay MODEL`: a workload in virtual time, with a plan and without.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/plan_file.h"
#include "app/cli/progress.h"
#include "app/cli/serving_run.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/thread_pool.h"
#include "core/serving/engine.h"
#include "core/serving/prometheus.h"

namespace tilewright {

namespace {

/// What is asked of the latencies, and what the text shows of them.
struct Measured {
  MetricsOptions options;
  std::vector<double> shown = {50, 99};  ///< percentiles
};

Measured read_measured(const Arguments& arguments) {
  Measured measured;
  measured.options.slo = read_slo(arguments);
  if (arguments.has("percentiles")) {
    measured.shown = parse_percentiles(arguments.text("percentiles"));
    measured.options.percentiles = measured.shown;
  }
  return measured;
}

bool read_detailed(const Context& context) {
  const bool detailed = context.arguments().has("detailed");
  if (detailed && !context.globals().json) {
    throw Error(ErrorKind::kUsage, "--detailed adds lists to the output of --json; give that, too");
  }
  return detailed;
}

/// The file of --metrics, opened before the run, so that one that cannot be written costs no time;
/// null when it is not asked for.
std::unique_ptr<FileWriter> metrics_file(const Arguments& arguments) {
  if (!arguments.has("metrics")) return nullptr;
  if (arguments.has("compare")) {
    throw Error(ErrorKind::kUsage,
                "--metrics writes the metrics of one run, and --compare makes two");
  }
  return std::make_unique<FileWriter>(arguments.text("metrics"));
}

void write_metrics(FileWriter& file, const Replay& replay, const ServingSetup& setup) {
  file.write(prometheus_text({.model_name = setup.model.name,
                              .workload = setup.workload,
                              .requests = replay.result.requests,
                              .step_end_ns = replay.result.step_end_ns,
                              .totals = replay.totals}));
  file.commit();
}

/// The runs that are asked for; their plans live in `plans`, whose elements do not move.
std::vector<Replay> planned_replays(const Context& context, const ServingSetup& setup,
                                    std::deque<Plan>& plans) {
  const Arguments& arguments = context.arguments();
  if (arguments.has("compare") && !arguments.has("plan")) {
    throw Error(ErrorKind::kUsage, "--compare needs a --plan to compare with");
  }
  std::vector<Replay> replays;
  const auto add = [&](const std::string& path) {
    Replay& replay = replays.emplace_back();
    replay.label = path;
    if (path == kNoPlan) return;
    replay.plan = &plans.emplace_back(
        load_plan(context, path, setup.machine, setup.model.name, arguments.has("force")));
  };
  add(arguments.has("plan") ? arguments.text("plan") : kNoPlan);
  if (arguments.has("compare")) add(arguments.text("compare"));
  return replays;
}

/// Progress of runs that go on side by side.
class Board {
 public:
  Board(const Stream& stream, bool quiet, size_t runs) : progress_(stream, quiet), runs_(runs) {}

  void report(size_t run, const ServingProgress& at) {
    const std::lock_guard lock(mutex_);
    runs_[run] = at;
    progress_.update([&] {
      int64_t finished = 0, requests = 0, steps = 0;
      for (const ServingProgress& each : runs_) {
        finished += each.finished;
        requests += std::max(each.requests, at.requests);
        steps += each.steps;
      }
      return fmt::format("replaying: {}/{} requests, {} steps", finished, requests,
                         format_count(steps));
    });
  }

 private:
  Progress progress_;
  std::mutex mutex_;  // guards runs_
  std::vector<ServingProgress> runs_;
};

void execute(const ServingSetup& setup, const MetricsOptions& measured, size_t index, Board& board,
             Replay& replay) {
  ServingCallbacks callbacks;
  callbacks.stop = interrupted;
  callbacks.progress = [&](const ServingProgress& at) { board.report(index, at); };
  serve_replay(setup, measured, callbacks, replay);
}

Json json_of(const Replay& replay, const ServingSetup& setup, bool detailed) {
  Json json = to_json(replay, setup);
  if (detailed) json.update(detailed_json(replay.result.requests, replay.result.step_end_ns));
  return json;
}

Json json_of(const std::vector<Replay>& replays, const ServingSetup& setup, bool detailed) {
  if (replays.size() == 1) return json_of(replays[0], setup, detailed);
  Json json = output_object();
  Json& runs = json["runs"] = Json::array();
  for (const Replay& replay : replays) runs.push_back(json_of(replay, setup, detailed));
  Json& gain = json["gain"] = Json::object();
  for (const Gain& each : gains(replays[0], replays[1])) gain[each.key] = each.gain;
  return json;
}

/// Options of sampling, which only a run of real tokens over prompts has.
void refuse_token_options(const Arguments& arguments) {
  if (arguments.has("reference") && arguments.has("prompts")) {
    throw Error(ErrorKind::kUsage, "--reference and --prompts are two runs; give one");
  }
  if (arguments.has("prompts")) return;
  for (const char* option : {"temperature", "top-k", "top-p", "stop-token-ids"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage, fmt::format("--{} needs --prompts FILE", option));
  }
}

/// Options that only a run of real tokens has.
void refuse_reference_options(const Arguments& arguments) {
  for (const char* option : {"executor", "chunk"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--{} needs --reference FILE or --prompts FILE", option));
  }
}

/// Serves all and keeps them, each as soon as it and those before it have ended; true when they
/// were interrupted.
bool execute_all(Context& context, const ServingSetup& setup, const MetricsOptions& measured,
                 std::vector<Replay>& replays) {
  Store store = context.open_store();
  std::vector<std::unique_ptr<RunRecord>> records;
  for (const Replay& replay : replays) {
    records.push_back(begin_replay(context, store, setup, replay));
  }
  bool stopped = false;
  Board board(context.console().err(), context.globals().quiet, replays.size());
  parallel_in_order(
      replays.size(), context.globals().jobs,
      [&](size_t i) { execute(setup, measured, i, board, replays[i]); },
      [&](size_t i) {
        stopped = stopped || replays[i].result.interrupted;
        keep_replay(store, *records[i], setup, replays[i]);
      },
      [] { return false; });  // serve() itself stops, so that every run has a result
  return stopped;
}

}  // namespace

int run_replay(Context& context) {
  refuse_token_options(context.arguments());
  if (context.arguments().has("reference")) return run_replay_reference(context);
  if (context.arguments().has("prompts")) return run_replay_tokens(context);
  refuse_reference_options(context.arguments());
  const InterruptGuard guard;
  const Measured measured = read_measured(context.arguments());
  const bool detailed = read_detailed(context);
  const std::unique_ptr<FileWriter> metrics = metrics_file(context.arguments());
  const ServingSetup setup = read_serving_setup(context, context.arguments().positionals()[0]);
  std::deque<Plan> plans;
  std::vector<Replay> replays = planned_replays(context, setup, plans);

  const bool stopped = execute_all(context, setup, measured.options, replays);
  if (context.globals().json) {
    context.print_json(json_of(replays, setup, detailed));
  } else {
    context.print(to_text(replays, setup, measured.shown, context));
  }
  if (metrics) write_metrics(*metrics, replays[0], setup);
  for (const std::string& note : notes_on(replays, setup)) context.warn(note);
  if (!stopped) {
    const auto is_empty = [](const Replay& replay) { return replay.metrics.completed == 0; };
    return std::ranges::all_of(replays, is_empty) ? kExitNothingFits : kExitOk;
  }
  context.warn("interrupted: the measures cover only what was served until then");
  return kExitInterrupted;
}

}  // namespace tilewright
