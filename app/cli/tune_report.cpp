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

/// 0 stands for what is not known.
Json known(double value) {
  return value > 0 ? Json(value) : Json(nullptr);
}

Cell known_cell(double value) {
  return value > 0 ? Cell(value) : Cell();
}

Json json_of(const TunedProblem& tuned, int64_t calls) {
  return {{"kernel", tuned.problem->problem.kernel},
          {"ops", tuned.problem->ops},
          {"problem", tuned.problem->problem.text()},
          {"config", to_json(tuned.config, tuned.problem->space)},
          {"time_us", tuned.time_us},
          {"baseline_us", known(tuned.baseline_us)},
          {"gain", known(tuned.gain())},
          {"margin", tuned.margin()},
          {"spread_us", tuned.spread_us},
          {"confidence", tuned.confidence},
          {"regret", tuned.regret ? Json(*tuned.regret) : Json(nullptr)},
          {"calls", calls},
          {"complete", tuned.complete}};
}

Json json_of(const FamilyTable& family) {
  Json ranges = Json::array();
  for (const FamilyRangeResult& range : family.ranges) {
    ranges.push_back({{"m_min", range.m_min},
                      {"m_max", range.m_max},
                      {"config", to_json(range.config)},
                      {"time_us", range.time_us},
                      {"worst_regret", range.worst_regret}});
  }
  return {{"problem", family.problem.text()},
          {"members", family.members},
          {"worst_regret", family.worst_regret},
          {"mean_regret", family.mean_regret},
          {"ranges", std::move(ranges)}};
}

Json json_of(const SearchAnalysis& analysis, const Space& space) {
  Json parameters = Json::array();
  for (const ParameterSummary& parameter : analysis.parameters) {
    Json values = Json::array();
    for (const ValueSummary& value : parameter.values) {
      values.push_back({{"value", json_value(space, parameter.name, value.value)},
                        {"tried", value.tried},
                        {"best_us", value.best_us},
                        {"median_us", value.median_us}});
    }
    parameters.push_back(
        {{"name", parameter.name}, {"share", parameter.share}, {"values", std::move(values)}});
  }
  Json top = Json::array();
  for (const AnalysedTrial& trial : analysis.top) {
    top.push_back({{"config", to_json(trial.config, space)},
                   {"time_us", trial.time_us},
                   {"estimate_us", trial.estimate_us > 0 ? Json(trial.estimate_us) : Json(nullptr)},
                   {"proposer", trial.proposer}});
  }
  const auto& correlation = analysis.estimate_correlation;
  return {{"trials", analysis.trials},
          {"parameters", std::move(parameters)},
          {"together", analysis.together},
          {"top", std::move(top)},
          {"estimate_rank_correlation", correlation ? Json(*correlation) : Json(nullptr)}};
}

/// The winners that take the most time.
std::string top_winners(const TuneSummary& summary, size_t rows) {
  QueryResult table;
  table.columns = {"op", "sizes", "calls", "untuned", "tuned", "gain", "config"};
  const std::vector<const TunedProblem*> winners = by_time(summary);
  for (const TunedProblem* tuned : std::span(winners).first(std::min(rows, winners.size()))) {
    const bool has_baseline = tuned->baseline_us > 0;
    table.rows.push_back(
        {tuned->problem->ops.empty() ? "-" : join(tuned->problem->ops, ","),
         Config{tuned->problem->problem.sizes}.text(), summary.calls_of(*tuned),
         has_baseline ? format_us(tuned->baseline_us) : "failed", format_us(tuned->time_us),
         has_baseline ? fmt::format("{:.3f}x", tuned->gain()) : "-", tuned->config_text()});
  }
  return to_table(table);
}

std::string family_text(const FamilyTable& family) {
  QueryResult table;
  table.columns = {"m", "time", "regret", "config"};
  for (const FamilyRangeResult& range : family.ranges) {
    table.rows.push_back({fmt::format("{}..{}", range.m_min, range.m_max), format_us(range.time_us),
                          format_share(range.worst_regret), range.config.text()});
  }
  return fmt::format("\n{} ranges for {} numbers of rows; worst regret {}, mean {}\n{}",
                     family.ranges.size(), family.members, format_share(family.worst_regret),
                     format_share(family.mean_regret), to_table(table));
}

/// What matters, and whether the estimate can be trusted.
std::string analysis_text(const SearchAnalysis& analysis, const Space& space) {
  if (analysis.parameters.empty()) return "";
  QueryResult matters;
  matters.columns = {"parameter", "share", "best value", "worst value", "costs"};
  for (const ParameterSummary& parameter : analysis.parameters) {
    const auto by_best = [](const ValueSummary& a, const ValueSummary& b) {
      return a.best_us < b.best_us;
    };
    const auto [best, worst] = std::ranges::minmax_element(parameter.values, by_best);
    matters.rows.push_back({parameter.name, format_share(parameter.share),
                            space.value_text(parameter.name, best->value),
                            space.value_text(parameter.name, worst->value),
                            fmt::format("{:.3f}x", worst->best_us / best->best_us)});
  }
  std::string text = fmt::format(
      "\nwhat matters (share of the variance of log time in {} trials; {} by parameters "
      "together)\n{}",
      format_count(analysis.trials), format_share(analysis.together), to_table(matters));
  QueryResult top;
  top.columns = {"time", "estimate", "proposer", "config"};
  for (const AnalysedTrial& trial : analysis.top) {
    top.rows.push_back({format_us(trial.time_us),
                        trial.estimate_us > 0 ? format_us(trial.estimate_us) : "-", trial.proposer,
                        space.text(trial.config)});
  }
  text += fmt::format("\nfastest\n{}", to_table(top));
  if (analysis.estimate_correlation) {
    text += fmt::format("rank correlation of estimate and time: {:.2f}\n",
                        *analysis.estimate_correlation);
  }
  return text;
}

/// How sure the winner of a single problem is.
std::string verdict_line(const TunedProblem& tuned) {
  if (!tuned.found || tuned.runner_up_us <= 0) return "";
  if (tuned.spread_us <= 0) {
    return fmt::format("the runner-up is {} slower\n", format_share(tuned.margin()));
  }
  return fmt::format("the runner-up is {} slower; faster than it with a confidence of {}\n",
                     format_share(tuned.margin()), format_share(tuned.confidence));
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
  bool has_baselines = true;
  for (const TunedProblem& tuned : result.problems) {
    summary.failures += tuned.failures;
    if (!tuned.found) continue;
    ++summary.found;
    has_baselines = has_baselines && tuned.baseline_us > 0;
    const auto count = static_cast<double>(summary.calls_of(tuned));
    summary.baseline_us += count * tuned.baseline_us;
    summary.best_us += count * tuned.time_us;
  }
  if (!has_baselines) summary.baseline_us = 0;
  return summary;
}

FusedCount count_fused(const TuneResult& result) {
  FusedCount count;
  for (const TunedProblem& tuned : result.problems) {
    if (!tuned.problem->apart) continue;
    ++count.problems;
    count.faster += beats_apart(tuned, result) ? 1 : 0;
  }
  return count;
}

void add_to_json(const TuneSummary& summary, bool with_winners, Json& json) {
  const TuneResult& result = *summary.result;
  json["problems"] = result.problems.size();
  json["evaluations"] = result.evaluations;
  json["cache_hits"] = result.cache_hits;
  json["failures"] = summary.failures;
  json["baseline_us"] = known(summary.baseline_us);
  json["best_us"] = summary.best_us;
  json["gain"] = known(summary.gain());
  json["gain_percent"] = summary.gain() > 0 ? Json(100 * (summary.gain() - 1)) : Json(nullptr);
  json["screened"] = result.screened;
  json["replayed"] = result.replayed;
  if (const FusedCount fused = count_fused(result); fused.problems > 0) {
    json["fused"] = {{"problems", fused.problems}, {"faster", fused.faster}};
  }
  json["interrupted"] = result.interrupted;
  json["out_of_time"] = result.out_of_time;
  if (!with_winners) return;
  Json& winners = json["winners"] = Json::array();
  for (const TunedProblem* tuned : by_time(summary)) {
    winners.push_back(json_of(*tuned, summary.calls_of(*tuned)));
  }
  Json& families = json["families"] = Json::array();
  for (const FamilyTable& family : result.families) families.push_back(json_of(family));
  if (result.problems.size() == 1 && result.problems.front().found) {
    json["analysis"] =
        json_of(result.problems.front().analysis, result.problems.front().problem->space);
  }
}

QueryResult winner_table(const TuneSummary& summary) {
  QueryResult table;
  table.columns = {"op", "problem", "calls", "config", "time_us", "baseline_us", "gain", "margin"};
  for (const TunedProblem* tuned : by_time(summary)) {
    table.rows.push_back({join(tuned->problem->ops, ","), tuned->problem->problem.text(),
                          summary.calls_of(*tuned), tuned->config_text(), tuned->time_us,
                          known_cell(tuned->baseline_us), known_cell(tuned->gain()),
                          tuned->margin()});
  }
  return table;
}

std::string tune_text(const TuneSummary& summary, int64_t run, const std::string& coverage) {
  constexpr size_t kRowsShown = 12;
  constexpr size_t kFamiliesShown = 6;
  const TuneResult& result = *summary.result;
  std::string text = fmt::format(
      "run {}: {}, {}, {}{}{}\n", run, format_counted(std::ssize(result.problems), "problem"),
      format_counted(result.evaluations, "evaluation"),
      format_counted(result.cache_hits, "cache hit"),
      result.screened > 0
          ? fmt::format(", {} left at the cheaper fidelity", format_count(result.screened))
          : "",
      summary.failures > 0 ? fmt::format(", {} failed", format_counted(summary.failures, "config"))
                           : "");
  text += coverage;
  const char* const scope = summary.calls.empty() ? "" : "all calls of the workload: ";
  if (summary.gain() > 0) {
    text += fmt::format("{}untuned {}, tuned {}: gain {:.3f}x ({:+.1f} %)\n", scope,
                        format_us(summary.baseline_us), format_us(summary.best_us), summary.gain(),
                        100 * (summary.gain() - 1));
  } else if (summary.best_us > 0) {
    text += fmt::format("{}untuned failed, tuned {}\n", scope, format_us(summary.best_us));
  }
  if (const FusedCount fused = count_fused(result); fused.problems > 0) {
    text += fmt::format("fused with the op behind it a GEMM is faster in {} of {} problems\n",
                        fused.faster, fused.problems);
  }
  const bool is_one = result.problems.size() == 1;
  if (is_one) text += verdict_line(result.problems.front());
  if (summary.found > 0) text += "\n" + top_winners(summary, kRowsShown);
  if (const int64_t more = summary.found - static_cast<int64_t>(kRowsShown); more > 0) {
    text += fmt::format("... and {} more: tilewright query winners\n", more);
  }
  if (result.families.size() <= kFamiliesShown && summary.calls.empty()) {
    for (const FamilyTable& family : result.families) text += family_text(family);
  } else if (!result.families.empty()) {
    size_t ranges = 0;
    double worst = 0;
    for (const FamilyTable& family : result.families) {
      ranges += family.ranges.size();
      worst = std::max(worst, family.worst_regret);
    }
    text += fmt::format("{} ranges of rows; worst regret {}\n", ranges, format_share(worst));
  }
  if (is_one)
    text += analysis_text(result.problems.front().analysis, result.problems.front().problem->space);
  return text;
}

}  // namespace tilewright
