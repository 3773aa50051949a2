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

/// Geometric mean of the gains of a result's cases.
double mean_of(const std::vector<AttentionFigures>& times, std::string_view result) {
  std::vector<double> library, ours;
  for (const AttentionFigures& each : times) {
    if (each.of.result != result) continue;
    library.push_back(each.baseline_us());
    ours.push_back(each.time_us);
  }
  return mean_gain(library, ours);
}

double best_of(const std::vector<AttentionFigures>& times, std::string_view result) {
  double best = -1;
  for (const AttentionFigures& each : times) {
    if (each.of.result == result) best = std::max(best, each.gain());
  }
  return best;
}

void add_attention_results(XyserveReport& report) {
  const auto add = [&](std::string_view name, double gain) {
    report.results.push_back(result_of(name, gain, std::string(kAttentionLibrary)));
  };
  // Overall: each kind of batch counts the same, however many sizes it was tried with.
  std::vector<double> gains, ones;
  for (const char* result : {"verify", "prefix", "chunked", "decode"}) {
    gains.push_back(1 + mean_of(report.attention, result));
    ones.push_back(1);
  }
  add("attention", mean_gain(gains, ones));
  add("verify", mean_of(report.attention, "verify"));
  add("prefix", mean_of(report.attention, "prefix"));
  add("chunked", best_of(report.attention, "chunked"));
  add("decode", mean_of(report.attention, "decode"));
  for (const char* result : {"mixed_conversation", "mixed_coding"}) {
    add(result, mean_of(report.attention, result));
  }
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
  for (PublishedFigure& each : attention_library_agreement(machine)) {
    report.agreement.push_back(std::move(each));
  }
  report.attention = run_attention_experiment(attention_cases(quick), machine, hooks);
  add_attention_results(report);
  return report;
}

}  // namespace tilewright
