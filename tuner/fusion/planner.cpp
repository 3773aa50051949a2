#include "tuner/fusion/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/fusion/integer_program.h"

namespace tilewright {

namespace {

/// The planner that only programs with an integer solver have.
constexpr const char* kIntegerPlanner = "fs2019";

void add_feasible(RegionCost& cost, const std::vector<int32_t>& group, Groups& groups) {
  const FusedOps kernel = kernel_of(cost.graph(), group);
  const bool is_good = group.size() == 1 || (why_illegal_kernel(cost.graph(), kernel).empty() &&
                                             cost.figures(kernel).is_feasible());
  if (is_good) {
    groups.push_back(group);
    return;
  }
  const auto [early, late] = cut_group(cost.graph(), group, group.size() / 2);
  add_feasible(cost, early, groups);
  add_feasible(cost, late, groups);
}

std::vector<FusionPlanner> built_planners() {
  std::vector<FusionPlanner> planners = {
      {"none", "every op a kernel of its own", plan_none},
      {"xla", "XLA's priority fusion with its rules", plan_xla},
      {"fs2018", "FusionStitching 2018: layers below a root with one schedule", plan_fs2018},
  };
  if (has_integer_solver()) {
    planners.push_back(
        {kIntegerPlanner, "FusionStitching 2019, rebuilt: an integer program", plan_fs2019});
  }
  planners.insert(
      planners.end(),
      {{"fs2020", "FusionStitching 2020: pattern reduction and a beam", plan_fs2020},
       {"astitch", "AStitch: stitch all that is legal", plan_astitch},
       {"exact", "the least estimate over all kernels of small regions", plan_exact},
       {"tilewright", "a search from all others, with the simulator to judge", plan_tilewright}});
  return planners;
}

bool has(const std::vector<int32_t>& group, int32_t op) {
  return std::ranges::binary_search(group, op);
}

}  // namespace

const std::vector<FusionPlanner>& fusion_planners() {
  static const std::vector<FusionPlanner> kPlanners = built_planners();
  return kPlanners;
}

const FusionPlanner& find_fusion_planner(std::string_view name) {
  std::vector<std::string> names;
  for (const FusionPlanner& planner : fusion_planners()) {
    if (planner.name == name) return planner;
    names.push_back(planner.name);
  }
  if (name == kIntegerPlanner) {
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("planner '{}' needs CBC, and this program was built without it: install "
                    "coinor-libcbc-dev and build again (planners: {})",
                    kIntegerPlanner, join(names, ", ")));
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("unknown planner '{}'{} (planners: {})", printable(name),
                          did_you_mean(name, names), join(names, ", ")));
}

std::pair<std::vector<int32_t>, std::vector<int32_t>> cut_group(const FusionGraph& graph,
                                                                std::vector<int32_t> group,
                                                                size_t first) {
  std::ranges::sort(group, {}, [&](int32_t op) { return graph.rank(op); });
  const auto middle = group.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<int32_t> early(group.begin(), middle);
  std::vector<int32_t> late(middle, group.end());
  std::ranges::sort(early);
  std::ranges::sort(late);
  return {std::move(early), std::move(late)};
}

Groups feasible_groups(RegionCost& cost, const Groups& groups) {
  Groups feasible;
  for (const std::vector<int32_t>& group : groups) {
    if (!group.empty()) add_feasible(cost, group, feasible);
  }
  return feasible;
}

Groups constrained_groups(RegionCost& cost, const Groups& groups, const PlanOptions& options) {
  const FusionGraph& graph = cost.graph();
  Groups result = groups;
  for (const OpPair& veto : options.vetoes) {
    for (size_t i = 0; i < result.size(); ++i) {
      if (!has(result[i], veto.first) || !has(result[i], veto.second)) continue;
      const int32_t later =
          graph.rank(veto.first) > graph.rank(veto.second) ? veto.first : veto.second;
      size_t first = 0;
      for (const int32_t op : result[i]) first += graph.rank(op) < graph.rank(later) ? 1 : 0;
      auto [early, late] = cut_group(graph, result[i], first);
      result[i] = std::move(early);
      result.push_back(std::move(late));
      break;
    }
  }
  std::optional<Clusters> clusters = Clusters::of(graph, result);
  TW_CHECK(clusters.has_value(), "cutting a kernel in an order of its ops makes no cycle");
  for (const OpPair& pin : options.pins) {
    const int32_t a = clusters->cluster_of(pin.first);
    const int32_t b = clusters->cluster_of(pin.second);
    if (a == b) continue;
    if (!clusters->is_fusible(a) || !clusters->is_fusible(b) || !clusters->merge(a, b)) {
      throw Error(ErrorKind::kInfeasible,
                  fmt::format("{} and {} cannot be in one kernel: a path between them leaves it",
                              graph.name(pin.first), graph.name(pin.second)));
    }
  }
  return clusters->groups();
}

PlannedRegion plan_none(RegionCost& cost, const PlanOptions&) {
  const FusionGraph& graph = cost.graph();
  PlannedRegion result;
  for (int32_t op = 0; op < graph.size(); ++op) {
    if (!graph.is_work(op) || !graph.is_fusible(op)) continue;
    result.plan.kernels.push_back({{op}, {op}});
    ++result.candidates;
  }
  return result;
}

}  // namespace tilewright
