#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/cli/context.h"
#include "core/base/json.h"
#include "core/machine/machine.h"
#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "db/queries.h"
#include "db/store.h"
#include "kernels/kernel.h"
#include "kernels/padding_traffic.h"
#include "simulator/hazards.h"
#include "simulator/launch.h"
#include "simulator/roofline.h"
#include "simulator/timing.h"

namespace tilewright {

/// A parameter that has another value than the default.
struct Adapted {
  std::string name;
  int64_t value = 0;
  int64_t fallback = 0;
};

/// A kernel's config on the simulator, and everything that was found.
struct KernelRun {
  Machine machine;
  Problem problem;
  Config config;
  /// Parameters that nobody gave and that are not at their default, as what was given needs it.
  std::vector<Adapted> adapted;
  double flops = 0;
  TimingResult timing;
  Roofline roofline;
  QueryResult core_counters;
  Measurement measurement;
  std::optional<PaddingTraffic> padding;  ///< where the kernel says what is padding
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

/// Times the launch of `run`, whose machine is set, and fills in what follows from that.
void time_run(const Launch& launch, Fidelity fidelity, KernelRun& run);
/// The same in detail, as a timeline shows every instruction, which is written to `trace` on the
/// way (app/cli/trace_file.h).
void time_run_traced(const Launch& launch, const std::string& trace, KernelRun& run);

/// Fills in what follows from the timing of the launch of `run`, whose machine and fidelity are
/// set.
void take_timing(const Launch& launch, const TimingResult& timing, KernelRun& run);

/// "0 B read, 0 B written beyond the tensors".
std::string text_of(const PaddingTraffic& padding);

/// The object that `tilewright run --json` prints.
Json json_of(const KernelRun& run);

/// Keeps a run and its measurement in the database. Returns the run's number.
int64_t keep(const Context& context, const KernelRun& run, Store& store);
int64_t keep(const RunOrigin& origin, const KernelRun& run, Store& store);

}  // namespace tilewright
