#pragma once

#include <string>
#include <vector>

#include "app/cli/serving_setup.h"
#include "core/plan/plan.h"
#include "core/serving/engine.h"
#include "core/serving/metrics.h"

namespace tilewright {

/// One serving run of a comparison, with everything that is told of it.
struct Replay {
  std::string label;  ///< the plan's path, or "none"
  const Plan* plan = nullptr;
  ServingResult result;
  ServingMetrics metrics;
  RunTotals totals;
  MemoryBudget memory;
  double wall_seconds = 0;
  /// Of sampled steps that were simulated launch by launch: how far off their times are, as shares
  /// of the simulated ones, ascending.
  std::vector<double> audit_errors = {};

  /// MFU and MBU while the device was busy.
  Utilisation utilisation() const;
};

/// A measure of two runs side by side; `gain` above 1 says that the first run is the better one.
struct Gain {
  std::string key;    ///< of the JSON object
  std::string title;  ///< of the text
  double first = 0;
  double second = 0;
  double gain = 0;
};

/// Throughputs (first / second) and latencies and device time (second / first); measures that are 0
/// in one of them are left out.
std::vector<Gain> gains(const Replay& first, const Replay& second);

/// vLLM's keys and ours, for one run.
Json to_json(const Replay& replay, const ServingSetup& setup);

/// The knobs of the engine and of the executor: "options" of the above.
Json options_json(const ServingSetup& setup);

/// How many requests were rejected and why; "" when none was.
std::string rejection_note(const Replay& replay, const ServingSetup& setup);

/// The runs side by side, latencies with `percentiles` of those that their metrics have.
std::string to_text(const std::vector<Replay>& replays, const ServingSetup& setup,
                    const std::vector<double>& percentiles, Context& context);

}  // namespace tilewright
