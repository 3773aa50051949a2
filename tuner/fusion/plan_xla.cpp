#include <algorithm>
#include <map>
#include <set>

#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

/// A reduction of this many elements to one keeps XLA's reduction emitter to itself.
constexpr int64_t kSignificantReduction = 16;
/// Operands and outputs of a fusion.
constexpr size_t kMostOperands = 96;
/// Reductions of a fusion that are not below another one.
constexpr int64_t kMostReductions = 8;
/// What of computing hides behind memory.
constexpr double kOverlap = 0.95;
/// Vector instructions of an elementwise op that is no single one.
constexpr double kHeavyInstructions = 10;

/// Where ops of a list are in it, as long as it lives: -1 where they are not.
class Places {
 public:
  /// `room`: -1 for every op of the region.
  Places(std::vector<int32_t>& room, const std::vector<int32_t>& ops) : room_(room), ops_(ops) {
    for (size_t i = 0; i < ops.size(); ++i) at(ops[i]) = static_cast<int32_t>(i);
  }
  ~Places() {
    for (const int32_t op : ops_) at(op) = -1;
  }
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  int32_t of(int32_t op) const { return room_[static_cast<size_t>(op)]; }

 private:
  int32_t& at(int32_t op) { return room_[static_cast<size_t>(op)]; }

  std::vector<int32_t>& room_;
  const std::vector<int32_t>& ops_;
};

class PriorityFusion {
 public:
  explicit PriorityFusion(RegionCost& cost);
  PlannedRegion run();

 private:
  struct Fusion {
    std::vector<int32_t> ops = {};  ///< ascending; the root is the last
    bool is_alive = false;
    double us = 0;
  };

  bool is_significant(int32_t op) const;
  int64_t reductions(const std::vector<int32_t>& ops) const;
  bool is_epilogue(int32_t root, const std::vector<int32_t>& ops) const;
  bool can_fuse(int32_t producer, int32_t consumer) const;
  std::vector<int32_t> inputs_of(const std::vector<int32_t>& ops) const;
  double time_of(const std::vector<int32_t>& ops) const;
  /// us that fusing a producer into all its consumers saves; below 0 where one refuses.
  double priority(int32_t producer);
  void update(int32_t producer);
  void fuse(int32_t producer);

  Fusion& at(int32_t op) { return fusions_[static_cast<size_t>(op)]; }
  const Fusion& at(int32_t op) const { return fusions_[static_cast<size_t>(op)]; }

  RegionCost& cost_;
  const FusionGraph& graph_;
  const Region& region_;
  double lanes_ = 0;                            // elements of f32 a us, of all cores
  std::vector<Fusion> fusions_;                 // by the op that is the root
  std::vector<std::set<int32_t>> consumers_;    // by root: fusions that read it
  std::vector<double> priorities_;              // by root
  std::set<std::pair<double, int32_t>> queue_;  // (-priority, root)
  mutable std::vector<int32_t> places_;         // room of Places, by op
  int64_t candidates_ = 0;
};

PriorityFusion::PriorityFusion(RegionCost& cost)
    : cost_(cost), graph_(cost.graph()), region_(cost.graph().region()) {
  const Machine& machine = cost.shared().machine();
  lanes_ = static_cast<double>(machine.cores.aic * machine.cores.aiv_per_aic *
                               machine.vector.repeat_bytes) /
           static_cast<double>(bytes_of(DType::kF32)) * machine.cores.clock_mhz;
  const auto count = static_cast<size_t>(graph_.size());
  fusions_.resize(count);
  places_.assign(count, -1);
  consumers_.resize(count);
  priorities_.assign(count, 0);
  for (int32_t op = 0; op < graph_.size(); ++op) {
    if (!graph_.is_work(op) || !graph_.is_fusible(op)) continue;
    at(op) = {{op}, true, time_of({op})};
    for (const int32_t user : region_.users(op)) consumers_[static_cast<size_t>(op)].insert(user);
  }
}

bool PriorityFusion::is_significant(int32_t op) const {
  if (region_.role(op) != OpRole::kReduce) return false;
  const int64_t from = region_.elements(region_.computation().op(op).operands[0]);
  return from >= kSignificantReduction * region_.elements(op);
}

int64_t PriorityFusion::reductions(const std::vector<int32_t>& ops) const {
  return std::ranges::count_if(ops, [&](int32_t op) { return is_significant(op); });
}

/// Whether the ops work on as many elements as the root of a reduction gives, one by one: then its
/// emitter does them with its results.
bool PriorityFusion::is_epilogue(int32_t root, const std::vector<int32_t>& ops) const {
  return std::ranges::all_of(ops, [&](int32_t op) {
    const OpRole role = region_.role(op);
    return (role == OpRole::kLight || role == OpRole::kHeavy) &&
           region_.elements(op) == region_.elements(root);
  });
}

std::vector<int32_t> PriorityFusion::inputs_of(const std::vector<int32_t>& ops) const {
  std::vector<int32_t> inputs;
  const Places places(places_, ops);
  for (const int32_t op : ops) {
    for (const int32_t input : region_.inputs(op)) {
      if (places.of(input) < 0) inputs.push_back(input);
    }
  }
  std::ranges::sort(inputs);
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
  return inputs;
}

/// XLA's analytical model with this machine's numbers: the launch, memory, and computing, each
/// element as often as readers' indices ask for it.
double PriorityFusion::time_of(const std::vector<int32_t>& ops) const {
  // An update in place neither reads nor writes what is around it.
  const int32_t root = ops.back();
  const auto written = static_cast<double>(written_elements(region_, root));
  double bytes = static_cast<double>(region_.bytes(root)) /
                 static_cast<double>(region_.elements(root)) * written;
  for (const int32_t input : inputs_of(ops)) {
    if (input != region_.in_place(root)) bytes += static_cast<double>(region_.bytes(input));
  }
  const Places places(places_, ops);
  std::vector<double> calls(ops.size(), 0);
  calls.back() = written;
  double work = 0;
  for (size_t i = ops.size(); i-- > 0;) {
    double below = calls[i];
    const OpRole role = region_.role(ops[i]);
    if (role == OpRole::kReduce) {
      const int32_t from = region_.computation().op(ops[i]).operands[0];
      below *= static_cast<double>(region_.elements(from)) /
               static_cast<double>(region_.elements(ops[i]));
    }
    work += role == OpRole::kHeavy ? kHeavyInstructions * below : below;
    for (const int32_t input : region_.inputs(ops[i])) {
      const int32_t place = places.of(input);
      if (place < 0) continue;
      double& asked = calls[static_cast<size_t>(place)];
      asked = std::max(asked, below);
    }
  }
  const double compute = work / lanes_;
  const double memory = cost_.shared().memory_us(bytes, false);
  return cost_.shared().launch_us() + compute + memory - kOverlap * std::min(compute, memory);
}

bool PriorityFusion::can_fuse(int32_t producer, int32_t consumer) const {
  if (!at(consumer).is_alive) return false;
  const std::vector<int32_t>& above = at(producer).ops;
  const std::vector<int32_t>& below = at(consumer).ops;
  const int64_t inner = reductions(above);
  if (inner > 0 && reductions(below) > 0) return false;
  if (inner > 0 && !is_epilogue(producer, below)) return false;
  std::vector<int32_t> both;
  std::ranges::set_union(above, below, std::back_inserter(both));
  if (!why_not_together(region_, both).empty()) return false;
  const auto all =
      std::ranges::count_if(both, [&](int32_t op) { return region_.role(op) == OpRole::kReduce; });
  return all <= kMostReductions && inputs_of(both).size() + 1 <= kMostOperands;
}

double PriorityFusion::priority(int32_t producer) {
  constexpr double kRefused = -1;
  if (graph_.is_kept(producer)) return kRefused;
  const auto& consumers = consumers_[static_cast<size_t>(producer)];
  if (consumers.empty()) return kRefused;
  double saved = at(producer).us;
  for (const int32_t consumer : consumers) {
    if (!can_fuse(producer, consumer)) return kRefused;
  }
  std::vector<int32_t> both;
  for (const int32_t consumer : consumers) {
    both.clear();
    std::ranges::set_union(at(producer).ops, at(consumer).ops, std::back_inserter(both));
    ++candidates_;
    saved += at(consumer).us - time_of(both);
  }
  return saved;
}

void PriorityFusion::update(int32_t producer) {
  double& known = priorities_[static_cast<size_t>(producer)];
  queue_.erase({-known, producer});
  known = priority(producer);
  if (known > 0) queue_.insert({-known, producer});
}

void PriorityFusion::fuse(int32_t producer) {
  Fusion& above = at(producer);
  std::set<int32_t> touched;
  for (const int32_t input : inputs_of(above.ops)) {
    if (at(input).is_alive) consumers_[static_cast<size_t>(input)].erase(producer);
  }
  for (const int32_t consumer : consumers_[static_cast<size_t>(producer)]) {
    Fusion& below = at(consumer);
    std::vector<int32_t> both;
    std::ranges::set_union(above.ops, below.ops, std::back_inserter(both));
    below.ops = std::move(both);
    below.us = time_of(below.ops);
    touched.insert(consumer);
    for (const int32_t input : inputs_of(below.ops)) {
      if (!at(input).is_alive || input == producer) continue;
      consumers_[static_cast<size_t>(input)].insert(consumer);
      touched.insert(input);
    }
  }
  above = {};
  consumers_[static_cast<size_t>(producer)].clear();
  for (const int32_t op : touched) update(op);
}

PlannedRegion PriorityFusion::run() {
  for (int32_t op = 0; op < graph_.size(); ++op) {
    if (at(op).is_alive) update(op);
  }
  while (!queue_.empty()) {
    const int32_t producer = queue_.begin()->second;
    queue_.erase(queue_.begin());
    fuse(producer);
  }
  PlannedRegion result;
  result.candidates = candidates_;
  std::set<int32_t> alone;
  for (int32_t op = 0; op < graph_.size(); ++op) {
    if (!at(op).is_alive) continue;
    FusedOps kernel{at(op).ops, {op}};
    if (cost_.figures(kernel).is_feasible()) {
      result.plan.kernels.push_back(std::move(kernel));
    } else {
      alone.insert(at(op).ops.begin(), at(op).ops.end());
    }
  }
  for (const int32_t op : alone) {
    const bool is_made = std::ranges::any_of(
        result.plan.kernels, [&](const FusedOps& kernel) { return kernel.outputs.front() == op; });
    if (!is_made) result.plan.kernels.push_back({{op}, {op}});
  }
  std::ranges::sort(result.plan.kernels, {}, &FusedOps::outputs);
  return result;
}

}  // namespace

PlannedRegion plan_xla(RegionCost& cost, const PlanOptions&) {
  return PriorityFusion(cost).run();
}

}  // namespace tilewright
