#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/space.h"
#include "tuner/xyserve/linears.h"

namespace tilewright {

/// How an experiment runs, and who hears of its progress. Results do not depend on it.
struct ExperimentHooks {
  int jobs = 1;
  /// Called on the calling thread: what is done, pieces done, pieces in all. May be empty.
  std::function<void(std::string_view, size_t, size_t)> progress;
};

/// What of SmoothGEMM's evaluation is run.
struct GemmExperimentOptions {
  std::vector<Linear> linears;
  std::vector<int64_t> rows;  ///< numbers of rows (m), ascending
  std::string layout;         ///< of the weights, for SmoothGEMM and the baselines alike
};

/// All of XY-Serve's linears over m = 1 ... 4096; `quick`: a few m of each size only.
GemmExperimentOptions gemm_experiment_options(bool quick);

/// A linear's config for up to `m` rows, more than the entry before it: SmoothGEMM's table.
struct TunedRows {
  int64_t m = 0;
  Config config;
  double time_us = 0;
};

/// One linear's times.
struct LinearTimes {
  Linear linear;
  std::vector<TunedRows> table;  ///< by multiples of kRowMultiple, those that `rows` needs
  /// Times for each of the options' rows, in us.
  std::vector<double> smooth_us;   ///< by the entry of the table for that m
  std::vector<double> library_us;  ///< gemm_library
  std::vector<double> padded_us;   ///< gemm_padded

  /// The entry of the table for m rows.
  const TunedRows& entry(int64_t m) const;
};

/// Tunes SmoothGEMM for each linear and multiple of kRowMultiple rows (first-order estimates over
/// the whole space, the most promising configs simulated, then the winners of neighbouring
/// multiples), and times it and the baselines at every m. Simulated at fidelity `auto`. Linears
/// with equal sizes are computed once.
std::vector<LinearTimes> run_gemm_experiment(const GemmExperimentOptions& options,
                                             const Machine& machine, const ExperimentHooks& hooks);

}  // namespace tilewright
