// `tilewright report xyserve` and `xyserve-e2e`: the gains that XY-Serve's paper states, of its
// kernels and end to end, on a simulated machine.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/xyserve_report.h"
#include "app/cli/xyserve_serving_report.h"

namespace tilewright {

namespace {

/// Hooks that show the progress of a report on stderr.
ExperimentHooks hooks_of(const Context& context, Progress& progress) {
  ExperimentHooks hooks;
  hooks.jobs = context.globals().jobs;
  hooks.progress = [&progress](std::string_view what, size_t done, size_t total) {
    progress.update([&] { return fmt::format("xyserve: {}, {} of {}", what, done, total); });
  };
  return hooks;
}

template <typename Report>
int print_report(Context& context, const Report& report, const Machine& machine) {
  if (context.globals().json) {
    context.print_json(json_of(report, machine));
  } else {
    context.print(text_of(context, report, machine));
  }
  return kExitOk;
}

}  // namespace

int run_report_xyserve(Context& context) {
  const InterruptGuard guard;
  const InterruptExit exit;  // it writes nothing that could be kept
  const Machine machine = context.machine();
  Progress progress(context.console().err(), context.globals().quiet);
  const XyserveReport report =
      make_xyserve_report(machine, context.arguments().has("quick"), hooks_of(context, progress));
  progress.clear();
  return print_report(context, report, machine);
}

int run_report_xyserve_serving(Context& context) {
  const InterruptGuard guard;
  const InterruptExit exit;  // it writes nothing that could be kept
  const Machine machine = context.machine();
  Progress progress(context.console().err(), context.globals().quiet);
  const ServingExperiment experiment = run_serving_experiment(
      machine, context.arguments().has("quick"), hooks_of(context, progress));
  progress.clear();
  return print_report(context, experiment, machine);
}

}  // namespace tilewright
