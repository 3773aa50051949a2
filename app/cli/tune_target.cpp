#include "app/cli/tune_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/cli/evaluator_arguments.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/progress.h"
#include "app/cli/serving_setup.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/text.h"
#include "core/serving/engine.h"
#include "kernels/gemm/gemm.h"
#include "kernels/kernel.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/session/family.h"
#include "tuner/session/model_tuning.h"

namespace tilewright {

namespace {

/// Whether --for asks for fused launches besides GEMMs.
bool read_for_fusion(const Arguments& arguments) {
  const std::string list = arguments.text("for");
  bool has_gemm = false;
  bool has_fusion = false;
  for (const std::string_view what : split(list, ',')) {
    if (what == "gemm") {
      has_gemm = true;
    } else if (what == "fusion") {
      has_fusion = true;
    } else {
      throw Error(ErrorKind::kUsage,
                  fmt::format("--for '{}' is not something that can be tuned (known: gemm, fusion)",
                              printable(what)));
    }
  }
  if (!has_gemm) {
    throw Error(ErrorKind::kUsage,
                "fused launches are judged against tuned GEMMs; want --for gemm,fusion");
  }
  if (has_fusion && arguments.text("evaluator") != "sim") {
    throw Error(ErrorKind::kUsage,
                "--for fusion compares with launches that the simulator times, so it goes with no "
                "other --evaluator");
  }
  return has_fusion;
}

/// Options that say something about models alone.
const std::vector<const char*> kServingOnly = {"workload",
                                               "limit",
                                               "offset",
                                               "window",
                                               "rate",
                                               "arrivals",
                                               "trace",
                                               "kv-blocks",
                                               "max-model-len",
                                               "host-us",
                                               "tp",
                                               "pp",
                                               "quantization",
                                               "lowering",
                                               "enforce-eager",
                                               "cudagraph-capture-sizes",
                                               "all-reduce-parts",
                                               "expert-skew"};

/// Refuses options that say nothing about this kind of target.
void refuse_options(const Arguments& arguments, const std::vector<const char*>& options,
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

TuneTarget kernel_target(const Context& context, Console& console, const std::string& name) {
  const Arguments& arguments = context.arguments();
  std::vector<const char*> refused = kServingOnly;
  refused.push_back("for");
  refuse_options(arguments, refused, "kernel");
  const Kernel& kernel = find_kernel(name);
  TuneTarget target;
  target.machine = context.machine();
  target.range = read_size_range(arguments);
  if (!target.range || target.range->min == target.range->max) {
    const std::string shape = target.range ? shape_with(arguments, *target.range, target.range->min)
                                           : arguments.text("shape");
    target.range.reset();
    const Problem problem = read_problem(kernel, read_request(arguments, shape));
    target.problems.push_back(
        kernel_problem(problem, target.machine, read_within(arguments), read_limits(arguments)));
    target.label = problem.text();
    return target;
  }
  const SizeRange& range = *target.range;
  const auto problem_of = [&kernel, &arguments, range](int64_t m) {
    return read_problem(kernel, read_request(arguments, shape_with(arguments, range, m)));
  };
  target.family.member = [&arguments, problem_of, machine = target.machine](int64_t m) {
    return kernel_problem(problem_of(m), machine, read_within(arguments), read_limits(arguments));
  };
  if (kernel.name() == "gemm") {
    target.family.estimate = [first = problem_of(range.min), machine = target.machine](
                                 int64_t m, const Config& config) {
      return gemm_estimate_us(first.with("m", m), config, machine);
    };
  }
  const std::vector<int64_t> members =
      range.values.empty() ? family_members(range.min, range.max) : range.values;
  Progress progress(console.err(), context.globals().quiet);
  for (const int64_t m : members) {
    target.problems.push_back(target.family.member(m));
    const auto text = [&] {
      return fmt::format("preparing: {}/{} numbers of rows", target.problems.size(),
                         members.size());
    };
    progress.update(text);
    context.tell_stage(
        text(), static_cast<double>(target.problems.size()) / static_cast<double>(members.size()));
  }
  target.label = fmt::format("{} for {} to {} rows", target.problems.front().problem.text(),
                             range.min, range.max);
  return target;
}

/// What is timed by a command is timed for --machine, unless it is something that no machine file
/// describes (--device); what a table holds was measured on the device of the table.
/// Nothing when interrupted.
std::optional<TuneTarget> file_target(const Context& context) {
  const Arguments& arguments = context.arguments();
  std::vector<const char*> refused = kServingOnly;
  refused.insert(refused.end(), {"shape", "dtype", "layout", "epilogue", "out-dtype", "mask", "for",
                                 "within", "fidelity", "regret"});
  refuse_options(arguments, refused, "file");
  TuneTarget target;
  target.machine = context.machine();
  try {
    target.foreign = read_foreign_target(arguments, [&] { return context.is_stopped(); });
  } catch (const Error&) {
    if (!context.is_stopped()) throw;
    return std::nullopt;
  }
  const ForeignTarget& foreign = *target.foreign;
  const bool replays = !arguments.has("evaluator") && foreign.device;
  if (arguments.has("device")) {
    target.device = foreign_device(arguments.text("device"));
  } else if (replays) {
    target.device = foreign.device;
  }
  for (const std::string& note : foreign.notes) context.note(note);
  for (const ForeignProblem& each : foreign.problems) target.problems.push_back(each.problem);
  target.label = target.problems.size() == 1 ? target.problems[0].problem.text()
                                             : printable(name_of_file(foreign.path), 200);
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
  callbacks.stop = [&context] { return context.is_stopped(); };
  callbacks.progress = [&](const ServingProgress& at) {
    const auto text = [&] {
      return fmt::format("serving: {}/{} requests, step {}", at.finished, at.requests,
                         format_count(at.steps));
    };
    progress.update(text);
    const auto all = static_cast<double>(std::max<int64_t>(1, at.requests));
    context.tell_stage(text(), static_cast<double>(at.finished) / all);
  };
  return serve(setup.workload, executor, setup.options, callbacks);
}

/// Puts problems first that take much time of the workload for the time that a trial of them takes
/// to simulate (about their multiply-adds), so that a session cut short has spent its time well.
void order_by_worth(TuneTarget& target) {
  std::map<std::string, double> worth;
  for (const TuneProblem& each : target.problems) {
    const Problem& problem = each.problem;
    // A fused problem is worth what its GEMM by itself is.
    const std::string called = each.apart ? each.apart->problem : problem.text();
    const auto calls = static_cast<double>(target.calls.at(called));
    double work = 1;
    for (const auto& [name, value] : problem.sizes) work *= static_cast<double>(value);
    worth[problem.text()] = calls * gemm_estimate_us(problem, each.baseline, target.machine) / work;
  }
  std::ranges::stable_sort(target.problems, [&](const TuneProblem& a, const TuneProblem& b) {
    return worth.at(a.problem.text()) > worth.at(b.problem.text());
  });
}

/// Refuses names that no GEMM of the model has, in the limits of the space and in a command, before
/// the workload is served. Which values there are depends on the numbers of rows.
void check_names(const Arguments& arguments, const ServingSetup& setup) {
  for (const ModelOp& op : decoder_ops(setup.model, kRowMultiple, 0, setup.layout)) {
    if (op.kind != OpKind::kGemm || op.name == "lm_head") continue;
    const Problem problem = gemm_problem(setup.model, op);
    const TuneProblem like{
        problem, find_kernel(problem.kernel).space(problem, setup.machine), {}, {}, {}};
    SpaceLimits limits = read_limits(arguments);
    const auto is_known = [&](const std::pair<std::string, std::string>& pair) {
      const std::vector<Parameter>& parameters = like.space.parameters();
      return std::ranges::find(parameters, pair.first, &Parameter::name) != parameters.end();
    };
    std::erase_if(limits.pins, is_known);
    std::erase_if(limits.bans, is_known);
    limited(like.space, limits);
    check_evaluator_arguments(arguments, {&like, 1});
    return;
  }
}

/// At most so many GEMM problems come of the steps: those of like sizes are one.
int64_t most_problems(const ServingSetup& setup, const ServingResult& served) {
  const auto rows_of = [](const std::map<int64_t, int64_t>& counts) {
    std::set<int64_t> rows;
    for (const auto& [count, steps] : counts) rows.insert(ceil_div(count, kRowMultiple));
    return std::ssize(rows);
  };
  const std::vector<ModelOp> ops = decoder_ops(setup.model, kRowMultiple, 0, setup.layout);
  const int64_t gemms = std::ranges::count_if(
      ops, [](const ModelOp& op) { return op.kind == OpKind::kGemm && op.name != "lm_head"; });
  return std::max<int64_t>(1, gemms * rows_of(served.step_tokens) + rows_of(served.step_samples));
}

/// Nothing when interrupted.
std::optional<TuneTarget> model_target(Context& context, const std::string& name) {
  const Arguments& arguments = context.arguments();
  refuse_options(arguments, {"shape", "dtype", "layout", "epilogue", "out-dtype", "mask"}, "model");
  const bool wants_fusion = read_for_fusion(arguments);
  const ServingSetup setup = read_serving_setup(context, name);
  check_names(arguments, setup);
  const ServingResult served = learn_rows(context, context.console(), setup);
  if (served.interrupted) return std::nullopt;
  TuneTarget target;
  target.machine = setup.machine;
  target.model = setup.model.name;
  target.workload = setup.workload.name;
  target.label = fmt::format("{} {}", target.model, target.workload);
  Progress progress(context.console().err(), context.globals().quiet);
  const int64_t most = most_problems(setup, served);
  const auto prepared = [&](size_t problems) {
    const auto text = [&] { return fmt::format("preparing: {} GEMM problems", problems); };
    progress.update(text);
    context.tell_stage(text(),
                       std::min(1.0, static_cast<double>(problems) / static_cast<double>(most)));
  };
  target.problems =
      gemm_problems(setup.model, setup.machine, served.step_tokens, served.step_samples,
                    setup.layout, read_within(arguments), read_limits(arguments), prepared);
  size_t fused = 0;
  if (wants_fusion) {
    const auto more = [&](size_t problems) {
      progress.update([&] { return fmt::format("preparing: {} fused problems", problems); });
    };
    std::vector<TuneProblem> fusions =
        fusion_problems(setup.model, setup.machine, served.step_tokens, setup.layout,
                        read_within(arguments), read_limits(arguments), more);
    fused = fusions.size();
    std::ranges::move(fusions, std::back_inserter(target.problems));
  }
  progress.clear();
  target.calls = count_calls(setup.model, served.step_tokens, served.step_samples, setup.layout);
  order_by_worth(target);
  context.note(fmt::format(
      "{} steps, {} GEMM problems{}", format_count(std::ssize(served.step_end_ns)),
      target.problems.size() - fused, fused > 0 ? fmt::format(", {} fused ones", fused) : ""));
  return target;
}

}  // namespace

MeasurementKey TuneTarget::key(const Problem& problem, const Config& config) const {
  return foreign ? foreign_key(problem, config, fingerprint())
                 : kernel_key(problem, config, machine);
}

std::optional<TuneTarget> read_tune_target(Context& context) {
  const std::string& name = context.arguments().positionals()[0];
  if (is_foreign_file(name)) return file_target(context);
  if (context.arguments().has("device")) {
    throw Error(ErrorKind::kUsage, "--device is of files of other tools; use --machine");
  }
  check_known(name);
  if (is_kernel(name)) return kernel_target(context, context.console(), name);
  return model_target(context, name);
}

}  // namespace tilewright
