#pragma once

#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/serving/engine.h"
#include "core/serving/metrics.h"
#include "kernels/model_executor.h"
#include "tuner/xyserve/gemm_experiment.h"

namespace tilewright {

/// One way to serve, of those that are compared.
struct ServingEngine {
  std::string name;     ///< "baseline", "kernels", "mixed", ...
  std::string meaning;  ///< kernels, scheduling, what is reused
  Lowering lowering = Lowering::kXyserve;
  bool enforce_eager = false;  ///< ops sent one by one, without captured graphs
  ServingOptions options = {};
};

/// What one engine made of one traffic.
struct ServedTraffic {
  std::string engine;
  ServingMetrics metrics;
  RunTotals totals;
  std::vector<OpTime> by_op;  ///< where the device's time went

  double device_us_of(std::string_view op) const;
};

/// One traffic, served by every engine on the same requests.
struct ServingPoint {
  std::string traffic;                 ///< a generator's preset
  std::string rate;                    ///< requests per second, or "4..32": a ramp
  std::vector<ServedTraffic> engines;  ///< the baseline first

  /// Of an engine over the baseline, in percent: more requests per second, less TTFT and TBT.
  double qps_percent(size_t engine) const;
  double ttft_percent(size_t engine) const;
  double tbt_percent(size_t engine) const;
};

/// The paper's evaluation end to end (section 6.4: Qwen2-7B; and the ablation of its in-house
/// model).
struct ServingExperiment {
  bool quick = false;
  std::string model;
  int64_t requests = 0;  ///< of each point
  std::vector<ServingEngine> engines;
  std::vector<ServingPoint> points;

  std::string ablation_model;
  int64_t ablation_ranks = 0;
  int64_t ablation_concurrency = 0;
  double ablation_mean_input = 0;  ///< prompt tokens of a request
  std::vector<ServingEngine> ablation_engines;
  std::vector<ServedTraffic> ablation;  ///< the baseline first

  /// Requests per second of a stage of the ablation over the baseline's, in percent.
  double ablation_percent(size_t engine) const;
};

/// Best over all points of an engine: the paper says "up to".
struct ServingBest {
  double qps_percent = 0;
  double ttft_percent = 0;  ///< negative is less
  double tbt_percent = 0;   ///< negative is less
};
ServingBest best_of(const ServingExperiment& experiment, size_t engine);

/// Serves every point by every engine. SmoothGEMM goes by tables that are tuned first, for each
/// linear at a few row counts, as it is meant to (section 4.3). `quick`: two rates, fewer requests
/// and row counts.
ServingExperiment run_serving_experiment(const Machine& machine, bool quick,
                                         const ExperimentHooks& hooks);

}  // namespace tilewright
