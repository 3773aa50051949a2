#pragma once

#include <string>
#include <vector>

#include "tuner/xyserve/agreement.h"
#include "tuner/xyserve/attention_experiment.h"
#include "tuner/xyserve/gemm_summary.h"

namespace tilewright {

/// A gain of the paper, as the simulator sees it.
struct XyserveResult {
  std::string name;
  double gain_percent = 0;
  double paper_percent = 0;
  std::string baseline;  ///< the kernel that it is over
  std::string meaning;
};

/// XY-Serve's evaluation of its kernels on a simulated machine.
struct XyserveReport {
  bool quick = false;
  std::vector<XyserveResult> results;
  std::vector<PublishedFigure> agreement;
  GemmExperimentOptions gemm_options;
  std::vector<LinearTimes> gemm_times;
  GemmSummary gemm;
  std::vector<AttentionFigures> attention;
};

/// Runs everything (docs/xyserve.md); `quick`: a few sizes of each experiment only.
XyserveReport make_xyserve_report(const Machine& machine, bool quick, const ExperimentHooks& hooks);

}  // namespace tilewright
