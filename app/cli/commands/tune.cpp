// `tilewright tune`: searches the best configs of a kernel's problem, of a family of them, or of
// all GEMMs that a workload makes of a model.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "app/cli/batch_file.h"
#include "app/cli/clock.h"
#include "app/cli/cluster.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/commands/tune_target.h"
#include "app/cli/evaluator_arguments.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/tune_forecast.h"
#include "app/cli/tune_report.h"
#include "app/cli/tune_target.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/space_index.h"
#include "db/run_process.h"
#include "kernels/kernel.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/search/strategy.h"
#include "tuner/session/active_search.h"
#include "tuner/session/family_session.h"

namespace tilewright {

namespace {

constexpr int64_t kModelEvaluations = 24;    // for each problem of a model
constexpr int64_t kMemberEvaluations = 64;   // for each number of rows of a range
constexpr int64_t kKernelEvaluations = 200;  // for the one problem of a kernel

std::string_view state_of(const Run& run) {
  switch (run.status) {
    case RunStatus::kRunning:
      return state_of_process(run.process).is_gone ? "whose process is gone" : "which never ended";
    case RunStatus::kDone:
      return "which is complete";
    case RunStatus::kInterrupted:
      return "which was interrupted";
    case RunStatus::kFailed:
      return "which failed";
  }
  TW_CHECK(false, "a status outside its enumeration");
  return "";
}

/// "run 3, which process 4711 (`tilewright tune gemm`) is at"; empty where none is known to be.
std::string who_is_at(const Run& run) {
  const ProcessState process = state_of_process(run.process);
  if (!process.is_alive) return "";
  return fmt::format("run {}, which process {} (`{}`) is at", run.id, process.pid,
                     command_of_process(process.pid));
}

/// The last run of the target that no other process is at.
Run latest_run(const TuneTarget& target, Store& store) {
  std::string others;
  std::optional<Run> run = store.latest_run_labelled(target.label, RunKind::kTune);
  for (; run; run = store.latest_run_labelled(target.label, RunKind::kTune, run->id)) {
    const std::string other = who_is_at(*run);
    if (other.empty()) return *run;
    others += fmt::format("{}{}", others.empty() ? ", but for " : " and ", other);
  }
  throw Error(ErrorKind::kNotFound, fmt::format("no run tuned {} before{}", target.label, others));
}

/// The run whose number --resume gives, as far as it can be judged before the target is known;
/// nothing without a number.
std::optional<Run> numbered_run(const Arguments& arguments, Store& store) {
  if (!arguments.has("resume") || arguments.text("resume") == "latest") return std::nullopt;
  Run run = store.load_run(parse_int(arguments.text("resume"), "--resume"));
  if (run.kind != RunKind::kTune) {
    throw Error(ErrorKind::kUsage, fmt::format("--resume {}: that run is no tuning but {}", run.id,
                                               printable(run.label, 160)));
  }
  const std::string other = who_is_at(run);
  if (other.empty()) return run;
  throw Error(ErrorKind::kFailed, fmt::format("cannot go on with {}", other));
}

/// The run that --resume names; empty without it.
std::optional<Run> resumed_run(const Context& context, const TuneTarget& target, Store& store) {
  const Arguments& arguments = context.arguments();
  if (!arguments.has("resume")) return std::nullopt;
  if (arguments.text("resume") == "latest") {
    Run run = latest_run(target, store);
    context.note(fmt::format("going on with run {} of {}, {}", run.id, run.date, state_of(run)));
    return run;
  }
  std::optional<Run> run = numbered_run(arguments, store);
  if (run->label == target.label) return run;
  throw Error(ErrorKind::kUsage, fmt::format("--resume {}: that run did not tune {} but {}",
                                             run->id, target.label, printable(run->label, 160)));
}

/// A run holds what one evaluator says of one machine: its winners would no longer be of the run
/// that the database describes.
void refuse_other_run(const Run& run, const TuneTarget& target, const std::string& evaluator,
                      Store& store) {
  if (run.machine_fingerprint != target.fingerprint()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--resume {}: that run is of the machine {} ({}), not of {} ({})",
                            run.id, printable(run.machine_name), run.machine_fingerprint,
                            target.machine_name(), target.fingerprint()));
  }
  // Of another version of the simulator: what it said is not current and is left out.
  const auto kind = [](std::string_view id) {
    return id.starts_with("sim/") ? fmt::format("sim{}", id.substr(id.rfind('/')))
                                  : std::string(id);
  };
  for (const StoredTrial& trial : store.trials(run.id)) {
    // The default is always timed by the run's own evaluator, never by a cheaper one.
    if (trial.proposer != "baseline" || kind(trial.key.evaluator) == kind(evaluator)) continue;
    throw Error(
        ErrorKind::kUsage,
        fmt::format("--resume {}: that run is timed by {}, not by {}; give its --evaluator "
                    "and --fidelity, or tune without --resume",
                    run.id, printable(trial.key.evaluator, 160), printable(evaluator, 160)));
  }
}

/// The last run of the target on the same machine, before the run `before` where that is not 0.
std::optional<Run> earlier_run(const TuneTarget& target, Store& store, int64_t before) {
  std::optional<Run> run = store.latest_run_labelled(target.label, RunKind::kTune, before);
  while (run && run->machine_fingerprint != target.fingerprint()) {
    run = store.latest_run_labelled(target.label, RunKind::kTune, run->id);
  }
  return run;
}

TuneOptions tune_options(const Context& context, const TuneTarget& target, Store* store,
                         int64_t resumed_run = 0) {
  const Arguments& arguments = context.arguments();
  const TuneBudget budget = read_budget(arguments);
  const bool is_one = target.is_one();
  TuneOptions options;
  // Of several problems the first would use up the time of the others.
  const bool wants_all =
      arguments.text("strategy") == "exhaustive" || (is_one && budget.seconds > 0);
  options.max_evaluations = budget.evaluations.value_or(wants_all            ? 0
                                                        : is_one             ? kKernelEvaluations
                                                        : target.is_family() ? kMemberEvaluations
                                                                             : kModelEvaluations);
  options.max_seconds = budget.seconds;
  options.min_gain = budget.gain;
  options.seed = static_cast<uint64_t>(context.globals().seed);
  options.batch = read_batch(arguments);
  // Shards do not see each other, so none begins with what another one found.
  options.transfer = !arguments.has("no-transfer") && !arguments.has("shard");
  options.analyse = is_one;
  const double regret = read_regret(arguments);
  if (!is_one) options.max_regret = regret;
  options.strategy = kDefaultStrategy;
  if (arguments.has("strategy")) {
    options.strategy = arguments.text("strategy");
    check_strategy(options.strategy);
  } else if (is_one) {
    const SpaceIndex space(target.problems.front().space);
    const int64_t most = options.max_evaluations > 0 ? options.max_evaluations : kKernelEvaluations;
    if (space.size() <= most) options.strategy = "exhaustive";
  }
  if (store == nullptr) return options;
  options.resumed_run = resumed_run;
  const std::optional<Run> earlier = earlier_run(target, *store, resumed_run);
  if (earlier) options.earlier_run = earlier->id;
  return options;
}

/// One tuning with all that there is to say of it.
struct Tuning {
  TuneTarget target;
  TuneOptions options;
  std::string evaluator;  ///< its id
  int64_t run = 0;
  TuneResult result;
  TuneSummary summary;
  double wall_ms = 0;
};

TuneHooks hooks_of(const Context& context, const TunePlace& place, Progress& progress) {
  TuneHooks hooks;
  hooks.stop = [&context] { return context.is_stopped(); };
  hooks.event = place.watcher.event;
  hooks.control = place.watcher.control;
  hooks.seconds = wall_seconds;
  hooks.date = iso_date;
  hooks.progress = [&](const TuneProgress& at) {
    if (place.progress) return place.progress(at);
    progress.update([&] {
      return fmt::format("tuning: {}/{} configs, {} new, {}: {} (untuned {})", at.done, at.total,
                         at.evaluations, at.problem, format_us(at.best_us),
                         format_us(at.baseline_us));
    });
  };
  return hooks;
}

/// Whether a cheaper evaluator decides what is worth this one.
bool is_ladder(const Arguments& arguments, const Evaluator& evaluator) {
  return evaluator.id() == simulator_evaluator_id(Fidelity::kDetailed) &&
         read_tune_fidelity(arguments) == TuneFidelity::kLadder;
}

TuneResult search(Context& context, const TunePlace& place, Tuning& tuning,
                  const Evaluator& evaluator) {
  TuneTarget& target = tuning.target;
  const KeyMaker key_of = [&](const Problem& problem, const Config& config) {
    return target.key(problem, config);
  };
  Progress progress(context.console().err(), context.globals().quiet);
  const TuneHooks hooks = hooks_of(context, place, progress);
  const int jobs = context.globals().jobs;
  const auto pool = place.cluster.pool(evaluator, target.machine, jobs);
  // The cheaper evaluator is not worth sending anything to other processes.
  const SimulatorEvaluator composed(target.machine, Fidelity::kComposed);
  ThreadEvaluation screening(composed, jobs, wall_seconds);
  TuneOptions options = tuning.options;
  if (is_ladder(context.arguments(), evaluator)) {
    options.screening = &screening;
    options.can_screen = [&](const Problem& problem, const Config& config) {
      return composed.is_cheaper(problem, config);
    };
  }
  const bool has_range = target.is_family() && target.range->values.empty();
  if (has_range && place.shard.is_whole()) {
    return tune_family(target.problems, target.family, key_of, *pool, place.store, tuning.run,
                       options, hooks);
  }
  return tune(target.problems, key_of, *pool, place.store, tuning.run, options, hooks);
}

/// What the configs of the rows mean, for exports.
Json described_problems(const ForeignTarget& foreign) {
  Json described = Json::array();
  for (const ForeignProblem& each : foreign.problems) {
    described.push_back(describe_configs(each.kernel, each.problem.problem.text(),
                                         each.problem.space.parameters(), each.kinds));
  }
  return described;
}

Json json_of(const Tuning& tuning, bool with_winners, double wall_ms) {
  const TuneTarget& target = tuning.target;
  Json json = output_object();
  json["session"] = tuning.run;
  json["target"] = target.label;
  json["model"] = target.model.empty() ? Json(nullptr) : Json(target.model);
  json["workload"] = target.workload.empty() ? Json(nullptr) : Json(target.workload);
  json["machine"] = {{"name", target.machine_name()}, {"fingerprint", target.fingerprint()}};
  json["evaluator"] = tuning.evaluator;
  json["strategy"] = tuning.options.strategy;
  if (target.foreign) json["tables"] = described_problems(*target.foreign);
  json["resumed"] = tuning.options.resumed_run > 0;
  add_to_json(tuning.summary, with_winners, json);
  json["wall_ms"] = wall_ms;
  return json;
}

/// Configs that were to be tried of all problems; nothing where no budget says so.
std::optional<int64_t> planned_tries(const Tuning& tuning) {
  int64_t planned = 0;
  for (const TunedProblem& tuned : tuning.result.problems) {
    const int64_t tried = tuned.evaluations + tuned.cache_hits + tuned.screened;
    if (!tuned.complete && tuning.options.max_evaluations == 0) return std::nullopt;
    const int64_t most =
        std::min(tuning.options.max_evaluations, tuned.problem->space.product_size());
    planned += tuned.complete ? tried : std::max(tried, most);
  }
  return planned;
}

/// What is kept of a tuning: the counts are those of all tries of the run, also of the parts before
/// it was resumed, each config of a problem once.
Json kept_json(const Tuning& tuning, Store& store) {
  Json json = json_of(tuning, false, tuning.wall_ms);
  if (const auto planned = planned_tries(tuning)) json["planned"] = *planned;
  TrialCounts whole;
  for (const auto& [problem, counts] : store.trial_counts(tuning.run, kScreening)) {
    whole.evaluations += counts.evaluations;
    whole.cache_hits += counts.cache_hits;
    whole.screened += counts.screened;
    whole.failures += counts.failures;
  }
  json["evaluations"] = whole.evaluations;
  json["cache_hits"] = whole.cache_hits;
  json["screened"] = whole.screened;
  json["failures"] = whole.failures;
  return json;
}

/// Problems for which nothing worked: nothing fits, unless the session ended before they had a
/// chance.
void refuse_empty(const TuneSummary& summary) {
  const TuneResult& result = *summary.result;
  if (summary.found > 0 || result.interrupted || result.out_of_time) return;
  if (result.problems.empty()) {
    throw Error(ErrorKind::kNotFound, "the workload makes no step, so there is nothing to tune");
  }
  const TunedProblem& first = result.problems.front();
  if (first.failures == 0) {  // only the default was tried, and the limits exclude it
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no config of {} was tried that may win: the budget ended with the "
                            "default, which is always timed first and which --pin, --ban or "
                            "--constraint exclude; raise --budget evaluations",
                            first.problem->problem.text()));
  }
  const std::string problem = first.problem->problem.text();
  throw Error(
      ErrorKind::kInfeasible,
      first.failures == 1
          ? fmt::format("{}: the one config tried does not work: {}", problem, first.failure)
          : fmt::format("{}: none of the {} configs tried works; the first failed with: {}",
                        problem, format_count(first.failures), first.failure));
}

/// How much of a kernel's space was tried, where it is not all of it; "" for several problems.
std::string coverage_line(const TuneTarget& target, const TuneResult& result) {
  if (!target.is_one()) return "";
  const TuneProblem& searched = target.problems.front();
  const Space whole =
      target.foreign ? searched.space
                     : find_kernel(searched.problem.kernel).space(searched.problem, target.machine);
  const int64_t legal = SpaceIndex(whole).size();
  const int64_t tried = result.evaluations + result.cache_hits + result.screened;
  if (tried >= legal) return "";
  const int64_t searchable = SpaceIndex(searched.space).size();
  const std::string rest =
      searchable == legal ? "" : fmt::format("; {} were to be searched", format_count(searchable));
  return fmt::format("{} of {} legal configs tried{}\n", format_count(tried), format_count(legal),
                     rest);
}

void warn_early_end(const Context& context, const TuneResult& result, int64_t run) {
  if (!result.interrupted && !result.out_of_time) return;
  const auto complete = std::ranges::count_if(result.problems, &TunedProblem::complete);
  context.warn(
      fmt::format("{}: {} of {} problems are complete; everything measured is kept, "
                  "--resume {} goes on from there",
                  result.interrupted ? "interrupted" : "the time is over", complete,
                  result.problems.size(), run));
}

/// What a command line names, less what other shards have of it. Nothing when interrupted.
std::optional<TuneTarget> read_target(Context& context, const Shard& shard) {
  check_tune_arguments(context.arguments());
  check_evaluator_arguments(context.arguments(), {});
  std::optional<TuneTarget> target = read_tune_target(context);
  if (target) shard.keep_own(target->problems);
  return target;
}

/// The row of a tuning: a new one, or that of the run which it continues.
std::unique_ptr<RunRecord> begin_record(const Context& context, Store& store,
                                        const TuneTarget& target,
                                        const std::optional<Run>& resumed) {
  if (resumed) return std::make_unique<RunRecord>(store, *resumed);
  const RunIdentity identity{.kind = RunKind::kTune,
                             .label = target.label,
                             .model = target.model,
                             .workload = target.workload};
  if (!target.device) {
    return std::make_unique<RunRecord>(context, store, target.machine, identity);
  }
  const RunOrigin origin{context.command_line(), context.globals().seed};
  return std::make_unique<RunRecord>(origin, store, *target.device, identity);
}

/// What is to be tried, for those who follow a run or find it killed.
Json plan_json(const Tuning& tuning) {
  Json json;
  json["strategy"] = tuning.options.strategy;
  json["budget"] = tuning.options.max_evaluations;
  json["evaluator"] = tuning.evaluator;
  json["problems"] = Json::array();
  for (const TuneProblem& problem : tuning.target.problems) {
    // Of a range only the members that are needed are searched, which nobody knows in advance.
    const bool is_bounded = tuning.options.max_evaluations > 0 && !tuning.target.is_family();
    const int64_t most = std::min(tuning.options.max_evaluations, problem.space.product_size());
    json["problems"].push_back({{"problem", problem.problem.text()},
                                {"ops", problem.ops},
                                {"planned", is_bounded ? most : 0}});
  }
  return json;
}

/// Nothing when interrupted before anything was measured. The result refers to problems in it, so
/// it stays where it is.
std::unique_ptr<Tuning> run_tuning(Context& context, const TunePlace& place) {
  numbered_run(context.arguments(), place.store);  // refused before a workload is served
  std::optional<TuneTarget> target = read_target(context, place.shard);
  if (!target || context.is_stopped()) return nullptr;
  auto tuning = std::make_unique<Tuning>();
  tuning->target = std::move(*target);
  const TuneTarget& what = tuning->target;
  if (what.problems.empty() && !place.shard.is_whole()) return tuning;
  const std::optional<Run> resumed = resumed_run(context, what, place.store);
  tuning->options = tune_options(context, what, &place.store, resumed ? resumed->id : 0);
  if (!place.shard.is_whole()) tuning->options.max_regret.reset();  // not all rows are here
  const auto evaluator = make_evaluator(context.arguments(), what.machine, what.problems);
  tuning->evaluator = evaluator->id();
  if (resumed) refuse_other_run(*resumed, what, tuning->evaluator, place.store);
  const auto record = begin_record(context, place.store, what, resumed);
  tuning->run = record->id();
  place.store.plan_run(tuning->run,
                       plan_json(*tuning).dump(-1, ' ', false, Json::error_handler_t::replace));
  if (place.watcher.begun) {
    place.watcher.begun(what, tuning->options, tuning->run, tuning->evaluator);
  }
  tuning->result = search(context, place, *tuning, *evaluator);
  if (place.watcher.ended) place.watcher.ended(tuning->result);
  tuning->summary = summarise(tuning->result, what.calls);
  refuse_empty(tuning->summary);
  tuning->wall_ms = record->wall_ms();
  record->finish(tuning->result.interrupted ? RunStatus::kInterrupted : RunStatus::kDone,
                 kept_json(*tuning, place.store));
  return tuning;
}

}  // namespace

TuneOutcome tune_target(Context& context, const TunePlace& place) {
  const std::unique_ptr<Tuning> tuning = run_tuning(context, place);
  TuneOutcome outcome;
  outcome.interrupted = !tuning || tuning->result.interrupted;
  if (!tuning) return outcome;
  const TuneSummary& summary = tuning->summary;
  outcome.run = tuning->run;
  outcome.target = tuning->target.label;
  outcome.problems = std::ssize(tuning->target.problems);
  outcome.evaluations = tuning->result.evaluations;
  outcome.cache_hits = tuning->result.cache_hits;
  outcome.failures = summary.failures;
  outcome.baseline_us = summary.baseline_us;
  outcome.best_us = summary.best_us;
  outcome.out_of_time = tuning->result.out_of_time;
  return outcome;
}

TuneForecast forecast_target(Context& context, Store* store, const Shard& shard) {
  const std::optional<TuneTarget> target = read_target(context, shard);
  if (!target || target->problems.empty()) return {};
  TuneOptions options = tune_options(context, *target, store);
  if (!shard.is_whole()) options.max_regret.reset();
  const auto evaluator = make_evaluator(context.arguments(), target->machine, target->problems);
  const SimulatorEvaluator composed(target->machine, Fidelity::kComposed);
  std::vector<const Evaluator*> evaluators = {evaluator.get()};
  if (is_ladder(context.arguments(), *evaluator)) evaluators.push_back(&composed);
  return forecast(*target, options, evaluators, store);
}

int run_tune(Context& context) {
  const InterruptGuard guard;
  const Shard shard = read_shard(context.arguments());
  Cluster cluster(context);
  if (cluster.is_worker()) return cluster.work(context.arguments());
  if (context.arguments().has("dry-run")) return run_tune_forecast(context, shard);
  if (is_batch_file(context.arguments().positionals()[0])) {
    return run_tune_batch(context, cluster, shard);
  }
  Store store = open_shard(context, shard);
  const std::unique_ptr<Tuning> tuning = run_tuning(context, {store, cluster, shard, {}});
  if (!tuning) {
    context.warn("interrupted before the tuning began; nothing was measured");
    return kExitInterrupted;
  }
  if (tuning->run == 0) {
    context.note(fmt::format("shard {} has none of the problems", shard.text()));
    if (context.globals().json) {
      Json json = output_object();
      json["session"] = nullptr;
      json["problems"] = Json::array();
      context.print_json(json);
    }
    return kExitOk;
  }
  if (context.globals().json) {
    context.print_json(json_of(*tuning, true, tuning->wall_ms));
  } else if (context.globals().csv) {
    context.print_table(winner_table(tuning->summary));
  } else {
    const TuneTarget& target = tuning->target;
    context.print(fmt::format("{} on {} ({})\n", context.heading(target.label),
                              target.machine_name(), target.fingerprint()));
    context.print(tune_text(tuning->summary, tuning->run, coverage_line(target, tuning->result)));
  }
  warn_early_end(context, tuning->result, tuning->run);
  return tuning->result.interrupted ? kExitInterrupted : kExitOk;
}

}  // namespace tilewright
