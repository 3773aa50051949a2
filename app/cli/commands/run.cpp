// `tilewright run KERNEL`: one kernel on the simulator.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/kernel_run.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/timing_report.h"
#include "app/cli/work_estimate.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// About what an event takes in a timeline's file.
constexpr int64_t kTraceEventBytes = 210;
/// Larger ones are announced.
constexpr double kNotedTraceBytes = 1e9;

void note_large_trace(const Context& context, const Launch& launch) {
  const double bytes = static_cast<double>(launch.instruction_count() * kTraceEventBytes);
  if (bytes < kNotedTraceBytes) return;
  context.note(fmt::format("the timeline takes about {}", format_bytes(bytes)));
}

/// What a command line asks for does not go together, or with a timeline. Error (usage).
void check_arguments(const Arguments& arguments, Fidelity fidelity) {
  const std::string trace = arguments.text("trace");
  if (arguments.has("values") && !arguments.has("check")) {
    throw Error(ErrorKind::kUsage, "--values says what --check computes with: give both");
  }
  if (!trace.empty() && trace == arguments.text("counters")) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--trace and --counters name the same file {}; give each its own",
                            printable(trace)));
  }
  if (!trace.empty() && fidelity == Fidelity::kComposed) {
    throw Error(ErrorKind::kUsage, "--trace shows every instruction: use --fidelity detailed");
  }
}

/// The config of --config, and what of it was neither given nor the default.
void take_config(const Kernel& kernel, const Config& given, KernelRun& run) {
  run.config = complete_config(kernel, run.problem, run.machine, given);
  const Config fallback = kernel.default_config(run.problem, run.machine);
  for (const auto& [name, value] : run.config.values) {
    if (given.has(name) || value == fallback.at(name)) continue;
    run.adapted.push_back({name, value, fallback.at(name)});
  }
}

/// What all that is asked for takes. Error (usage) where that is too much.
WorkEstimate estimate(const Context& context, const Kernel& kernel, const Launch& launch,
                      const KernelRun& run, Fidelity fidelity) {
  const Arguments& arguments = context.arguments();
  const bool is_traced = !arguments.text("trace").empty();
  WorkEstimate all =
      estimate_timing(launch, run.machine, is_traced ? Fidelity::kDetailed : fidelity);
  const auto add = [&](const WorkEstimate& part, const char* what) {
    if (!arguments.has("yes")) refuse_huge(part, what);
    all = all + part;
  };
  if (arguments.has("check")) add(estimate_check(kernel, run.problem, launch), "--check");
  if (arguments.has("hazards")) add(estimate_hazards(launch), "--hazards");
  return all;
}

KernelRun execute(const Context& context) {
  // The simulation cannot be stopped, and nothing is written but a timeline, which stops by itself.
  std::optional<InterruptExit> guard(std::in_place);
  const Arguments& arguments = context.arguments();
  const Fidelity fidelity = parse_fidelity(arguments.text("fidelity"));
  const Kernel& kernel = find_kernel(arguments.positionals()[0]);
  const double started = wall_seconds();
  KernelRun run;
  run.machine = context.machine();
  run.problem = read_problem(kernel, read_request(arguments));
  const bool wants_check = arguments.has("check");
  const InputPattern values = parse_input_pattern(arguments.text("values"));
  check_arguments(arguments, fidelity);
  if (wants_check && !arguments.has("yes")) {
    refuse_huge(estimate_check(kernel, run.problem), "--check");
  }
  take_config(kernel, parse_config(arguments.text("config")), run);
  const Launch launch = build_launch(kernel, run.problem, run.config, run.machine);
  const std::string trace = arguments.text("trace");
  if (!trace.empty()) note_large_trace(context, launch);
  const WorkNotice notice(context, estimate(context, kernel, launch, run, fidelity), "simulating");
  if (!trace.empty()) guard.reset();
  trace.empty() ? time_run(launch, fidelity, run) : time_run_traced(launch, trace, run);
  if (!guard) guard.emplace();
  if (wants_check) {
    run.check = check_kernel(kernel, run.problem, run.config, run.machine,
                             {static_cast<uint64_t>(context.globals().seed), values});
  }
  if (arguments.has("hazards")) run.hazards = find_hazards(launch, run.machine);
  run.wall_ms = (wall_seconds() - started) * 1e3;
  return run;
}

/// "aic_cube 54.5 %, ...", from the counters named aic_cube_ratio and so on.
std::string busy_line(const Measurement& measurement) {
  constexpr std::string_view kSuffix = "_ratio";
  std::vector<std::string> parts;
  for (const auto& [name, value] : measurement.counters) {
    if (!name.ends_with(kSuffix)) continue;
    parts.push_back(
        fmt::format("{} {}", name.substr(0, name.size() - kSuffix.size()), format_share(value)));
  }
  return join(parts, ", ");
}

/// Kernels that never use the cube are not compared with its peak.
std::string speed_line(const KernelRun& run) {
  std::string line = fmt::format("speed    {:.2f} TFLOPS", run.tflops());
  const bool uses_cube = std::ranges::any_of(run.measurement.counters, [](const auto& counter) {
    return counter.first == "aic_cube_ratio";
  });
  if (!uses_cube) return line + "\n";
  const double peak = run.machine.peak_flops(run.problem.types[0]) * 1e-12;
  return line + fmt::format(", {} of the cube's {:.1f}\n", format_share(run.tflops() / peak), peak);
}

std::string check_line(const CheckResult& check, const Stream& out) {
  if (!check.ok) {
    return fmt::format("{}  {}\n", out.styled(Style::kBad, "failed"), check.first_failure);
  }
  return fmt::format("{}  {} elements, max abs error {:.3g}, max rel error {:.3g}\n",
                     out.styled(Style::kGood, "passed"), format_count(check.elements),
                     check.max_abs_err, check.max_rel_err);
}

void print_text(Context& context, const KernelRun& run) {
  context.print(fmt::format("{}\n", context.heading(run.problem.text())));
  context.print(fmt::format("machine  {} ({})\n", run.machine.name, run.machine.fingerprint()));
  context.print(fmt::format("config   {}\n", run.config.text()));
  for (const Adapted& each : run.adapted) {
    context.print(fmt::format("         {}={} to go with --config; its default is {}\n", each.name,
                              each.value, each.fallback));
  }
  context.print(fmt::format("time     {}, {} cycles\n", format_us(run.measurement.time_us),
                            format_count(run.timing.ticks / kTicksPerCycle)));
  context.print(speed_line(run));
  context.print(fmt::format("busy     {}\n", busy_line(run.measurement)));
  if (run.padding) context.print(fmt::format("padding  {}\n", text_of(*run.padding)));
  if (run.check) context.print("check    " + check_line(*run.check, context.console().out()));
  if (run.hazards) {
    for (const Hazard& hazard : *run.hazards) {
      context.print(fmt::format("hazard   {}: {}\n", hazard.kind, hazard.message));
    }
    if (run.hazards->empty()) context.print("hazards  none\n");
  }
  context.print("\n" + context.heading("time by cause, along the critical path") + "\n");
  context.print(text_of(run.timing.critical_path, run.machine));
  context.print("\n" + context.heading("time by cause, mean of the working cores") + "\n");
  context.print(text_of(run.timing.engine, run.machine));
  context.print("\n" + text_of(context, run.roofline));
}

}  // namespace

int run_run(Context& context) {
  const InterruptGuard guard;
  Store store = context.open_store();  // first: what cannot be kept need not be run
  KernelRun run;
  try {
    run = execute(context);
  } catch (const Error&) {
    if (!interrupted()) throw;
    context.console().message("tilewright: interrupted");
    return kExitInterrupted;
  }
  if (const std::string path = context.arguments().text("counters"); !path.empty()) {
    write_file(path, to_csv(run.core_counters));
  }
  keep(context, run, store);
  if (context.globals().json) {
    context.print_json(json_of(run));
  } else {
    print_text(context, run);
  }
  if (interrupted()) {
    context.warn("interrupted when the run was over; its result is kept");
    return kExitInterrupted;
  }
  return run.complaint().empty() ? kExitOk : kExitCheckFailed;
}

}  // namespace tilewright
