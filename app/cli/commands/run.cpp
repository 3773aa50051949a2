// `tilewright run KERNEL`: one kernel on the simulator.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/timing_report.h"
#include "app/cli/trace_file.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"
#include "simulator/roofline.h"
#include "simulator/timing.h"
#include "tuner/evaluate/simulator_evaluator.h"

namespace tilewright {

namespace {

/// Memory that --check may use for the tensors and the reference.
constexpr int64_t kMaxCheckBytes = int64_t{4} << 30;

/// About what an event takes in a timeline's file.
constexpr int64_t kTraceEventBytes = 210;
/// Larger ones are announced.
constexpr double kNotedTraceBytes = 1e9;

/// Everything that one run found.
struct KernelRun {
  Machine machine;
  Problem problem;
  Config config;
  double flops = 0;
  TimingResult timing;
  Roofline roofline;
  QueryResult core_counters;
  Measurement measurement;
  std::optional<CheckResult> check;
  std::optional<std::vector<Hazard>> hazards;  ///< looked for only when asked
  Fidelity fidelity = Fidelity::kDetailed;     ///< that was used
  double wall_ms = 0;

  /// Empty when nothing is wrong, as far as it was looked at.
  std::string complaint() const {
    if (check && !check->ok) return check->first_failure;
    if (hazards && !hazards->empty()) return hazards->front().message;
    return "";
  }
  double tflops() const { return flops / measurement.time_us * 1e-6; }
};

/// The reference holds three numbers of 4 to 8 bytes for each element.
constexpr double kReferenceBytes = 16;

void refuse_huge_check(double bytes) {
  if (bytes <= static_cast<double>(kMaxCheckBytes)) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("--check of this shape needs about {} of memory, the limit is {}; check "
                          "a smaller one",
                          format_bytes(bytes), format_bytes(static_cast<double>(kMaxCheckBytes))));
}

/// Of the matrices of a GEMM, at 1 byte an element and without padding: a lower bound that needs no
/// launch, whose tasks alone would fill the memory. 0 for kernels with other sizes.
double least_check_bytes(const Problem& problem) {
  std::map<std::string, double> sizes;
  for (const auto& [name, value] : problem.sizes) sizes[name] = static_cast<double>(value);
  if (!sizes.contains("m") || !sizes.contains("n") || !sizes.contains("k")) return 0;
  const double m = sizes["m"];
  const double n = sizes["n"];
  const double k = sizes["k"];
  return (1 + kReferenceBytes) * (m * k + k * n + m * n);
}

/// The functional run holds every tensor.
double check_bytes(const Launch& launch) {
  double bytes = 0;
  for (const Tensor& tensor : launch.tensors) {
    bytes += static_cast<double>(tensor.bytes()) +
             kReferenceBytes * static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
  }
  return bytes;
}

/// A timeline shows every instruction, so it is always detailed. `trace` is its file, empty for
/// none.
void time_run(const Launch& launch, Fidelity fidelity, const std::string& trace, KernelRun& run) {
  run.fidelity = trace.empty() ? resolve(fidelity, launch, run.machine) : Fidelity::kDetailed;
  run.timing = trace.empty() ? time_launch(launch, run.machine, run.fidelity)
                             : time_traced(launch, run.machine, trace);
  run.roofline = component_roofline(run.timing, work_of(launch, run.machine), run.machine);
  run.core_counters = core_counters(launch, run.timing, run.machine);
  run.measurement.time_ticks = run.timing.ticks;
  run.measurement.time_us = run.machine.us_of_ticks(run.timing.ticks);
  run.measurement.counters = profiler_counters(run.timing, run.machine);
}

void note_large_trace(const Context& context, const Launch& launch) {
  const double bytes = static_cast<double>(launch.instruction_count() * kTraceEventBytes);
  if (bytes < kNotedTraceBytes) return;
  context.note(fmt::format("the timeline takes about {}", format_bytes(bytes)));
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
  if (wants_check) refuse_huge_check(least_check_bytes(run.problem));
  run.config =
      complete_config(kernel, run.problem, run.machine, parse_config(arguments.text("config")));
  const Launch launch = build_launch(kernel, run.problem, run.config, run.machine);
  run.flops = launch.flops;
  const std::string trace = arguments.text("trace");
  note_long_simulation(context, launch);
  if (!trace.empty()) note_large_trace(context, launch);
  if (wants_check) refuse_huge_check(check_bytes(launch));
  if (!trace.empty() && trace == arguments.text("counters")) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--trace and --counters name the same file {}; give each its own",
                            printable(trace)));
  }
  if (!trace.empty() && fidelity == Fidelity::kComposed) {
    throw Error(ErrorKind::kUsage, "--trace shows every instruction: use --fidelity detailed");
  }
  if (!trace.empty()) guard.reset();
  time_run(launch, fidelity, trace, run);
  if (!guard) guard.emplace();
  if (wants_check) {
    run.check = check_kernel(kernel, run.problem, run.config, run.machine,
                             static_cast<uint64_t>(context.globals().seed));
  }
  if (arguments.has("hazards")) run.hazards = find_hazards(launch, run.machine);
  run.wall_ms = (wall_seconds() - started) * 1e3;
  return run;
}

Json json_of(const std::optional<CheckResult>& check) {
  Json json;
  json["status"] = !check ? "not_run" : check->ok ? "passed" : "failed";
  json["max_abs_err"] = check ? Json(check->max_abs_err) : Json(nullptr);
  json["max_rel_err"] = check ? Json(check->max_rel_err) : Json(nullptr);
  if (check) json["elements"] = check->elements;
  if (check && !check->ok) json["first_failure"] = check->first_failure;
  return json;
}

Json json_of(const KernelRun& run) {
  Json json = output_object();
  json["kernel"] = run.problem.kernel;
  json["problem"] = run.problem.text();
  json["machine"] = machine_identity(run.machine);
  json["evaluator"] = simulator_evaluator_id(run.fidelity);
  json["config"] = to_json(run.config);
  json["time_us"] = run.measurement.time_us;
  json["cycles"] = static_cast<double>(run.timing.ticks) / static_cast<double>(kTicksPerCycle);
  json["tflops"] = run.tflops();
  Json& counters = json["counters"] = Json::object();
  for (const auto& [name, value] : run.measurement.counters) counters[name] = value;
  json["breakdown"] = json_of(run.timing.critical_path, run.machine);
  json["engine"] = json_of(run.timing.engine, run.machine);
  json["roofline"] = json_of(run.roofline);
  json["check"] = json_of(run.check);
  Json& hazards = json["hazards"] = Json::array();
  if (run.hazards) {
    for (const Hazard& hazard : *run.hazards) {
      hazards.push_back({{"kind", hazard.kind}, {"message", hazard.message}});
    }
  }
  json["wall_ms"] = run.wall_ms;
  return json;
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
  context.print(fmt::format("time     {}, {} cycles\n", format_us(run.measurement.time_us),
                            format_count(run.timing.ticks / kTicksPerCycle)));
  context.print(speed_line(run));
  context.print(fmt::format("busy     {}\n", busy_line(run.measurement)));
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

void keep(const Context& context, const KernelRun& run, Store& store) {
  RunRecord record(context, store, run.machine,
                   {.kind = RunKind::kKernel, .label = run.problem.text()});
  MeasurementKey key = kernel_key(run.problem, run.config, run.machine);
  key.evaluator = simulator_evaluator_id(run.fidelity);
  Measurement measurement = run.measurement;
  if (const std::string complaint = run.complaint(); !complaint.empty()) {
    measurement = {AttemptStatus::kWrongResult, complaint, 0, 0, {}};
  }
  store.record(key, measurement, record.id(), run.wall_ms * 1e3, iso_date());
  record.finish(RunStatus::kDone, json_of(run));
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
