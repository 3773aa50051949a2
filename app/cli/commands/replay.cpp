// `tilewright replay MODEL`: a workload in virtual time, with a plan and without.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/plan_file.h"
#include "app/cli/progress.h"
#include "app/cli/replay_report.h"
#include "app/cli/serving_record.h"
#include "app/cli/serving_setup.h"
#include "app/cli/tune_report.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/base/thread_pool.h"
#include "core/serving/engine.h"
#include "core/serving/prometheus.h"
#include "core/serving/run_totals.h"
#include "kernels/executor/step_sampler.h"

namespace tilewright {

namespace {

constexpr const char* kNoPlan = "none";

Slo read_slo(const Arguments& arguments) {
  Slo slo;
  if (!arguments.has("slo")) return slo;
  const std::vector<std::string> known = {"ttft", "tpot", "e2el"};
  for (const auto& [name, value] : parse_assignments(arguments.text("slo"), "--slo")) {
    const std::string what = "--slo " + printable(name);
    const double limit = parse_ms(value, what);
    if (limit == 0)
      throw Error(ErrorKind::kUsage, fmt::format("{} {} is not above 0", what, value));
    if (name == known[0]) {
      slo.ttft_ms = limit;
    } else if (name == known[1]) {
      slo.tpot_ms = limit;
    } else if (name == known[2]) {
      slo.e2el_ms = limit;
    } else {
      throw Error(ErrorKind::kUsage, fmt::format("--slo has no '{}'{} (it has {})", printable(name),
                                                 did_you_mean(name, known), join(known, ", ")));
    }
  }
  return slo;
}

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

/// How far the times of steps are off, as shares of the simulated ones, ascending.
std::vector<double> audit(ModelExecutor& executor, const std::vector<Batch>& steps) {
  std::vector<double> errors;
  for (const Batch& step : steps) {
    const StepAudit audit = executor.audit(step);
    const auto simulated = static_cast<double>(audit.simulated_ns);
    errors.push_back(std::abs(static_cast<double>(audit.fast_ns) - simulated) / simulated);
  }
  std::ranges::sort(errors);
  return errors;
}

/// Error (infeasible) when a model and the one that drafts for it, which has as many KV blocks, do
/// not fit the memory together.
void check_memory_of_both(const ModelExecutor& model, const ModelExecutor& draft) {
  const MemoryBudget& large = model.memory();
  const MemoryBudget& small = draft.memory();
  // They run one after the other, so the larger activations are the peak of both.
  const int64_t fixed = large.weight_bytes + small.weight_bytes +
                        std::max(large.activation_bytes, small.activation_bytes);
  const int64_t kv = large.kv_bytes + small.kv_bytes;
  if (fixed + kv <= large.usable_bytes) return;
  const int64_t left = std::max<int64_t>(0, large.usable_bytes - fixed);
  const int64_t blocks = left / (kv / model.capacity().kv_blocks);
  throw Error(ErrorKind::kInfeasible,
              "the model and its draft model do not fit the memory together; " +
                  (blocks > 0 ? fmt::format("give --kv-blocks {} or fewer", blocks)
                              : std::string("take a smaller draft model")));
}

/// The smaller model that drafts, on the same chips; null without one.
std::unique_ptr<ModelExecutor> draft_model(const ServingSetup& setup, const ModelExecutor& model,
                                           ModelExecutorOptions options) {
  if (setup.draft_model.empty()) return nullptr;
  options.plan = nullptr;
  options.kv_blocks = model.capacity().kv_blocks;
  options.max_model_len = model.capacity().max_model_len;
  options.parallel.pp = 1;
  auto draft =
      std::make_unique<ModelExecutor>(load_model(setup.draft_model), setup.machine, options);
  check_memory_of_both(model, *draft);
  return draft;
}

void serve_one(const ServingSetup& setup, const MetricsOptions& measured, size_t index,
               Board& board, Replay& replay) {
  const int64_t audited = setup.audited_steps;
  const double started = wall_seconds();
  ModelExecutorOptions options = setup.executor;
  options.plan = replay.plan;
  ModelExecutor executor(setup.model, setup.machine, options);
  StepSampler sampler(executor, std::max<int64_t>(1, audited));
  Executor& device = audited > 0 ? static_cast<Executor&>(sampler) : executor;
  ServingCallbacks callbacks;
  callbacks.stop = interrupted;
  callbacks.progress = [&](const ServingProgress& at) { board.report(index, at); };
  const std::unique_ptr<ModelExecutor> draft = draft_model(setup, executor, options);
  replay.result = serve(setup.workload, device, setup.options, callbacks, draft.get());
  if (audited > 0 && !interrupted()) replay.audit_errors = audit(executor, sampler.samples());
  replay.memory = executor.memory();
  replay.metrics = compute_metrics(replay.result.requests, replay.result.step_end_ns, measured);
  replay.totals = totals_of(replay.result, executor.capacity());
  replay.totals.chips = options.parallel.tp * options.parallel.pp;
  replay.wall_seconds = wall_seconds() - started;
}

/// Errors say which plan was in use: its configs are only built when a step needs them.
void execute(const ServingSetup& setup, const MetricsOptions& measured, size_t index, Board& board,
             Replay& replay) {
  try {
    serve_one(setup, measured, index, board, replay);
  } catch (const Error& error) {
    if (!replay.plan) throw;
    throw error.in("with plan " + replay.label);
  }
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

std::unique_ptr<RunRecord> begin_record(const Context& context, Store& store,
                                        const ServingSetup& setup, const Replay& replay) {
  const std::string label = fmt::format("{} {} plan={}", setup.model.name, setup.workload.name,
                                        replay.plan ? replay.label : kNoPlan);
  return std::make_unique<RunRecord>(context, store, setup.machine,
                                     RunIdentity{.kind = RunKind::kServe,
                                                 .label = label,
                                                 .model = setup.model.name,
                                                 .workload = setup.workload.name});
}

/// The GEMMs of a run's steps, so that the database can say which of them have no tuned config.
std::vector<ServedProblem> served_problems(const ServingSetup& setup, const ServingResult& served) {
  std::vector<ServedProblem> problems;
  const CallCounts calls =
      count_calls(setup.model, served.step_tokens, served.step_samples, setup.layout);
  for (const auto& [problem, count] : calls) problems.push_back({problem, count});
  return problems;
}

/// Serves all and keeps them, each as soon as it and those before it have ended; true when they
/// were interrupted.
bool execute_all(Context& context, const ServingSetup& setup, const MetricsOptions& measured,
                 std::vector<Replay>& replays) {
  Store store = context.open_store();
  std::vector<std::unique_ptr<RunRecord>> records;
  for (const Replay& replay : replays) {
    records.push_back(begin_record(context, store, setup, replay));
  }
  bool stopped = false;
  Board board(context.console().err(), context.globals().quiet, replays.size());
  parallel_in_order(
      replays.size(), context.globals().jobs,
      [&](size_t i) { execute(setup, measured, i, board, replays[i]); },
      [&](size_t i) {
        const bool ended = !replays[i].result.interrupted;
        stopped = stopped || !ended;
        store.save_served_problems(records[i]->id(), served_problems(setup, replays[i].result));
        records[i]->finish(ended ? RunStatus::kDone : RunStatus::kInterrupted,
                           to_json(replays[i], setup), log_tables(replays[i].result));
      },
      [] { return false; });  // serve() itself stops, so that every run has a result
  return stopped;
}

void warn_of_rejections(const Context& context, const ServingSetup& setup,
                        const std::vector<Replay>& replays) {
  if (setup.executor.max_model_len > setup.model.max_positions) {
    context.warn(
        fmt::format("--max-model-len {} is beyond the {} positions that {} was trained for",
                    format_count(setup.executor.max_model_len),
                    format_count(setup.model.max_positions), setup.model.name));
  }
  std::string warned;  // runs of one comparison reject the same requests
  for (const Replay& replay : replays) {
    const std::string note = rejection_note(replay, setup);
    if (!note.empty() && note != warned) context.warn(note);
    warned = note;
  }
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
  warn_of_rejections(context, setup, replays);
  if (!stopped) {
    const auto is_empty = [](const Replay& replay) { return replay.metrics.completed == 0; };
    return std::ranges::all_of(replays, is_empty) ? kExitNothingFits : kExitOk;
  }
  context.warn("interrupted: the measures cover only what was served until then");
  return kExitInterrupted;
}

}  // namespace tilewright
