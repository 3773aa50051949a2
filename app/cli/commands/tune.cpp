// `tilewright tune`: searches the best configs of a kernel's problem, of a family of them, or of
// all GEMMs that a workload makes of a model.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/evaluator_arguments.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/tune_report.h"
#include "app/cli/tune_target.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/space_index.h"
#include "kernels/kernel.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/search/strategy.h"
#include "tuner/session/family_session.h"

namespace tilewright {

namespace {

constexpr int64_t kMemberEvaluations = 16;   // for each problem of a model or of a family
constexpr int64_t kKernelEvaluations = 200;  // for the one problem of a kernel

/// What times the configs of a session.
struct Timing {
  std::unique_ptr<Evaluator> evaluator;
  std::unique_ptr<Evaluator> screening;  ///< null: none
};

Timing make_timing(const Arguments& arguments, const TuneTarget& target) {
  const TuneFidelity fidelity = read_tune_fidelity(arguments);
  Timing timing;
  timing.evaluator = make_evaluator(arguments, target.machine, target.problems);
  if (arguments.text("evaluator") != "sim") {
    if (arguments.has("fidelity")) {
      throw Error(ErrorKind::kUsage, "--fidelity is of the simulator; leave it or --evaluator out");
    }
    return timing;
  }
  if (fidelity == TuneFidelity::kDetailed) return timing;
  auto composed = std::make_unique<SimulatorEvaluator>(target.machine, Fidelity::kComposed);
  (fidelity == TuneFidelity::kLadder ? timing.screening : timing.evaluator) = std::move(composed);
  return timing;
}

/// The run that --resume names; empty without it.
std::optional<Run> resumed_run(const Arguments& arguments, const TuneTarget& target, Store& store) {
  if (!arguments.has("resume")) return std::nullopt;
  const std::string text = arguments.text("resume");
  if (text == "latest") {
    const std::optional<Run> run = store.latest_run_labelled(target.label);
    if (run && run->kind == RunKind::kTune) return run;
    throw Error(ErrorKind::kNotFound, fmt::format("no run tuned {} before", target.label));
  }
  const Run run = store.load_run(parse_int(text, "--resume"));
  if (run.kind == RunKind::kTune && run.label == target.label) return run;
  throw Error(ErrorKind::kUsage, fmt::format("--resume {}: that run did not tune {} but {}", run.id,
                                             target.label, printable(run.label, 160)));
}

TuneOptions tune_options(const Context& context, const TuneTarget& target, Store& store) {
  const Arguments& arguments = context.arguments();
  const TuneBudget budget = read_budget(arguments);
  const bool is_one = !target.is_model() && !target.is_family();
  TuneOptions options;
  const bool wants_all = arguments.text("strategy") == "exhaustive";
  options.max_evaluations = budget.evaluations.value_or(wants_all ? 0
                                                        : is_one  ? kKernelEvaluations
                                                                  : kMemberEvaluations);
  options.max_seconds = budget.seconds;
  options.min_gain = budget.gain;
  options.seed = static_cast<uint64_t>(context.globals().seed);
  options.batch = static_cast<size_t>(arguments.integer("batch", 1, 4096));
  options.transfer = !arguments.has("no-transfer");
  options.analyse = is_one;
  if (!is_one) options.max_regret = read_regret(arguments);
  options.strategy = kDefaultStrategy;
  if (arguments.has("strategy")) {
    options.strategy = arguments.text("strategy");
    check_strategy(options.strategy);
  } else if (is_one) {
    const SpaceIndex space(target.problems.front().space);
    if (space.size() <= options.max_evaluations) options.strategy = "exhaustive";
  }
  if (const auto earlier = store.latest_run_labelled(target.label)) {
    if (earlier->kind == RunKind::kTune) options.earlier_run = earlier->id;
  }
  return options;
}

TuneResult search(Context& context, TuneTarget& target, TuneOptions options, const Timing& timing,
                  Store& store, int64_t run_id) {
  const KeyMaker key_of = [&](const Problem& problem, const Config& config) {
    return kernel_key(problem, config, target.machine);
  };
  Progress progress(context.console().err(), context.globals().quiet);
  TuneHooks hooks;
  hooks.stop = interrupted;
  hooks.seconds = wall_seconds;
  hooks.date = iso_date;
  hooks.progress = [&](const TuneProgress& at) {
    progress.update([&] {
      return fmt::format("tuning: {}/{} configs, {} new, {}: {} (untuned {})", at.done, at.total,
                         at.evaluations, at.problem, format_us(at.best_us),
                         format_us(at.baseline_us));
    });
  };
  const int jobs = context.globals().jobs;
  ThreadEvaluation pool(*timing.evaluator, jobs, wall_seconds);
  std::optional<ThreadEvaluation> screening;
  if (timing.screening) {
    screening.emplace(*timing.screening, jobs, wall_seconds);
    options.screening = &*screening;
  }
  if (target.is_family() && target.range->values.empty()) {
    return tune_family(target.problems, target.member, key_of, pool, store, run_id, options, hooks);
  }
  return tune(target.problems, key_of, pool, store, run_id, options, hooks);
}

Json json_of(const TuneTarget& target, const TuneOptions& options, const std::string& evaluator,
             int64_t session, const TuneSummary& summary, bool with_winners, double wall_ms) {
  Json json = output_object();
  json["session"] = session;
  json["target"] = target.label;
  json["model"] = target.model.empty() ? Json(nullptr) : Json(target.model);
  json["workload"] = target.workload.empty() ? Json(nullptr) : Json(target.workload);
  json["machine"] = machine_identity(target.machine);
  json["evaluator"] = evaluator;
  json["strategy"] = options.strategy;
  json["resumed"] = options.resumed_run > 0;
  add_to_json(summary, with_winners, json);
  json["wall_ms"] = wall_ms;
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
  throw Error(ErrorKind::kInfeasible, fmt::format("no config of {} works: {}",
                                                  first.problem->problem.text(), first.failure));
}

/// How much of a kernel's space was tried, where it is not all of it; "" for several problems.
std::string coverage_line(const TuneTarget& target, const TuneResult& result) {
  if (target.is_model() || target.is_family()) return "";
  const TuneProblem& searched = target.problems.front();
  const Kernel& kernel = find_kernel(searched.problem.kernel);
  const int64_t legal = SpaceIndex(kernel.space(searched.problem, target.machine)).size();
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

}  // namespace

int run_tune(Context& context) {
  const InterruptGuard guard;
  const Arguments& arguments = context.arguments();
  Store store = context.open_store();
  std::optional<TuneTarget> target = read_tune_target(context);
  if (!target || interrupted()) {
    context.warn("interrupted before the tuning began; nothing was measured");
    return kExitInterrupted;
  }
  const Timing timing = make_timing(arguments, *target);
  TuneOptions options = tune_options(context, *target, store);
  const std::optional<Run> resumed = resumed_run(arguments, *target, store);
  if (resumed) options.resumed_run = resumed->id;
  const RunIdentity identity = {.kind = RunKind::kTune,
                                .label = target->label,
                                .model = target->model,
                                .workload = target->workload};
  std::optional<RunRecord> record;
  if (resumed) {
    record.emplace(store, *resumed);
  } else {
    record.emplace(context, store, target->machine, identity);
  }
  const TuneResult result = search(context, *target, options, timing, store, record->id());
  const TuneSummary summary = summarise(result, target->calls);
  refuse_empty(summary);
  const auto json = [&](bool with_winners) {
    return json_of(*target, options, timing.evaluator->id(), record->id(), summary, with_winners,
                   record->wall_ms());
  };
  record->finish(result.interrupted ? RunStatus::kInterrupted : RunStatus::kDone, json(false));
  if (context.globals().json) {
    context.print_json(json(true));
  } else if (context.globals().csv) {
    context.print_table(winner_table(summary));
  } else {
    context.print(fmt::format("{} on {} ({})\n", context.heading(target->label),
                              target->machine.name, target->machine.fingerprint()));
    context.print(tune_text(summary, record->id(), coverage_line(*target, result)));
  }
  warn_early_end(context, result, record->id());
  return result.interrupted ? kExitInterrupted : kExitOk;
}

}  // namespace tilewright
