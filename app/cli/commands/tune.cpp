// `tilewright tune`: searches the best configs of a kernel's problem, or of all GEMMs that a
// workload makes of a model.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/cli/batch_file.h"
#include "app/cli/clock.h"
#include "app/cli/cluster.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/commands/tune_target.h"
#include "app/cli/evaluator_arguments.h"
#include "app/cli/interrupt.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/progress.h"
#include "app/cli/serving_setup.h"
#include "app/cli/tune_report.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/serving/engine.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/search/strategy.h"
#include "tuner/session/model_tuning.h"

namespace tilewright {

namespace {

constexpr int64_t kModelEvaluations = 16;    // for each problem of a model
constexpr int64_t kKernelEvaluations = 200;  // for the one problem of a kernel
constexpr size_t kRowsShown = 12;

/// What is searched, and how its results are named and weighted.
struct Target {
  Machine machine;
  std::string model;     ///< empty: one kernel
  std::string workload;  ///< empty: one kernel
  std::string label;
  std::vector<TuneProblem> problems;
  CallCounts calls;
};

struct Budget {
  std::optional<int64_t> evaluations;
  double seconds = 0;  ///< 0: no limit
};

Budget read_budget(const Arguments& arguments) {
  Budget budget;
  if (!arguments.has("budget")) return budget;
  const std::vector<std::string> known = {"evaluations", "seconds"};
  for (const auto& [name, value] : parse_assignments(arguments.text("budget"), "--budget")) {
    if (name == "evaluations") {
      budget.evaluations = parse_int(value, "--budget evaluations");
      if (*budget.evaluations < 1) {
        throw Error(ErrorKind::kUsage, fmt::format("--budget evaluations={} is below 1", value));
      }
    } else if (name == "seconds") {
      budget.seconds = parse_number(value, "--budget seconds");
      if (budget.seconds <= 0) {
        throw Error(ErrorKind::kUsage, fmt::format("--budget seconds={} is not above 0", value));
      }
    } else {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--budget has no '{}'{} (it has {})", printable(name),
                              did_you_mean(name, known), join(known, " and ")));
    }
  }
  return budget;
}

double read_within(const Arguments& arguments) {
  const double within = arguments.number("within", 0, 1e9);
  if (within > 0 && within < 1) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--within {} leaves no config: give 1 or more, or 0 to search all",
                            arguments.text("within")));
  }
  return within;
}

void check_for(const Arguments& arguments) {
  const std::string list = arguments.text("for");
  for (const std::string_view what : split(list, ',')) {
    if (what == "gemm") continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--for '{}' is not something that can be tuned (known: gemm)",
                            printable(what)));
  }
}

/// Refuses options that say nothing about this kind of target.
void refuse_options(const Arguments& arguments, std::initializer_list<const char*> options,
                    const char* kind) {
  for (const char* option : options) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage, fmt::format("--{} makes no sense for a {}", option, kind));
  }
}

bool is_kernel(const std::string& name) {
  return std::ranges::any_of(all_kernels(), [&](const Kernel* k) { return k->name() == name; });
}

/// A name that is neither kernel nor model gets suggestions from both.
void check_known(const std::string& name) {
  const bool looks_like_path =
      name.find('/') != std::string::npos || name.ends_with(".json") || name == ".";
  if (is_kernel(name) || looks_like_path) return;
  std::vector<std::string> names = model_names();
  if (std::ranges::find(names, name) != names.end()) return;
  for (const Kernel* kernel : all_kernels()) names.push_back(kernel->name());
  const std::string suggestion = did_you_mean(name, names);
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("'{}' is neither a kernel nor a model{} (see `tilewright kernel list` and "
                  "`tilewright model list`)",
                  printable(name), suggestion));
}

Target kernel_target(const Context& context, const std::string& name) {
  const Arguments& arguments = context.arguments();
  refuse_options(arguments,
                 {"workload", "limit", "offset", "window", "rate", "arrivals", "trace", "kv-blocks",
                  "max-model-len", "host-us", "tp", "pp", "quantization", "lowering",
                  "enforce-eager", "cudagraph-capture-sizes", "all-reduce-parts", "expert-skew"},
                 "kernel");
  const Kernel& kernel = find_kernel(name);
  Target target;
  target.machine = context.machine();
  const Problem problem = read_problem(kernel, read_request(arguments));
  target.problems.push_back(kernel_problem(problem, target.machine, read_within(arguments)));
  target.label = problem.text();
  return target;
}

/// Serves the workload with untuned kernels, to learn the numbers of rows of its steps.
ServingResult learn_rows(const Context& context, Console& console, const ServingSetup& setup) {
  context.note(fmt::format(
      "serving {} requests of {} on untuned {} to learn the numbers of rows of their steps",
      format_count(std::ssize(setup.workload.requests)), setup.workload.name, setup.model.name));
  ModelExecutor executor(setup.model, setup.machine, setup.executor);
  Progress progress(console.err(), context.globals().quiet);
  ServingCallbacks callbacks;
  callbacks.stop = interrupted;
  callbacks.progress = [&](const ServingProgress& at) {
    progress.update([&] {
      return fmt::format("serving: {}/{} requests, step {}", at.finished, at.requests,
                         format_count(at.steps));
    });
  };
  return serve(setup.workload, executor, setup.options, callbacks);
}

/// Puts problems first that take much time of the workload for the time that a trial of them takes
/// to simulate (about their multiply-adds), so that a session cut short has spent its time well.
void order_by_worth(Target& target) {
  std::map<std::string, double> worth;
  for (const TuneProblem& each : target.problems) {
    const Problem& problem = each.problem;
    const auto calls = static_cast<double>(target.calls.at(problem.text()));
    double work = 1;
    for (const auto& [name, value] : problem.sizes) work *= static_cast<double>(value);
    worth[problem.text()] = calls * gemm_estimate_us(problem, each.baseline, target.machine) / work;
  }
  std::ranges::stable_sort(target.problems, [&](const TuneProblem& a, const TuneProblem& b) {
    return worth.at(a.problem.text()) > worth.at(b.problem.text());
  });
}

/// Nothing when interrupted.
std::optional<Target> model_target(Context& context, const std::string& name) {
  const Arguments& arguments = context.arguments();
  refuse_options(arguments, {"shape", "dtype", "layout", "epilogue", "out-dtype", "mask"}, "model");
  check_for(arguments);
  const ServingSetup setup = read_serving_setup(context, name);
  const ServingResult served = learn_rows(context, context.console(), setup);
  if (served.interrupted) return std::nullopt;
  Target target;
  target.machine = setup.machine;
  target.model = setup.model.name;
  target.workload = setup.workload.name;
  target.label = fmt::format("{} {}", target.model, target.workload);
  target.problems = gemm_problems(setup.model, setup.machine, served.step_tokens,
                                  served.step_samples, setup.layout, read_within(arguments));
  target.calls = count_calls(setup.model, served.step_tokens, served.step_samples, setup.layout);
  order_by_worth(target);
  context.note(fmt::format("{} steps, {} GEMM problems",
                           format_count(std::ssize(served.step_end_ns)), target.problems.size()));
  return target;
}

TuneOptions tune_options(const Context& context, const Target& target) {
  const Arguments& arguments = context.arguments();
  const Budget budget = read_budget(arguments);
  const bool is_model = !target.model.empty();
  TuneOptions options;
  const bool wants_all = arguments.text("strategy") == "exhaustive";
  options.max_evaluations = budget.evaluations.value_or(wants_all  ? 0
                                                        : is_model ? kModelEvaluations
                                                                   : kKernelEvaluations);
  options.max_seconds = budget.seconds;
  options.seed = static_cast<uint64_t>(context.globals().seed);
  options.strategy = "random";
  if (arguments.has("strategy")) {
    options.strategy = arguments.text("strategy");
    check_strategy(options.strategy);
  } else if (!is_model) {
    const auto size = std::ssize(target.problems.front().space.enumerate());
    if (size <= options.max_evaluations) options.strategy = "exhaustive";
  }
  return options;
}

/// One tuning with all that there is to say of it.
struct Tuning {
  Target target;
  TuneOptions options;
  std::string evaluator;  ///< its id
  int64_t run = 0;
  TuneResult result;
  TuneSummary summary;
  double wall_ms = 0;
};

TuneResult search(Context& context, const TunePlace& place, const Target& target,
                  const Evaluator& evaluator, const TuneOptions& options, int64_t run_id) {
  const KeyMaker key_of = [&](const Problem& problem, const Config& config) {
    return kernel_key(problem, config, target.machine);
  };
  Progress progress(context.console().err(), context.globals().quiet);
  TuneHooks hooks;
  hooks.stop = interrupted;
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
  const auto pool = place.cluster.pool(evaluator, target.machine, context.globals().jobs);
  return tune(target.problems, key_of, *pool, place.store, run_id, options, hooks);
}

Json json_of(const Tuning& tuning, bool with_winners, double wall_ms) {
  const Target& target = tuning.target;
  Json json = output_object();
  json["session"] = tuning.run;
  json["target"] = target.label;
  json["model"] = target.model.empty() ? Json(nullptr) : Json(target.model);
  json["workload"] = target.workload.empty() ? Json(nullptr) : Json(target.workload);
  json["machine"] = machine_identity(target.machine);
  json["evaluator"] = tuning.evaluator;
  json["strategy"] = tuning.options.strategy;
  add_to_json(tuning.summary, with_winners, json);
  json["wall_ms"] = wall_ms;
  return json;
}

/// How much of a kernel's space was tried, where it is not all of it; "" for a model.
std::string coverage_line(const Target& target, const TuneResult& result) {
  if (!target.model.empty()) return "";
  const TuneProblem& searched = target.problems.front();
  const Kernel& kernel = find_kernel(searched.problem.kernel);
  const auto legal = std::ssize(kernel.space(searched.problem, target.machine).enumerate());
  const int64_t tried = result.evaluations + result.cache_hits;
  if (tried >= legal) return "";
  const auto promising = std::ssize(searched.space.enumerate());
  return fmt::format("{} of {} legal configs tried{}\n", format_count(tried), format_count(legal),
                     promising == legal
                         ? ""
                         : fmt::format("; --within leaves {} to search", format_count(promising)));
}

void print_text(Context& context, const Tuning& tuning) {
  const Target& target = tuning.target;
  const TuneSummary& summary = tuning.summary;
  const TuneResult& result = tuning.result;
  context.print(fmt::format("{} on {} ({})\n", context.heading(target.label), target.machine.name,
                            target.machine.fingerprint()));
  context.print(fmt::format(
      "run {}: {} problem{}, {} evaluations, {} cache hits{}\n", tuning.run, result.problems.size(),
      result.problems.size() == 1 ? "" : "s", format_count(result.evaluations),
      format_count(result.cache_hits),
      summary.failures > 0 ? fmt::format(", {} configs failed", summary.failures) : ""));
  context.print(coverage_line(target, result));
  if (summary.best_us > 0) {
    context.print(fmt::format(
        "{}untuned {}, tuned {}: gain {:.3f}x ({:+.1f} %)\n\n",
        summary.calls.empty() ? "" : "all calls of the workload: ", format_us(summary.baseline_us),
        format_us(summary.best_us), summary.gain(), 100 * (summary.gain() - 1)));
  }
  context.print(top_winners(summary, kRowsShown));
  if (const int64_t more = summary.found - static_cast<int64_t>(kRowsShown); more > 0) {
    context.print(fmt::format("... and {} more: tilewright query winners\n", more));
  }
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

void warn_early_end(const Context& context, const TuneResult& result) {
  if (!result.interrupted && !result.out_of_time) return;
  const auto complete = std::ranges::count_if(result.problems, &TunedProblem::complete);
  context.warn(fmt::format(
      "{}: {} of {} problems are complete; everything measured is kept, the "
      "same command goes on from there",
      result.interrupted ? "interrupted" : "the time is over", complete, result.problems.size()));
}

/// What a command line names, less what other shards have of it. Nothing when interrupted.
std::optional<Target> read_target(Context& context, const Shard& shard) {
  const std::string& name = context.arguments().positionals()[0];
  check_known(name);
  std::optional<Target> target =
      is_kernel(name) ? kernel_target(context, name) : model_target(context, name);
  if (target) shard.keep_own(target->problems);
  return target;
}

/// Nothing when interrupted before anything was measured. The result refers to problems in it, so
/// it stays where it is.
std::unique_ptr<Tuning> run_tuning(Context& context, const TunePlace& place) {
  std::optional<Target> target = read_target(context, place.shard);
  if (!target || interrupted()) return nullptr;
  auto tuning = std::make_unique<Tuning>();
  tuning->target = std::move(*target);
  const Target& what = tuning->target;
  if (what.problems.empty() && !place.shard.is_whole()) return tuning;
  tuning->options = tune_options(context, what);
  const auto evaluator = make_evaluator(context.arguments(), what.machine, what.problems);
  tuning->evaluator = evaluator->id();
  RunRecord record(context, place.store, what.machine,
                   {.kind = RunKind::kTune,
                    .label = what.label,
                    .model = what.model,
                    .workload = what.workload});
  tuning->run = record.id();
  tuning->result = search(context, place, what, *evaluator, tuning->options, record.id());
  tuning->summary = summarise(tuning->result, what.calls);
  refuse_empty(tuning->summary);
  tuning->wall_ms = record.wall_ms();
  record.finish(tuning->result.interrupted ? RunStatus::kInterrupted : RunStatus::kDone,
                json_of(*tuning, false, tuning->wall_ms));
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
  constexpr int64_t kBaselinesTimed = 4;
  const std::optional<Target> target = read_target(context, shard);
  TuneForecast forecast;
  if (!target || target->problems.empty()) return forecast;
  const TuneOptions options = tune_options(context, *target);
  const auto evaluator = make_evaluator(context.arguments(), target->machine, target->problems);
  forecast.target = target->label;
  double timed = 0;
  for (const TuneProblem& each : target->problems) {
    if (interrupted()) break;
    std::vector<Config> legal = each.space.enumerate();
    if (std::ranges::find(legal, each.baseline) == legal.end()) legal.push_back(each.baseline);
    const int64_t limit = options.max_evaluations > 0 ? options.max_evaluations : INT64_MAX;
    const auto cached = std::ranges::count_if(legal, [&](const Config& config) {
      if (!store) return false;
      MeasurementKey key = kernel_key(each.problem, config, target->machine);
      key.evaluator = evaluator->id();
      return store->find(key).has_value();
    });
    const auto planned = std::min<int64_t>(limit, std::ssize(legal));
    if (forecast.problems < kBaselinesTimed && evaluator->id().starts_with("sim/")) {
      const double before = wall_seconds();
      measured(*evaluator, each.problem, each.baseline);
      timed += wall_seconds() - before;
    }
    ++forecast.problems;
    forecast.legal += std::ssize(legal);
    forecast.planned += planned;
    forecast.cached += std::min<int64_t>(planned, cached);
  }
  const auto baselines = std::min(forecast.problems, kBaselinesTimed);
  forecast.seconds = timed > 0 ? timed / static_cast<double>(baselines) *
                                     static_cast<double>(forecast.planned - forecast.cached)
                               : -1;
  return forecast;
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
    return kExitOk;
  }
  if (context.globals().json) {
    context.print_json(json_of(*tuning, true, tuning->wall_ms));
  } else if (context.globals().csv) {
    context.print_table(winner_table(tuning->summary));
  } else {
    print_text(context, *tuning);
  }
  warn_early_end(context, tuning->result);
  return tuning->result.interrupted ? kExitInterrupted : kExitOk;
}

}  // namespace tilewright
