#include "app/cli/kernel_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/timing_report.h"
#include "app/cli/trace_file.h"
#include "core/base/format.h"
#include "tuner/evaluate/simulator_evaluator.h"

namespace tilewright {

namespace {

Json json_of(const std::optional<CheckResult>& check) {
  Json json;
  json["status"] = !check ? "not_run" : check->ok ? "passed" : "failed";
  json["max_abs_err"] = check ? Json(check->max_abs_err) : Json(nullptr);
  json["max_rel_err"] = check ? Json(check->max_rel_err) : Json(nullptr);
  if (check) json["elements"] = check->elements;
  if (check && !check->ok) json["first_failure"] = check->first_failure;
  return json;
}

Json json_of(const std::vector<Adapted>& adapted) {
  Json json = Json::object();
  for (const Adapted& each : adapted) {
    json[each.name] = {{"value", each.value}, {"default", each.fallback}};
  }
  return json;
}

}  // namespace

std::string text_of(const PaddingTraffic& padding) {
  return fmt::format("{} read, {} written beyond the tensors",
                     format_bytes(static_cast<double>(padding.read_bytes)),
                     format_bytes(static_cast<double>(padding.write_bytes)));
}

void take_timing(const Launch& launch, const TimingResult& timing, KernelRun& run) {
  run.timing = timing;
  run.flops = launch.flops;
  run.roofline = component_roofline(timing, work_of(launch, run.machine), run.machine);
  run.core_counters = core_counters(launch, timing, run.machine);
  run.measurement.time_ticks = timing.ticks;
  run.measurement.time_us = run.machine.us_of_ticks(timing.ticks);
  run.measurement.counters = profiler_counters(timing, run.machine);
  run.padding = padding_traffic(find_kernel(run.problem.kernel), run.problem, launch);
}

void time_run(const Launch& launch, Fidelity fidelity, KernelRun& run) {
  run.fidelity = resolve(fidelity, launch, run.machine);
  take_timing(launch, time_launch(launch, run.machine, run.fidelity), run);
}

void time_run_traced(const Launch& launch, const std::string& trace, KernelRun& run) {
  run.fidelity = Fidelity::kDetailed;
  take_timing(launch, time_traced(launch, run.machine, trace), run);
}

Json json_of(const KernelRun& run) {
  Json json = output_object();
  json["kernel"] = run.problem.kernel;
  json["problem"] = run.problem.text();
  json["machine"] = machine_identity(run.machine);
  json["evaluator"] = simulator_evaluator_id(run.fidelity);
  json["config"] = to_json(run.config);
  if (!run.adapted.empty()) json["adapted"] = json_of(run.adapted);
  json["time_us"] = run.measurement.time_us;
  json["cycles"] = static_cast<double>(run.timing.ticks) / static_cast<double>(kTicksPerCycle);
  json["tflops"] = run.tflops();
  Json& counters = json["counters"] = Json::object();
  for (const auto& [name, value] : run.measurement.counters) counters[name] = value;
  if (run.padding) {
    counters["padding_read_bytes"] = run.padding->read_bytes;
    counters["padding_write_bytes"] = run.padding->write_bytes;
  }
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

int64_t keep(const Context& context, const KernelRun& run, Store& store) {
  return keep({context.command_line(), context.globals().seed}, run, store);
}

int64_t keep(const RunOrigin& origin, const KernelRun& run, Store& store) {
  RunRecord record(origin, store, run.machine,
                   {.kind = RunKind::kKernel, .label = run.problem.text()});
  MeasurementKey key = kernel_key(run.problem, run.config, run.machine);
  key.evaluator = simulator_evaluator_id(run.fidelity);
  Measurement measurement = run.measurement;
  if (const std::string complaint = run.complaint(); !complaint.empty()) {
    measurement = {AttemptStatus::kWrongResult, complaint, 0, 0, {}};
  }
  store.record(key, measurement, record.id(), run.wall_ms * 1e3, iso_date());
  record.finish(RunStatus::kDone, json_of(run));
  return record.id();
}

}  // namespace tilewright
