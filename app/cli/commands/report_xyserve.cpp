// `tilewright report xyserve`: the gains that XY-Serve's paper states, on a simulated machine.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/progress.h"
#include "app/cli/xyserve_report.h"

namespace tilewright {

int run_report_xyserve(Context& context) {
  const InterruptGuard guard;
  const InterruptExit exit;  // it writes nothing that could be kept
  const Machine machine = context.machine();
  Progress progress(context.console().err(), context.globals().quiet);
  ExperimentHooks hooks;
  hooks.jobs = context.globals().jobs;
  hooks.progress = [&](std::string_view what, size_t done, size_t total) {
    progress.update([&] { return fmt::format("xyserve: {}, {} of {}", what, done, total); });
  };
  const XyserveReport report =
      make_xyserve_report(machine, context.arguments().has("quick"), hooks);
  progress.clear();
  if (context.globals().json) {
    context.print_json(json_of(report, machine));
  } else {
    context.print(text_of(context, report, machine));
  }
  return kExitOk;
}

}  // namespace tilewright
