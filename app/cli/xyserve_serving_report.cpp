#include "app/cli/xyserve_serving_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/table.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// What the paper states of an engine of the comparison (section 6.4); 0: nothing.
struct PaperServing {
  std::string_view engine;
  double qps_percent;
  double ttft_percent;
  double tbt_percent;
};
constexpr PaperServing kPaperServing[] = {{"kernels", 79, -64, -57}, {"mixed", 89, 0, -69}};

/// And of a stage of the ablation.
struct PaperAblation {
  std::string_view engine;
  double percent;
};
constexpr PaperAblation kPaperAblation[] = {
    {"kernels", 16}, {"+ prefix cache", 27}, {"+ speculation and scheduling", 95}};

/// The rate at which times by op are shown; every rate is in the JSON.
constexpr std::string_view kExplainedRate = "16";

const PaperServing* paper_of(const std::string& engine) {
  const auto* found = std::ranges::find(kPaperServing, engine, &PaperServing::engine);
  return found == std::end(kPaperServing) ? nullptr : found;
}

double paper_ablation_of(const std::string& engine) {
  const auto* found = std::ranges::find(kPaperAblation, engine, &PaperAblation::engine);
  return found == std::end(kPaperAblation) ? 0 : found->percent;
}

Json json_of_ops(const ServedTraffic& served) {
  Json ops = Json::array();
  for (const OpTime& op : served.by_op) {
    ops.push_back({{"op", op.op}, {"us", static_cast<double>(op.ns) * 1e-3}});
  }
  return ops;
}

Json json_of(const ServedTraffic& served) {
  Json json = {{"engine", served.engine}};
  json.update(to_json(served.metrics));
  json.update(to_json(served.totals, served.metrics.duration));
  json["preemptions"] = served.totals.preemptions;
  json["by_op"] = json_of_ops(served);
  return json;
}

Json json_of(const std::vector<ServingEngine>& engines) {
  Json list = Json::array();
  for (const ServingEngine& engine : engines) {
    list.push_back({{"name", engine.name},
                    {"meaning", engine.meaning},
                    {"lowering", std::string(name_of(engine.lowering))},
                    {"enforce_eager", engine.enforce_eager},
                    {"policy", engine.options.policy},
                    {"max_num_batched_tokens", engine.options.max_num_batched_tokens},
                    {"enable_prefix_caching", engine.options.enable_prefix_caching},
                    {"prefix_cache_tokens", engine.options.prefix_cache_tokens},
                    {"num_speculative_tokens", engine.options.speculative.num_speculative_tokens}});
  }
  return list;
}

Json json_of_results(const ServingExperiment& experiment) {
  Json results = Json::array();
  for (size_t i = 1; i < experiment.engines.size(); ++i) {
    const ServingBest best = best_of(experiment, i);
    Json json = {{"engine", experiment.engines[i].name},
                 {"best_qps_percent", best.qps_percent},
                 {"best_ttft_percent", best.ttft_percent},
                 {"best_tbt_percent", best.tbt_percent}};
    if (const PaperServing* paper = paper_of(experiment.engines[i].name)) {
      json["paper_qps_percent"] = paper->qps_percent;
      if (paper->ttft_percent != 0) json["paper_ttft_percent"] = paper->ttft_percent;
      json["paper_tbt_percent"] = paper->tbt_percent;
    }
    results.push_back(std::move(json));
  }
  return results;
}

Json json_of_points(const ServingExperiment& experiment) {
  Json points = Json::array();
  for (const ServingPoint& point : experiment.points) {
    Json json = {{"traffic", point.traffic}, {"rate", point.rate}, {"engines", Json::array()}};
    for (size_t i = 0; i < point.engines.size(); ++i) {
      Json engine = json_of(point.engines[i]);
      if (i > 0) {
        engine["qps_percent"] = point.qps_percent(i);
        engine["ttft_percent"] = point.ttft_percent(i);
        engine["tbt_percent"] = point.tbt_percent(i);
      }
      json["engines"].push_back(std::move(engine));
    }
    points.push_back(std::move(json));
  }
  return points;
}

Json json_of_ablation(const ServingExperiment& experiment) {
  Json json = {{"model", experiment.ablation_model},
               {"tp", experiment.ablation_ranks},
               {"max_concurrency", experiment.ablation_concurrency},
               {"mean_input_tokens", experiment.ablation_mean_input},
               {"engines", json_of(experiment.ablation_engines)},
               {"stages", Json::array()}};
  for (size_t i = 0; i < experiment.ablation.size(); ++i) {
    Json stage = json_of(experiment.ablation[i]);
    if (i > 0) {
      stage["qps_percent"] = experiment.ablation_percent(i);
      stage["paper_qps_percent"] = paper_ablation_of(experiment.ablation[i].engine);
    }
    json["stages"].push_back(std::move(stage));
  }
  return json;
}

std::string percent(double value) {
  return fmt::format("{:+.1f} %", value);
}

std::string results_text(const ServingExperiment& experiment) {
  QueryResult table;
  table.columns = {
      "over the baseline, best of all points", "QPS", "paper", "TTFT", "paper", "TBT", "paper"};
  for (size_t i = 1; i < experiment.engines.size(); ++i) {
    const ServingBest best = best_of(experiment, i);
    const PaperServing* paper = paper_of(experiment.engines[i].name);
    if (!paper) continue;
    const auto stated = [&](double value) { return value == 0 ? "-" : percent(value); };
    table.rows.push_back({experiment.engines[i].name, percent(best.qps_percent),
                          stated(paper->qps_percent), percent(best.ttft_percent),
                          stated(paper->ttft_percent), percent(best.tbt_percent),
                          stated(paper->tbt_percent)});
  }
  return to_table(table);
}

std::string points_text(const ServingExperiment& experiment) {
  QueryResult table;
  table.columns = {"traffic", "rate /s", "engine", "QPS", "TTFT", "TBT", "over baseline"};
  for (const ServingPoint& point : experiment.points) {
    for (size_t i = 0; i < point.engines.size(); ++i) {
      const ServedTraffic& served = point.engines[i];
      table.rows.push_back(
          {i == 0 ? point.traffic : std::string(), i == 0 ? point.rate : std::string(),
           served.engine, fmt::format("{:.2f}", served.metrics.request_throughput),
           format_us(served.metrics.ttft.mean * 1e3), format_us(served.metrics.tpot.mean * 1e3),
           i == 0 ? std::string()
                  : fmt::format("{} / {} / {}", percent(point.qps_percent(i)),
                                percent(point.ttft_percent(i)), percent(point.tbt_percent(i)))});
    }
  }
  return to_table(table);
}

/// Device time of each engine by op.
std::string breakdown_text(const std::vector<ServedTraffic>& engines, const std::string& title) {
  QueryResult table;
  table.columns = {title};
  std::vector<std::string> names;
  for (const ServedTraffic& served : engines) {
    table.columns.push_back(served.engine);
    for (const OpTime& op : served.by_op) {
      if (std::ranges::find(names, op.op) == names.end()) names.push_back(op.op);
    }
  }
  const auto total_us = [](const ServedTraffic& served) {
    double us = 0;
    for (const OpTime& op : served.by_op) us += static_cast<double>(op.ns) * 1e-3;
    return us;
  };
  for (const std::string& name : names) {
    std::vector<Cell> row = {name};
    for (const ServedTraffic& served : engines) {
      row.push_back(format_us(served.device_us_of(name)));
    }
    table.rows.push_back(std::move(row));
  }
  std::vector<Cell> sum = {std::string("all ops")};
  std::vector<Cell> idle = {std::string("waiting for the host")};
  for (const ServedTraffic& served : engines) {
    sum.push_back(format_us(total_us(served)));
    idle.push_back(
        format_us(static_cast<double>(served.totals.idle_ns + served.totals.host_ns) * 1e-3));
  }
  table.rows.push_back(std::move(sum));
  table.rows.push_back(std::move(idle));
  return to_table(table);
}

/// What the last engine saves of the baseline's device time, by kind of op: it bounds what QPS can
/// gain on a busy chip.
std::string causes_text(const ServingPoint& point) {
  struct Share {
    const char* title;
    std::vector<std::string_view> ops;
  };
  const Share kShares[] = {{"linears", {"qkv", "o_proj", "gate_up", "down", "lm_head"}},
                           {"attention", {"attention"}}};
  const ServedTraffic& baseline = point.engines.front();
  const ServedTraffic& last = point.engines.back();
  double total = 0;
  for (const OpTime& op : baseline.by_op) total += static_cast<double>(op.ns) * 1e-3;
  std::string text =
      fmt::format("{} at {} /s: of the baseline's op time", point.traffic, point.rate);
  for (const Share& share : kShares) {
    double before = 0;
    double after = 0;
    for (std::string_view op : share.ops) {
      before += baseline.device_us_of(op);
      after += last.device_us_of(op);
    }
    text += fmt::format("{} {} is {}, of which {} saves {}", &share == kShares ? "" : ";",
                        format_share(before / total), share.title, last.engine,
                        format_share(1 - after / before));
  }
  return text + "\n";
}

std::string ablation_text(const ServingExperiment& experiment) {
  QueryResult table;
  table.columns = {
      fmt::format("{} on {} chips", experiment.ablation_model, experiment.ablation_ranks),
      "QPS",
      "over baseline",
      "paper",
      "prefix hits",
      "tokens a verification"};
  for (size_t i = 0; i < experiment.ablation.size(); ++i) {
    const ServedTraffic& served = experiment.ablation[i];
    const RunTotals& totals = served.totals;
    const double queries = static_cast<double>(std::max<int64_t>(totals.prefix_queries, 1));
    table.rows.push_back(
        {served.engine, fmt::format("{:.3f}", served.metrics.request_throughput),
         i == 0 ? std::string() : percent(experiment.ablation_percent(i)),
         i == 0 ? std::string() : percent(paper_ablation_of(served.engine)),
         format_share(static_cast<double>(totals.prefix_hits) / queries),
         totals.speculation.num_drafts == 0
             ? std::string("-")
             : fmt::format("{:.2f}", totals.speculation.mean_acceptance_length())});
  }
  return to_table(table);
}

std::string engines_text(const std::vector<ServingEngine>& engines) {
  std::string text;
  for (const ServingEngine& engine : engines) {
    text += fmt::format("  {}: {}\n", engine.name, engine.meaning);
  }
  return text;
}

}  // namespace

Json json_of(const ServingExperiment& experiment, const Machine& machine) {
  Json json = output_object();
  json["machine"] = machine_identity(machine);
  json["quick"] = experiment.quick;
  json["model_id"] = experiment.model;
  json["num_prompts"] = experiment.requests;
  json["engines"] = json_of(experiment.engines);
  json["results"] = json_of_results(experiment);
  json["points"] = json_of_points(experiment);
  json["ablation"] = json_of_ablation(experiment);
  return json;
}

std::string text_of(Context& context, const ServingExperiment& experiment, const Machine& machine) {
  std::string text = fmt::format(
      "{} on {} ({})\n\n{}, {} requests a point:\n{}\n", context.heading("XY-Serve end to end"),
      machine.name, machine.fingerprint(), experiment.model, format_count(experiment.requests),
      engines_text(experiment.engines));
  text += results_text(experiment) + "\n" + points_text(experiment) + "\n";
  for (const ServingPoint& point : experiment.points) {
    if (point.rate != kExplainedRate) continue;
    text += breakdown_text(point.engines,
                           fmt::format("{} at {} /s, device time", point.traffic, point.rate)) +
            causes_text(point) + "\n";
  }
  text += fmt::format(
      "ablation: {} requests of {:.0f} prompt tokens on average, {} at a time\n{}\n",
      format_count(experiment.ablation.front().metrics.completed), experiment.ablation_mean_input,
      experiment.ablation_concurrency, engines_text(experiment.ablation_engines));
  text += ablation_text(experiment) + "\n" +
          breakdown_text(experiment.ablation, "ablation, device time");
  return text;
}

}  // namespace tilewright
