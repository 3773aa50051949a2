#include <algorithm>
#include <map>
#include <set>

#include "tuner/fusion/planner.h"
#include "tuner/fusion/tensor_schedule.h"

namespace tilewright {

namespace {

/// Fuses layers below a root as Algorithm 1 of the paper.
class LayeredFusion {
 public:
  explicit LayeredFusion(RegionCost& cost);
  PlannedRegion run(const PlanOptions& options);

 private:
  /// Schedules of a kernel's root, and what they are at an op.
  using Schedules = std::vector<std::optional<TensorSchedule>>;

  std::vector<int32_t> fuse_root(int32_t root);
  bool is_consistent(int32_t op, const std::map<int32_t, Schedules>& fused,
                     Schedules& schedules) const;
  void pass_on(int32_t reader, size_t operand, const Schedules& from, Schedules& to) const;
  bool has_parallel(int32_t op, const Schedules& schedules) const;
  void merge_layers(Clusters& clusters) const;

  RegionCost& cost_;
  const FusionGraph& graph_;
  const Computation& computation_;
  std::vector<int32_t> spans_;  ///< by op: longest distance to an op that nobody reads
  std::vector<bool> is_taken_;
  int64_t candidates_ = 0;
};

LayeredFusion::LayeredFusion(RegionCost& cost)
    : cost_(cost),
      graph_(cost.graph()),
      computation_(cost.graph().region().computation()),
      spans_(static_cast<size_t>(graph_.size()), 0),
      is_taken_(static_cast<size_t>(graph_.size()), false) {
  std::vector<int32_t> order = graph_.nodes();
  std::ranges::sort(order, {}, [&](int32_t op) { return -graph_.rank(op); });
  for (const int32_t op : order) {
    for (const int32_t user : graph_.after(op)) {
      int32_t& span = spans_[static_cast<size_t>(op)];
      span = std::max(span, spans_[static_cast<size_t>(user)] + 1);
    }
  }
}

/// The schedules of the operand of a reader, past views and free ops.
void LayeredFusion::pass_on(int32_t reader, size_t operand, const Schedules& from,
                            Schedules& to) const {
  const Op& op = computation_.op(reader);
  for (size_t i = 0; i < from.size(); ++i) {
    to[i] = from[i] ? propagate(computation_, op, operand, *from[i]) : std::nullopt;
  }
}

/// A schedule that keeps all cores busy, or as many as the op has elements for.
bool LayeredFusion::has_parallel(int32_t op, const Schedules& schedules) const {
  const Machine& machine = cost_.shared().machine();
  const int64_t cores = machine.cores.aic * machine.cores.aiv_per_aic;
  int64_t most = 1;
  const Shape& shape = computation_.op(op).shape;
  for (const TensorSchedule& schedule : schedules_of(shape)) {
    most = std::max(most, block_count(schedule, shape));
  }
  return std::ranges::any_of(schedules, [&](const std::optional<TensorSchedule>& schedule) {
    return schedule && block_count(*schedule, shape) >= std::min(cores, most);
  });
}

/// Walks from every fused reader to the op: the schedules that all of them pass on.
bool LayeredFusion::is_consistent(int32_t op, const std::map<int32_t, Schedules>& fused,
                                  Schedules& schedules) const {
  bool is_first = true;
  const auto meet = [&](const Schedules& passed) {
    for (size_t i = 0; i < passed.size(); ++i) {
      if (is_first) {
        schedules.push_back(passed[i]);
      } else if (schedules[i] != passed[i]) {
        schedules[i] = std::nullopt;
      }
    }
    is_first = false;
  };
  // Readers of an op, and of views and free ops of it, in whose terms the schedules are known.
  struct Shown {
    int32_t op;
    Schedules schedules;
  };
  const Region& region = graph_.region();
  std::set<int32_t> readers(graph_.readers(op).begin(), graph_.readers(op).end());
  readers.insert(region.users(op).begin(), region.users(op).end());
  for (const int32_t fused_reader : readers) {
    const auto entry = fused.find(fused_reader);
    if (entry == fused.end()) continue;
    std::vector<Shown> shown = {{entry->first, entry->second}};
    while (!shown.empty()) {
      const Shown at = std::move(shown.back());
      shown.pop_back();
      const Op& reader = computation_.op(at.op);
      for (size_t i = 0; i < reader.operands.size(); ++i) {
        const int32_t operand = reader.operands[i];
        const bool passes = region.role(operand) == OpRole::kView || graph_.is_free(operand);
        if (operand != op &&
            !(passes && (region.base(operand) == op ||
                         std::ranges::binary_search(graph_.reads(region.base(operand)), op)))) {
          continue;
        }
        Schedules passed(at.schedules.size());
        pass_on(at.op, i, at.schedules, passed);
        if (operand == op) {
          meet(passed);
        } else {
          shown.push_back({operand, std::move(passed)});
        }
      }
    }
  }
  if (is_first) return false;
  return std::ranges::any_of(schedules, [](const auto& schedule) { return schedule.has_value(); });
}

std::vector<int32_t> LayeredFusion::fuse_root(int32_t root) {
  std::map<int32_t, Schedules> fused;
  Schedules all;
  for (const TensorSchedule& schedule : schedules_of(computation_.op(root).shape)) {
    all.emplace_back(schedule);
  }
  fused[root] = all;
  // Producers of the kernel by layer; what is given up bars the way for its own producers.
  std::map<int32_t, std::vector<int32_t>> layers;
  std::vector<bool> is_seen(static_cast<size_t>(graph_.size()), false);
  std::vector<bool> is_fused(static_cast<size_t>(graph_.size()), false);
  is_fused[static_cast<size_t>(root)] = true;
  const auto add_producers = [&](int32_t op) {
    for (const int32_t read : graph_.before(op)) {
      if (is_seen[static_cast<size_t>(read)]) continue;
      is_seen[static_cast<size_t>(read)] = true;
      layers[spans_[static_cast<size_t>(read)]].push_back(read);
    }
  };
  add_producers(root);
  while (!layers.empty()) {
    const std::vector<int32_t> layer = std::move(layers.begin()->second);
    layers.erase(layers.begin());
    for (const int32_t op : layer) {
      ++candidates_;
      // Users outside of the kernel that are nearer to the outputs than the root cannot lead to it.
      const auto bars = [&](int32_t user) {
        return !is_fused[static_cast<size_t>(user)] &&
               spans_[static_cast<size_t>(user)] > spans_[static_cast<size_t>(root)];
      };
      Schedules schedules;
      if (!graph_.is_fusible(op) || is_taken_[static_cast<size_t>(op)] ||
          std::ranges::any_of(graph_.after(op), bars) || !is_consistent(op, fused, schedules) ||
          !has_parallel(op, schedules)) {
        continue;
      }
      is_fused[static_cast<size_t>(op)] = true;
      fused[op] = std::move(schedules);
      add_producers(op);
    }
  }
  std::vector<int32_t> nodes;
  for (const auto& entry : fused) {
    nodes.push_back(entry.first);
    is_taken_[static_cast<size_t>(entry.first)] = true;
  }
  return nodes;
}

/// Intra-layer fusion: kernels whose ops are all elementwise and whose outputs have one shape, of
/// one layer, become one.
void LayeredFusion::merge_layers(Clusters& clusters) const {
  const Region& region = graph_.region();
  std::map<std::pair<int32_t, std::string>, int32_t> first;
  for (const int32_t cluster : clusters.clusters()) {
    if (clusters.members(cluster).empty() || !clusters.is_fusible(cluster)) continue;
    const auto is_plain = [&](int32_t op) {
      return region.role(op) == OpRole::kLight || region.role(op) == OpRole::kHeavy;
    };
    if (!std::ranges::all_of(clusters.members(cluster), is_plain)) continue;
    const int32_t last = clusters.members(cluster).back();
    const auto [entry, is_new] = first.try_emplace(
        {spans_[static_cast<size_t>(last)], to_text(computation_.op(last).shape, false)}, cluster);
    if (is_new || clusters.before(cluster).contains(entry->second)) continue;
    if (const auto merged = clusters.merge(entry->second, cluster)) entry->second = *merged;
  }
}

PlannedRegion LayeredFusion::run(const PlanOptions& options) {
  std::vector<int32_t> order = graph_.nodes();
  std::ranges::stable_sort(order, {}, [&](int32_t op) { return spans_[static_cast<size_t>(op)]; });
  Groups groups;
  for (const int32_t op : order) {
    if (!graph_.is_fusible(op) || is_taken_[static_cast<size_t>(op)]) continue;
    groups.push_back(fuse_root(op));
  }
  Groups taken;
  std::optional<Clusters> clusters = Clusters::of(graph_, groups);
  if (!clusters) {
    for (const std::vector<int32_t>& group : groups) {
      taken.push_back(group);
      if (!Clusters::of(graph_, taken)) taken.pop_back();
    }
    clusters = Clusters::of(graph_, taken);
  }
  merge_layers(*clusters);
  PlannedRegion result;
  result.candidates = candidates_;
  result.plan = plan_of(
      graph_, feasible_groups(cost_, constrained_groups(cost_, clusters->groups(), options)));
  return result;
}

}  // namespace

PlannedRegion plan_fs2018(RegionCost& cost, const PlanOptions& options) {
  return LayeredFusion(cost).run(options);
}

}  // namespace tilewright
