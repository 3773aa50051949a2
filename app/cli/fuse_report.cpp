#include "app/cli/fuse_report.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/format.h"

namespace tilewright {

QueryResult fuse_cost_table(const std::vector<FuseRow>& rows) {
  QueryResult table;
  table.columns = {"planner", "memory", "total", "read", "written", "time", "barriers", "equal"};
  for (const FuseRow& row : rows) {
    const PlanSummary& summary = row.summary;
    table.rows.push_back({row.planner, summary.memory_launches, summary.launches,
                          format_bytes(static_cast<double>(summary.read_bytes)),
                          format_bytes(static_cast<double>(summary.write_bytes)),
                          format_us(summary.time_us), summary.barriers, row.equality.verdict()});
  }
  return table;
}

QueryResult fuse_planning_table(const std::vector<FuseRow>& rows) {
  QueryResult table;
  table.columns = {"planner",   "candidates", "planning", "peak UB",
                   "workspace", "again",      "error",    "p95"};
  for (const FuseRow& row : rows) {
    const PlanSummary& summary = row.summary;
    table.rows.push_back({row.planner, summary.candidates, format_us(row.wall_planning_ms * 1e3),
                          format_bytes(static_cast<double>(summary.peak_ub_bytes)),
                          format_bytes(static_cast<double>(summary.workspace_bytes)),
                          summary.recomputed_ops, format_share(row.error.median),
                          format_share(row.error.p95)});
  }
  return table;
}

std::vector<FuseLaunch> slowest_launches(FusionStudy& study, const GraphPlan& plan, size_t count) {
  std::vector<FuseLaunch> launches;
  const PlanCosts costs = study.costs(plan);
  for (size_t i = 0; i < plan.size(); ++i) {
    for (FusionUnit& unit : study.units(i, plan[i].plan, costs[i])) {
      if (!unit.is_launch()) continue;
      launches.push_back({.unit = std::move(unit), .region = i, .runs = study.runs(i)});
    }
  }
  std::ranges::stable_sort(launches, std::greater{}, &FuseLaunch::total_us);
  launches.resize(std::min(launches.size(), count));
  for (FuseLaunch& launch : launches) {
    const FusionGraph& graph = study.graph(launch.region);
    launch.op = graph.name(launch.unit.op);
    launch.computation = graph.region().computation().name;
    for (const int32_t op : launch.unit.ops) launch.ops.push_back(graph.name(op));
  }
  return launches;
}

QueryResult fuse_launch_table(const std::vector<FuseRow>& rows) {
  QueryResult table;
  table.columns = {"planner", "launch of", "ops",  "runs",    "time",    "of the run",
                   "by",      "read",      "written", "UB",   "barriers"};
  for (const FuseRow& row : rows) {
    for (const FuseLaunch& launch : row.slowest) {
      const KernelFigures& figures = launch.unit.cost.figures;
      const double share = row.summary.time_us > 0 ? launch.total_us() / row.summary.time_us : 0;
      table.rows.push_back({row.planner, launch.op, std::ssize(launch.ops), launch.runs,
                            format_us(launch.unit.cost.time_us), format_share(share),
                            std::string(time_source(launch.unit)),
                            format_bytes(static_cast<double>(figures.read_bytes)),
                            format_bytes(static_cast<double>(figures.write_bytes)),
                            format_bytes(static_cast<double>(figures.peak_ub_bytes)),
                            int64_t{figures.barriers}});
    }
  }
  return table;
}

QueryResult fuse_sweep_table(const std::vector<FuseSweepRow>& rows) {
  QueryResult table;
  table.columns = {"launch"};
  if (!rows.empty()) {
    for (const auto& time : rows.front().times) table.columns.push_back(time.first);
  }
  for (const FuseSweepRow& row : rows) {
    std::vector<Cell> cells = {format_us(row.launch_us)};
    for (const auto& time : row.times) cells.emplace_back(format_us(time.second));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

namespace {

Json launch_json(const FuseLaunch& launch) {
  const KernelFigures& figures = launch.unit.cost.figures;
  Json json;
  json["launch_of"] = launch.op;
  json["computation"] = launch.computation;
  json["ops"] = launch.ops;
  json["runs"] = launch.runs;
  json["time_us"] = launch.unit.cost.time_us;
  json["time_from"] = time_source(launch.unit);
  json["is_memory"] = launch.unit.is_memory;
  json["hbm_read_bytes"] = figures.read_bytes;
  json["hbm_write_bytes"] = figures.write_bytes;
  json["workspace_bytes"] = figures.workspace_bytes;
  json["peak_ub_bytes"] = figures.peak_ub_bytes;
  json["barriers"] = figures.barriers;
  return json;
}

/// How much more than `best` a plan takes, as a share.
double gap_of(double us, double best) {
  return best > 0 ? us / best - 1 : 0;
}

}  // namespace

Json fuse_json(const std::vector<FuseRow>& rows) {
  const auto exact =
      std::ranges::find_if(rows, [](const FuseRow& row) { return row.planner == "exact"; });
  Json planners = Json::array();
  for (const FuseRow& row : rows) {
    const PlanSummary& summary = row.summary;
    Json json;
    json["planner"] = row.planner;
    json["launches"] = {{"memory", summary.memory_launches}, {"total", summary.launches}};
    json["launches_run"] = summary.launches_run;
    json["hbm_read_bytes"] = summary.read_bytes;
    json["hbm_write_bytes"] = summary.write_bytes;
    json["workspace_bytes"] = summary.workspace_bytes;
    json["time_us"] = summary.time_us;
    json["memory_time_us"] = summary.memory_us;
    json["barriers"] = summary.barriers;
    json["peak_ub_bytes"] = summary.peak_ub_bytes;
    json["recomputed_ops"] = summary.recomputed_ops;
    json["wall_planning_ms"] = row.wall_planning_ms;
    json["from_cache"] = summary.is_from_cache;
    json["estimated_us"] = summary.estimated_us;
    if (summary.bound_us) json["bound_us"] = *summary.bound_us;
    if (exact != rows.end()) {
      const PlanSummary& best = exact->summary;
      json["gap_to_exact"] = {{"estimate", gap_of(summary.estimated_us, best.estimated_us)},
                              {"time", gap_of(summary.memory_us, best.memory_us)}};
    }
    json["candidates"] = summary.candidates;
    json["equal_to_reference"] = row.equality.verdict();
    json["kernels"] = {{"distinct", row.equality.kernels},
                       {"compared", row.equality.checked},
                       {"compared_reduced", row.equality.reduced},
                       {"not_compared", row.equality.left_out()},
                       {"estimated_only", summary.unsimulated}};
    if (row.equality.whole_error) json["whole_graph_error"] = *row.equality.whole_error;
    json["cost_model_error"] = {{"median", row.error.median}, {"p95", row.error.p95}};
    for (const FuseLaunch& launch : row.slowest) json["slowest"].push_back(launch_json(launch));
    if (!summary.note.empty()) json["note"] = summary.note;
    planners.push_back(std::move(json));
  }
  return planners;
}

Json fuse_sweep_json(const std::vector<FuseSweepRow>& rows) {
  Json sweep = Json::array();
  for (const FuseSweepRow& row : rows) {
    Json times = Json::object();
    for (const auto& time : row.times) times[time.first] = time.second;
    sweep.push_back({{"launch_us", row.launch_us}, {"time_us", std::move(times)}});
  }
  return sweep;
}

}  // namespace tilewright
