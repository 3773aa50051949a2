#include "app/cli/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/problem_arguments.h"
#include "app/cli/steps_report.h"
#include "app/cli/timing_report.h"
#include "app/cli/work_estimate.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

Run find_run(Store& store, const std::string& name) {
  const bool is_number = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return c >= '0' && c <= '9';
  });
  if (is_number) return store.load_run(parse_int(name, "RUN"));
  std::optional<Run> run = store.latest_run_labelled(name);
  if (run) return *run;
  if (name == "latest") {
    for (const RunKind kind :
         {RunKind::kKernel, RunKind::kTune, RunKind::kServe, RunKind::kPlan, RunKind::kImport}) {
      std::optional<Run> other = store.latest_run(kind);
      if (other && (!run || other->id > run->id)) run = std::move(other);
    }
    if (run) return *run;
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("there is no run '{}' in {}; give the number or the label of one that "
                          "`tilewright query runs` lists",
                          printable(name), store.database().path()));
}

std::string result_name(const Run& run) {
  return fmt::format("result of run {}", run.id);
}

/// A number of a stored result, 0 where there is none.
double number_of(const JsonReader& json, const char* key) {
  constexpr double kMost = 1e300;
  return json.is_object() && json.has(key) ? json.at(key).number(-kMost, kMost) : 0;
}

/// Why a run cannot be simulated again as it was.
Error stale(const Run& run, const std::string& why) {
  return {ErrorKind::kCheckFailed,
          fmt::format("run {} ({}) is out of date: {}; run it again", run.id, run.label, why)};
}

const Kernel& current_kernel(const Run& run, const MeasurementKey& key) {
  for (const Kernel* kernel : all_kernels()) {
    if (kernel->name() != key.kernel) continue;
    if (kernel->revision() != key.kernel_revision) {
      throw stale(run, fmt::format("kernel {} had revision {}, now it has {}", key.kernel,
                                   key.kernel_revision, kernel->revision()));
    }
    return *kernel;
  }
  throw stale(run, fmt::format("there is no kernel {} any more", printable(key.kernel)));
}

void check_evaluator(const Run& run, const MeasurementKey& key) {
  const CurrentRevisions current = current_revisions();
  if (std::ranges::find(current.evaluators, key.evaluator) != current.evaluators.end()) return;
  throw stale(run, fmt::format("it was timed by {}, this program has {}", printable(key.evaluator),
                               join(current.evaluators, " and ")));
}

Machine machine_then(Store& store, const Run& run) {
  try {
    Machine machine = parse_machine(store.machine_description(run.machine_fingerprint),
                                    "machine " + run.machine_name, false);
    if (machine.fingerprint() == run.machine_fingerprint) return machine;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) throw;
  }
  throw stale(run, fmt::format("machine {} ({}) was described by other parameters than this "
                               "program knows",
                               run.machine_name, run.machine_fingerprint));
}

KernelDetails simulate_again(const Context* told, const WatchSimulation& watch, Store& store,
                             const Run& run) {
  const std::vector<MeasurementKey> keys = store.keys_of_run(run.id);
  if (keys.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("run {} ({}) has the status '{}' and kept no measurement; run it again",
                            run.id, run.label, name_of(run.status)));
  }
  const MeasurementKey& key = keys.front();
  const Kernel& kernel = current_kernel(run, key);
  check_evaluator(run, key);
  KernelDetails details;
  details.machine = machine_then(store, run);
  details.problem = parse_problem(key.problem);
  request_for(kernel, details.problem);
  details.config = parse_config(key.config);
  details.evaluator = key.evaluator;
  if (const auto measured = store.find(key)) details.stored_us = measured->time_us;
  const std::string wrong =
      kernel.space(details.problem, details.machine).violation(details.config);
  if (!wrong.empty()) throw stale(run, "its config is not legal any more: " + wrong);
  const Launch launch = build_launch(kernel, details.problem, details.config, details.machine);
  const WorkEstimate estimate = estimate_timing(launch, details.machine, Fidelity::kDetailed);
  std::optional<WorkNotice> notice;
  if (told) notice.emplace(*told, estimate, "simulating again");
  const std::unique_ptr<TimelineSink> events = watch ? watch(launch) : nullptr;
  details.profile = profile_launch(launch, details.machine, events.get());
  details.roofline =
      component_roofline(details.profile.timing, work_of(launch, details.machine), details.machine);
  details.padding = padding_traffic(kernel, details.problem, launch);
  return details;
}

ReportSection section_of(const char* key, const char* title, const Breakdown& breakdown) {
  ReportSection section{key, title, "cycles", true, {}};
  for (const Breakdown::Entry& entry : breakdown.entries()) {
    section.rows.push_back({entry.cause, cycles_of(entry.ticks), 0});
  }
  return section;
}

/// Cores of a kind that ran something.
int64_t cores_of(const LaunchProfile& profile, CoreKind kind) {
  for (const PipeProfile& pipe : profile.pipes) {
    if (pipe.kind == kind) return pipe.cores;
  }
  return 1;
}

/// Mean cycles of the cores of a kind.
double mean_cycles(const LaunchProfile& profile, CoreKind kind, int64_t ticks) {
  return cycles_of(ticks) / static_cast<double>(cores_of(profile, kind));
}

ReportSection pipes_of(const LaunchProfile& profile) {
  ReportSection section{"pipes", "by pipe, mean of the cores", "cycles", true, {}};
  for (const PipeProfile& pipe : profile.pipes) {
    const std::string name = fmt::format("{} {}", name_of(pipe.kind), name_of(pipe.pipe));
    for (const auto& [what, ticks] :
         {std::pair(" busy", pipe.busy_ticks), std::pair(" waiting", pipe.wait_ticks),
          std::pair(" after its last", pipe.idle_ticks)}) {
      section.rows.push_back({name + what, mean_cycles(profile, pipe.kind, ticks), 0});
    }
  }
  return section;
}

ReportSection ops_of(const LaunchProfile& profile) {
  ReportSection section{"ops", "by op, mean of the cores", "cycles", true, {}};
  for (const OpProfile& op : profile.ops) {
    section.rows.push_back({op.name, mean_cycles(profile, op.kind, op.ticks), op.count});
  }
  std::ranges::stable_sort(section.rows, std::greater(), &ReportRow::value);
  return section;
}

/// Those of the pipes that do the op's work first.
ReportSection waits_of(const LaunchProfile& profile) {
  std::vector<WaitProfile> waits = profile.waits;
  std::stable_partition(waits.begin(), waits.end(), [](const WaitProfile& wait) {
    return wait.pipe == Pipe::kCube || wait.pipe == Pipe::kVec;
  });
  ReportSection section{
      "waits", "why not earlier: what pipes waited for, mean of the cores", "cycles", true, {}};
  for (const WaitProfile& wait : waits) {
    section.rows.push_back(
        {fmt::format("{} {}: {}", name_of(wait.kind), name_of(wait.pipe), wait.on),
         mean_cycles(profile, wait.kind, wait.ticks), wait.count});
  }
  return section;
}

void add_kernel(const Context* told, const WatchSimulation& watch, Store& store,
                RunReport& report) {
  const KernelDetails& details =
      report.kernel.emplace(simulate_again(told, watch, store, report.run));
  const LaunchProfile& profile = details.profile;
  const double us = details.machine.us_of_ticks(profile.timing.ticks);
  // A wrong result has no time.
  if (details.is_detailed() && details.stored_us > 0 && details.stored_us != us) {
    throw stale(report.run, fmt::format("it took {} then and takes {} now",
                                        format_us(details.stored_us), format_us(us)));
  }
  report.unit = "cycles";
  report.total = cycles_of(profile.timing.ticks);
  report.sections = {
      section_of("breakdown", "by cause, along the critical path", profile.timing.critical_path),
      section_of("engine", "by cause, mean of the working cores", profile.timing.engine),
      pipes_of(profile), ops_of(profile), waits_of(profile)};
}

/// Numbers of the stored result, those that are there.
ReportSection measures_of(const JsonReader& stored, const char* title,
                          std::initializer_list<const char*> keys) {
  ReportSection section{"measures", title, "", false, {}};
  for (const char* key : keys) {
    if (stored.is_object() && stored.has(key) && !stored.at(key).is_null()) {
      section.rows.push_back({key, number_of(stored, key), 0});
    }
  }
  return section;
}

void add_steps(Store& store, const JsonReader& stored, RunReport& report) {
  std::optional<ServingRecord> record = read_serving_record(store, report.run.id);
  report.sections.push_back(event_counts(record ? record->events : std::vector<StepEvent>()));
  if (!record) return;
  report.sections.back().if_empty = "none";
  const bool has_blocks = stored.is_object() && stored.has("kv_blocks");
  report.serving = {std::move(*record), number_of(stored, "peak_flops"),
                    number_of(stored, "peak_bytes_per_s"),
                    has_blocks ? stored.at("kv_blocks").integer(0, INT64_MAX) : 0};
}

void add_serving(Store& store, const JsonReader& stored, RunReport& report) {
  report.unit = "us";
  report.total = number_of(stored, "device_us");
  ReportSection ops{"ops", "by op, all steps", "us", true, {}};
  if (stored.is_object() && stored.has("by_op")) {
    for (const JsonReader& op : stored.at("by_op").items()) {
      ops.rows.push_back(
          {op.at("op").string(), number_of(op, "us"), op.at("calls").integer(0, INT64_MAX)});
    }
  }
  std::ranges::stable_sort(ops.rows, std::greater(), &ReportRow::value);
  report.sections = {
      measures_of(stored, "measures",
                  {"completed", "steps", "preemptions", "simulated_seconds", "device_us", "host_us",
                   "request_throughput", "output_throughput", "mean_ttft_ms", "p99_ttft_ms",
                   "mean_tpot_ms", "p99_tpot_ms", "mean_e2el_ms", "p99_e2el_ms"}),
      ops};
  add_steps(store, stored, report);
}

void add_tuning(Store& store, const JsonReader& stored, RunReport& report) {
  report.unit = "us";
  report.total = number_of(stored, "best_us");
  ReportSection winners{"winners", "best time by problem", "us", false, {}};
  for (const Winner& winner : store.load_winners(report.run.id)) {
    winners.rows.push_back({winner.problem, winner.time_us, winner.evaluations});
  }
  std::ranges::stable_sort(winners.rows, std::greater(), &ReportRow::value);
  report.sections = {measures_of(stored, "session",
                                 {"problems", "evaluations", "cache_hits", "failures",
                                  "baseline_us", "best_us", "gain"}),
                     winners};
}

}  // namespace

RunReport read_report(Store& store, const std::string& name, const Context* told,
                      const WatchSimulation& watch) {
  RunReport report;
  report.run = find_run(store, name);
  const Json result = stored_result(report.run);
  const JsonReader stored(result, result_name(report.run));
  switch (report.run.kind) {
    case RunKind::kKernel:
      add_kernel(told, watch, store, report);
      break;
    case RunKind::kServe:
      add_serving(store, stored, report);
      break;
    case RunKind::kTune:
      add_tuning(store, stored, report);
      break;
    case RunKind::kPlan:
    case RunKind::kImport:
      break;
  }
  return report;
}

Json stored_result(const Run& run) {
  return run.result.empty() ? Json(nullptr) : parse_json(run.result, result_name(run));
}

Json identity_json(const Run& run) {
  return {{"id", run.id},
          {"kind", name_of(run.kind)},
          {"label", run.label},
          {"status", name_of(run.status)},
          {"date", run.date},
          {"tool", run.tool},
          {"command", run.command},
          {"model", run.model.empty() ? Json(nullptr) : Json(run.model)},
          {"workload", run.workload.empty() ? Json(nullptr) : Json(run.workload)},
          {"machine", {{"name", run.machine_name}, {"fingerprint", run.machine_fingerprint}}},
          {"seed", run.seed}};
}

std::string labelled(std::string_view label, std::string_view shown) {
  const std::string plain = printable(shown, shown.size());
  std::string_view text = plain;
  constexpr size_t kLabel = 9;
  constexpr size_t kWidth = 80 - kLabel;
  std::string lines;
  std::string_view head = label;
  do {
    std::string_view part = text.substr(0, kWidth);
    if (text.size() > kWidth) {
      const size_t at = part.find_last_of(" ,");
      if (at != std::string_view::npos) part = part.substr(0, at + 1);
    }
    text.remove_prefix(part.size());
    lines += fmt::format("{:<{}}{}\n", head, kLabel, trim(part));
    head = "";
  } while (!text.empty());
  return lines;
}

}  // namespace tilewright
