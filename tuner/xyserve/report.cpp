#include "tuner/xyserve/report.h"

#include <algorithm>

#include "core/base/error.h"
#include "tuner/xyserve/paper.h"

namespace tilewright {

namespace {

XyserveResult result_of(std::string_view name, double gain, std::string baseline) {
  const auto paper = std::ranges::find(paper_results(), name, &PaperResult::name);
  TW_CHECK(paper != paper_results().end(), "every result is one of the paper's");
  return {std::string(name), 100 * gain, paper->percent, std::move(baseline),
          std::string(paper->meaning)};
}

}  // namespace

XyserveReport make_xyserve_report(const Machine& machine, bool quick,
                                  const ExperimentHooks& hooks) {
  XyserveReport report;
  report.quick = quick;
  report.agreement = gemm_library_agreement(machine);
  report.gemm_options = gemm_experiment_options(quick);
  report.gemm_times = run_gemm_experiment(report.gemm_options, machine, hooks);
  report.gemm = summarise(report.gemm_options, report.gemm_times, machine, hooks);
  report.results.push_back(result_of("gemm", report.gemm.gain, "gemm_library"));
  return report;
}

}  // namespace tilewright
