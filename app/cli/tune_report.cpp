#include "app/cli/tune_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/problem_arguments.h"
#include "app/cli/table.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/model/ops.h"
#include "kernels/model_executor.h"

namespace tilewright {

namespace {

/// Problems with a winner, those that take the most time with it first.
std::vector<const TunedProblem*> by_time(const TuneSummary& summary) {
  std::vector<const TunedProblem*> found;
  for (const TunedProblem& tuned : summary.result->problems) {
    if (tuned.found) found.push_back(&tuned);
  }
  std::ranges::stable_sort(found, [&](const TunedProblem* a, const TunedProblem* b) {
    return a->time_us * static_cast<double>(summary.calls_of(*a)) >
           b->time_us * static_cast<double>(summary.calls_of(*b));
  });
  return found;
}

Json json_of(const TunedProblem& tuned, int64_t calls) {
  return {{"kernel", tuned.problem->problem.kernel},
          {"ops", tuned.problem->ops},
          {"problem", tuned.problem->problem.text()},
          {"config", to_json(tuned.config)},
          {"time_us", tuned.time_us},
          {"baseline_us", tuned.baseline_us},
          {"gain", tuned.gain()},
          {"margin", tuned.margin()},
          {"calls", calls},
          {"complete", tuned.complete}};
}

}  // namespace

CallCounts count_calls(const ModelConfig& model, const std::map<int64_t, int64_t>& step_tokens,
                       const std::map<int64_t, int64_t>& step_samples, const RankLayout& layout) {
  CallCounts calls;
  const auto add = [&](const std::map<int64_t, int64_t>& steps, bool head) {
    for (const auto& [rows, count] : steps) {
      const int64_t rounded = (rows + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
      for (const ModelOp& op : decoder_ops(model, rounded, head ? rounded : 0, layout)) {
        if (op.kind != OpKind::kGemm || (op.name == "lm_head") != head) continue;
        calls[gemm_problem(model, op).text()] += count * op.repeat;
      }
    }
  };
  add(step_tokens, false);
  add(step_samples, true);
  return calls;
}

int64_t TuneSummary::calls_of(const TunedProblem& tuned) const {
  if (calls.empty()) return 1;
  const auto count = calls.find(tuned.problem->problem.text());
  return count == calls.end() ? 0 : count->second;
}

TuneSummary summarise(const TuneResult& result, CallCounts calls) {
  TuneSummary summary;
  summary.result = &result;
  summary.calls = std::move(calls);
  for (const TunedProblem& tuned : result.problems) {
    summary.failures += tuned.failures;
    if (!tuned.found) continue;
    ++summary.found;
    if (tuned.baseline_us <= 0) continue;
    const auto count = static_cast<double>(summary.calls_of(tuned));
    summary.baseline_us += count * tuned.baseline_us;
    summary.best_us += count * tuned.time_us;
  }
  return summary;
}

void add_to_json(const TuneSummary& summary, bool with_winners, Json& json) {
  const TuneResult& result = *summary.result;
  json["problems"] = result.problems.size();
  json["evaluations"] = result.evaluations;
  json["cache_hits"] = result.cache_hits;
  json["failures"] = summary.failures;
  json["baseline_us"] = summary.baseline_us;
  json["best_us"] = summary.best_us;
  json["gain"] = summary.gain();
  json["gain_percent"] = summary.best_us > 0 ? 100 * (summary.gain() - 1) : 0.0;
  json["interrupted"] = result.interrupted;
  json["out_of_time"] = result.out_of_time;
  if (!with_winners) return;
  Json& winners = json["winners"] = Json::array();
  for (const TunedProblem* tuned : by_time(summary)) {
    winners.push_back(json_of(*tuned, summary.calls_of(*tuned)));
  }
}

QueryResult winner_table(const TuneSummary& summary) {
  QueryResult table;
  table.columns = {"op", "problem", "calls", "config", "time_us", "baseline_us", "gain", "margin"};
  for (const TunedProblem* tuned : by_time(summary)) {
    table.rows.push_back({join(tuned->problem->ops, ","), tuned->problem->problem.text(),
                          summary.calls_of(*tuned), tuned->config.text(), tuned->time_us,
                          tuned->baseline_us, tuned->gain(), tuned->margin()});
  }
  return table;
}

std::string top_winners(const TuneSummary& summary, size_t rows) {
  QueryResult table;
  table.columns = {"op", "sizes", "calls", "untuned", "tuned", "gain", "config"};
  const std::vector<const TunedProblem*> winners = by_time(summary);
  for (const TunedProblem* tuned : std::span(winners).first(std::min(rows, winners.size()))) {
    std::vector<std::string> sizes;
    for (const auto& [name, value] : tuned->problem->problem.sizes) {
      sizes.push_back(fmt::format("{}={}", name, value));
    }
    const bool has_baseline = tuned->baseline_us > 0;
    table.rows.push_back(
        {tuned->problem->ops.empty() ? "-" : join(tuned->problem->ops, ","), join(sizes, " "),
         summary.calls_of(*tuned), has_baseline ? format_us(tuned->baseline_us) : "failed",
         format_us(tuned->time_us), has_baseline ? fmt::format("{:.3f}x", tuned->gain()) : "-",
         tuned->config.text()});
  }
  return to_table(table);
}

}  // namespace tilewright
