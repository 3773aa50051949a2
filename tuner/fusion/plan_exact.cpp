#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "tuner/fusion/local_search.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

/// Nodes of a region that is planned as a whole, and of a part of a larger one.
constexpr size_t kMostNodes = 64;
constexpr size_t kMostNodesOfPart = 25;
/// Sets of nodes that may have run at some time of a plan of a region, and of a part.
constexpr size_t kMostStates = 20000;
constexpr size_t kMostStatesOfPart = 4000;
/// Kernels that are judged in a part.
constexpr int64_t kMostKernelsOfPart = 600;
/// Of all parts of a region: when they are used up, parts are taken as they are.
constexpr size_t kMostKernelsOfRegion = 1500;

constexpr double kFar = std::numeric_limits<double>::infinity();

struct ExactLimits {
  size_t nodes = 0;
  size_t states = 0;
  int64_t kernels = 0;
};

/// The best way to run some nodes: a shortest path over the sets of nodes that have run (execution
/// states, as in Korch). Every difference of two states is a candidate kernel. Ops that run by
/// themselves are in no state: they run as soon as they can, which bars no kernel.
class ExactSearch {
 public:
  /// `upper_us`: only plans that take less are looked for.
  ExactSearch(RegionCost& cost, std::vector<int32_t> nodes, const ExactLimits& limits,
              double upper_us, std::set<uint64_t>& seen)
      : cost_(cost),
        graph_(cost.graph()),
        nodes_(std::move(nodes)),
        limits_(limits),
        upper_us_(upper_us),
        seen_(seen) {
    std::ranges::sort(nodes_, {}, [&](int32_t op) { return graph_.rank(op); });
  }

  enum class End : uint8_t { kFound, kNothingBelow, kTooLarge };
  /// kNothingBelow: no plan takes less than upper_us. kTooLarge: too many states or kernels.
  End run();
  /// What was found: the kernels in order, and what they take.
  const Groups& groups() const { return groups_; }
  double us() const { return us_; }
  /// What every plan of the nodes takes at least, however the search ended: launches, and reads.
  double least_us() const { return least_us_; }
  int64_t candidates() const { return candidates_; }

 private:
  using Set = uint64_t;
  static Set bit(size_t node) { return Set{1} << node; }
  void find_needs();
  void find_launches();
  void find_sources();
  bool find_states();
  bool can_follow(Set from, Set kernel) const;
  int launches_of(Set rest) const;
  double reads_us(Set set) const;
  std::optional<double> time_of(Set kernel);
  std::vector<int32_t> ops_of(Set set) const;

  RegionCost& cost_;
  const FusionGraph& graph_;
  std::vector<int32_t> nodes_;
  std::vector<Set> needs_;      // by node: nodes that must have run, or run in the same kernel
  std::vector<Set> waits_for_;  // by node: nodes that another op stands behind, which must have run
  std::vector<int> launches_;   // by node: kernels that its own and all behind it need at least
  /// An array that some nodes read as a whole.
  struct Source {
    double us = 0;      ///< that reading it takes
    Set readers = 0;    ///< the nodes
    Set made_with = 0;  ///< the node that makes it, if any
  };
  std::vector<Source> sources_;
  std::vector<Set> states_;
  std::unordered_map<Set, std::optional<double>> times_;
  ExactLimits limits_;
  double upper_us_ = 0;
  std::set<uint64_t>& seen_;  // hashes of kernels that any part asked for
  int64_t candidates_ = 0;
  Groups groups_;
  double us_ = 0;
  double least_us_ = 0;
};

void ExactSearch::find_needs() {
  std::map<int32_t, Set> own;
  for (size_t i = 0; i < nodes_.size(); ++i) own[nodes_[i]] = bit(i);
  // Other ops between the first and the last of the nodes, and the nodes that each comes behind.
  std::map<int32_t, Set> behind;
  const int32_t first = graph_.rank(nodes_.front());
  const int32_t last = graph_.rank(nodes_.back());
  std::vector<int32_t> between;
  for (const int32_t op : graph_.nodes()) {
    if (graph_.rank(op) > first && graph_.rank(op) <= last) between.push_back(op);
  }
  std::ranges::sort(between, {}, [&](int32_t op) { return graph_.rank(op); });
  needs_.assign(nodes_.size(), 0);
  waits_for_.assign(nodes_.size(), 0);
  for (const int32_t op : between) {
    const auto node = own.find(op);
    Set needs = 0;
    Set waits_for = 0;
    for (const int32_t earlier : graph_.before(op)) {
      if (const auto is_node = own.find(earlier); is_node != own.end()) {
        needs |= is_node->second;
      } else if (const auto passed = behind.find(earlier); passed != behind.end()) {
        waits_for |= passed->second;
      }
    }
    if (node == own.end()) {
      behind[op] = needs | waits_for;
      continue;
    }
    const auto at = static_cast<size_t>(std::countr_zero(node->second));
    needs_[at] = needs;
    waits_for_[at] = waits_for;
  }
}

/// From the last node on: a node and one that waits for it are two kernels.
void ExactSearch::find_launches() {
  launches_.assign(nodes_.size(), 1);
  for (size_t later = nodes_.size(); later-- > 0;) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      const bool waits = (waits_for_[later] & bit(earlier)) != 0;
      const bool reads = (needs_[later] & bit(earlier)) != 0;
      if (!waits && !reads) continue;
      launches_[earlier] = std::max(launches_[earlier], launches_[later] + (waits ? 1 : 0));
    }
  }
}

/// Arrays that cost any kernel of a reader, if not of the maker too, their bytes at the rate of
/// HBM, by the latency evaluator. That charges what a tile loads while it goes along all axes, but
/// not what is read once behind a reduction: so an array counts only if it is larger than half of
/// the largest, which has all axes, or if nothing is reduced before it is read. And it counts only
/// for nodes of whose results all is needed.
void ExactSearch::find_sources() {
  const Region& region = graph_.region();
  std::map<int32_t, size_t> place;
  for (size_t i = 0; i < nodes_.size(); ++i) place[nodes_[i]] = i;
  const auto needs_all = [&](int32_t op) {
    const OpRole role = region.role(op);
    return role == OpRole::kLight || role == OpRole::kHeavy || role == OpRole::kReduce ||
           region.computation().op(op).opcode == HloOpcode::kTranspose;
  };
  std::vector<bool> is_whole(nodes_.size(), false);
  for (size_t i = nodes_.size(); i-- > 0;) {
    bool whole = graph_.is_kept(nodes_[i]);
    for (const int32_t reader : graph_.readers(nodes_[i])) {
      const auto at = place.find(reader);
      whole = whole || at == place.end() || (is_whole[at->second] && needs_all(reader));
    }
    is_whole[i] = whole;
  }
  int64_t largest = 0;
  std::vector<bool> is_behind_sum(nodes_.size(), false);
  std::vector<std::vector<int32_t>> inputs(nodes_.size());  // past free ops
  for (size_t i = 0; i < nodes_.size(); ++i) {
    largest = std::max(largest, region.elements(nodes_[i]));
    std::vector<int32_t> todo(region.inputs(nodes_[i]).begin(), region.inputs(nodes_[i]).end());
    while (!todo.empty()) {
      const int32_t input = todo.back();
      todo.pop_back();
      largest = std::max(largest, region.elements(input));
      if (graph_.is_free(input)) {
        todo.insert(todo.end(), region.inputs(input).begin(), region.inputs(input).end());
      } else {
        inputs[i].push_back(input);
      }
    }
    for (const int32_t read : graph_.reads(nodes_[i])) {
      const auto at = place.find(read);
      if (at == place.end()) continue;
      if (is_behind_sum[at->second] || region.role(read) == OpRole::kReduce) {
        is_behind_sum[i] = true;
      }
    }
  }
  std::map<int32_t, Source> sources;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!is_whole[i] || !needs_all(nodes_[i])) continue;
    for (const int32_t input : inputs[i]) {
      if (is_behind_sum[i] && 2 * region.elements(input) <= largest) continue;
      Source& source = sources[input];
      source.us = cost_.shared().memory_us(static_cast<double>(region.bytes(input)), false);
      source.readers |= bit(i);
      if (const auto at = place.find(input); at != place.end()) source.made_with = bit(at->second);
    }
  }
  for (const auto& entry : sources) sources_.push_back(entry.second);
}

/// us that kernels of these nodes, of one or of several, read for at least.
double ExactSearch::reads_us(Set set) const {
  double us = 0;
  for (const Source& source : sources_) {
    if ((source.readers & set) != 0 && (source.made_with & set) == 0) us += source.us;
  }
  return us;
}

bool ExactSearch::find_states() {
  states_ = {0};
  std::unordered_set<Set> seen = {0};
  for (size_t at = 0; at < states_.size(); ++at) {
    const Set state = states_[at];
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if ((state & bit(i)) != 0 || ((needs_[i] | waits_for_[i]) & ~state) != 0) continue;
      if (seen.insert(state | bit(i)).second) states_.push_back(state | bit(i));
    }
    if (states_.size() > limits_.states) return false;
  }
  std::ranges::sort(states_, {}, [](Set set) { return std::pair(std::popcount(set), set); });
  return true;
}

std::vector<int32_t> ExactSearch::ops_of(Set set) const {
  std::vector<int32_t> ops;
  for (; set != 0; set &= set - 1) {
    ops.push_back(nodes_[static_cast<size_t>(std::countr_zero(set))]);
  }
  std::ranges::sort(ops);
  return ops;
}

/// Whether nothing in the kernel waits for another op that stands behind a part of the kernel.
bool ExactSearch::can_follow(Set from, Set kernel) const {
  for (Set rest = kernel; rest != 0; rest &= rest - 1) {
    if ((waits_for_[static_cast<size_t>(std::countr_zero(rest))] & ~from) != 0) return false;
  }
  return true;
}

/// Kernels that nodes need at least.
int ExactSearch::launches_of(Set rest) const {
  int most = 0;
  for (; rest != 0; rest &= rest - 1) {
    most = std::max(most, launches_[static_cast<size_t>(std::countr_zero(rest))]);
  }
  return most;
}

std::optional<double> ExactSearch::time_of(Set kernel) {
  const auto [entry, is_new] = times_.try_emplace(kernel);
  if (!is_new) return entry->second;
  ++candidates_;
  const FusedOps ops = kernel_of(graph_, ops_of(kernel));
  seen_.insert(cost_.hash_of(ops));
  if (why_illegal_kernel(graph_, ops).empty()) entry->second = cost_.estimated_us(ops);
  return entry->second;
}

ExactSearch::End ExactSearch::run() {
  if (nodes_.empty()) return End::kFound;
  if (nodes_.size() > limits_.nodes) return End::kTooLarge;
  find_needs();
  find_launches();
  find_sources();
  // Every kernel waits for the first bytes that it reads.
  const Machine& machine = cost_.shared().machine();
  const double each_us =
      cost_.shared().launch_us() +
      (machine.hbm.read_latency_cycles + machine.mte2.fixed_cycles) / machine.cores.clock_mhz;
  const Set all = nodes_.size() == kMostNodes ? ~Set{0} : bit(nodes_.size()) - 1;
  least_us_ = launches_of(all) * each_us + reads_us(all);
  if (!find_states()) return End::kTooLarge;
  // By state: us of the best way to it, the state before, and us that the rest takes at least.
  std::vector<double> best(states_.size(), kFar);
  std::vector<size_t> before(states_.size(), 0);
  std::vector<double> rest(states_.size());
  for (size_t i = 0; i < states_.size(); ++i) {
    rest[i] = launches_of(all & ~states_[i]) * each_us + reads_us(all & ~states_[i]);
  }
  best[0] = 0;
  for (size_t from = 0; from < states_.size(); ++from) {
    if (best[from] + rest[from] >= upper_us_) continue;
    for (size_t to = from + 1; to < states_.size(); ++to) {
      if ((states_[from] & ~states_[to]) != 0) continue;
      double least = best[from] + each_us;
      const Set kernel = states_[to] & ~states_[from];
      if (least >= best[to] || least + rest[to] >= upper_us_) continue;
      least += reads_us(kernel);
      if (least >= best[to] || least + rest[to] >= upper_us_) continue;
      if (!can_follow(states_[from], kernel)) continue;
      if (candidates_ > limits_.kernels) return End::kTooLarge;
      const std::optional<double> us = time_of(kernel);
      if (!us || best[from] + *us >= best[to] || best[from] + *us + rest[to] >= upper_us_) continue;
      best[to] = best[from] + *us;
      before[to] = from;
    }
  }
  if (best.back() == kFar) return End::kNothingBelow;
  us_ = best.back();
  for (size_t at = states_.size() - 1; at != 0; at = before[at]) {
    groups_.push_back(ops_of(states_[at] & ~states_[before[at]]));
  }
  std::ranges::reverse(groups_);
  return End::kFound;
}

/// Nodes between ops that run by themselves, as AStitch finds them, in order.
std::vector<std::vector<int32_t>> islands_of(const FusionGraph& graph) {
  Clusters clusters(graph);
  for (const int32_t op : graph.nodes()) {
    for (const int32_t read : graph.reads(op)) {
      if (!graph.is_fusible(op) || !graph.is_fusible(read)) continue;
      const int32_t a = clusters.cluster_of(read);
      const int32_t b = clusters.cluster_of(op);
      if (a != b) clusters.merge(a, b);
    }
  }
  return clusters.groups();
}

/// us of groups by estimate; none where one of them cannot be a kernel.
std::optional<double> estimate_of(RegionCost& cost, const Groups& groups) {
  double us = 0;
  for (const std::vector<int32_t>& group : groups) {
    const FusedOps kernel = kernel_of(cost.graph(), group);
    const std::optional<double> each = cost.estimated_us(kernel);
    if (!each || !why_illegal_kernel(cost.graph(), kernel).empty()) return std::nullopt;
    us += *each;
  }
  return us;
}

/// The whole region by one search.
struct Whole {
  std::optional<Groups> groups = {};  ///< the best that is known
  double us = 0;
  double bound_us = 0;  ///< `us` where no plan takes less
};

Whole plan_whole(RegionCost& cost, const std::vector<int32_t>& nodes, const PlanOptions& options,
                 int64_t& candidates) {
  const FusionGraph& graph = cost.graph();
  // The less a plan is known to take, the more others need not be looked at.
  Whole whole{{}, kFar, 0};
  SeenKernels tried;
  for (const Groups& from : {Groups{}, islands_of(graph)}) {
    const std::optional<Clusters> clusters = Clusters::of(graph, from);
    if (!clusters) continue;
    LocalSearch search(*clusters, estimated_gain(cost, tried), tried, options.exact_kernels);
    search.cut();
    search.merge_neighbours();
    search.pack();
    candidates += search.candidates();
    const Groups groups = search.clusters().groups();
    const std::optional<double> us = estimate_of(cost, groups);
    if (us && *us < whole.us) whole = Whole{groups, *us, 0};
  }
  std::set<uint64_t> seen;
  ExactSearch search(cost, nodes, {kMostNodes, kMostStates, options.exact_kernels}, whole.us, seen);
  const ExactSearch::End end = search.run();
  candidates += search.candidates();
  if (end == ExactSearch::End::kFound) return {search.groups(), search.us(), search.us()};
  whole.bound_us = end == ExactSearch::End::kNothingBelow ? whole.us : search.least_us();
  return whole;
}

/// Each part between compute ops by itself, in two where it is too large.
Groups plan_parts(RegionCost& cost, PlannedRegion& result) {
  const FusionGraph& graph = cost.graph();
  Groups groups;
  size_t cuts = 0;
  std::set<uint64_t> seen;
  Groups todo = islands_of(graph);
  std::ranges::reverse(todo);
  while (!todo.empty()) {
    const std::vector<int32_t> part = std::move(todo.back());
    todo.pop_back();
    if (part.empty()) continue;
    if (seen.size() >= kMostKernelsOfRegion) {
      ++cuts;
      groups.push_back(part);
      continue;
    }
    ExactSearch search(cost, part, {kMostNodesOfPart, kMostStatesOfPart, kMostKernelsOfPart}, kFar,
                       seen);
    const ExactSearch::End end = search.run();
    result.candidates += search.candidates();
    if (end == ExactSearch::End::kFound) {
      groups.insert(groups.end(), search.groups().begin(), search.groups().end());
      continue;
    }
    ++cuts;
    auto [early, late] = cut_group(graph, part, part.size() / 2);
    todo.push_back(std::move(late));
    todo.push_back(std::move(early));
  }
  result.note = cuts == 0 ? "optimal within each part between compute ops, not across"
                          : fmt::format(
                                "parts between compute ops are too large: {} times one was "
                                "cut or left whole",
                                cuts);
  return groups;
}

}  // namespace

PlannedRegion plan_exact(RegionCost& cost, const PlanOptions& options) {
  const FusionGraph& graph = cost.graph();
  PlannedRegion result;
  std::vector<int32_t> nodes = graph.nodes();
  std::erase_if(nodes, [&](int32_t op) { return !graph.is_fusible(op); });
  std::optional<Whole> whole;
  if (nodes.size() <= kMostNodes) whole = plan_whole(cost, nodes, options, result.candidates);
  const bool is_proven = whole && whole->groups && whole->us <= whole->bound_us;
  Groups groups;
  if (is_proven) {
    groups = *std::move(whole->groups);
  } else {
    groups = plan_parts(cost, result);
    const std::optional<double> us = estimate_of(cost, groups);
    if (whole && whole->groups && (!us || whole->us < *us)) groups = *std::move(whole->groups);
    if (whole) {
      result.note = fmt::format("not proven: no plan takes less than {:.1f} us", whole->bound_us);
    }
  }
  // Of the plans that the options allow nothing is known.
  if (whole && options.pins.empty() && options.vetoes.empty()) result.bound_us = whole->bound_us;
  result.plan = plan_of(graph, feasible_groups(cost, constrained_groups(cost, groups, options)));
  return result;
}

}  // namespace tilewright
