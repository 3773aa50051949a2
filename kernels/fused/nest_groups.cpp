#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/fused/nest_former.h"

namespace tilewright {

namespace {

constexpr int kNone = -1;

/// Elements that readers and what they read walk alike, from which on they are worth one nest even
/// if each walks axes that the other lacks: there is work for all cores.
constexpr int64_t kEnoughInCommon = 32;

/// Work on elements of a nest that another one may do again, as a part of the reader's own.
constexpr double kSmallShare = 0.25;

/// Sets of instances that grow together, with the axes that they walk: those of their results and
/// of what they load.
class WalkedSets {
 public:
  explicit WalkedSets(size_t instances) : parent_(instances), axes_(instances) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  int root(int at) const {
    while (parent_[static_cast<size_t>(at)] != at) at = parent_[static_cast<size_t>(at)];
    return at;
  }
  void add_axes(int instance, const std::vector<int>& axes) {
    axes_[static_cast<size_t>(instance)].insert(axes.begin(), axes.end());
  }
  const std::set<int>& axes(int root) const { return axes_[static_cast<size_t>(root)]; }
  bool has_all(int root, int of) const { return std::ranges::includes(axes(root), axes(of)); }
  void join(int a, int b) {
    a = root(a);
    b = root(b);
    if (a == b) return;
    parent_[static_cast<size_t>(b)] = a;
    axes_[static_cast<size_t>(a)].merge(axes_[static_cast<size_t>(b)]);
  }

 private:
  std::vector<int> parent_;
  std::vector<std::set<int>> axes_;  // by root
};

}  // namespace

/// Decides which instances are one nest: those that hand results to each other, and those that read
/// the same array and walk nothing else. Where the walks have too little in common the result goes
/// through memory (a cut), but what is small and cheap is made in each nest that reads it.
class NestGroups {
 public:
  NestGroups(NestFormer& former, const std::vector<bool>& needed)
      : former_(former), needed_(needed), sets_(former.instances_.size()) {}

  std::vector<NestMembers> find() {
    collect();
    join_handed_over();
    join_by_loads();
    for (int i = 0; i < count(); ++i) {
      if (is_needed(i) && instance(i).is_stored) stores_.insert(sets_.root(i));
    }
    join_spread();
    return members();
  }

 private:
  /// A result that is handed over, with its number of elements.
  struct Edge {
    int from = kNone;
    int to = kNone;
    int64_t elements = 1;
    bool spreads = false;  ///< the reader walks more axes than the result has
  };

  int count() const { return static_cast<int>(former_.instances_.size()); }
  bool is_needed(int i) const { return needed_[static_cast<size_t>(i)]; }
  const NestInstance& instance(int i) const { return former_.instances_[static_cast<size_t>(i)]; }
  const AxisMap& map_of(int i) const {
    return former_.maps_[static_cast<size_t>(instance(i).level)];
  }

  /// The edges, those of most elements first, and who reads which load.
  void collect() {
    for (int i = 0; i < count(); ++i) {
      if (!is_needed(i)) continue;
      const AxisMap& map = map_of(i);
      const std::vector<int> own = map.axes_of(instance(i).array);
      sets_.add_axes(i, own);
      for (const NestInstance::Link& link : instance(i).operands) {
        if (link.load != kNone) {
          sets_.add_axes(i, map.axes_of(former_.loads_[static_cast<size_t>(link.load)].array));
          readers_[link.load].push_back(i);
        }
        if (link.instance == kNone) continue;
        const std::vector<int> from = map.axes_of(instance(link.instance).array);
        Edge edge{link.instance, i, 1, false};
        for (const int axis : from) edge.elements *= map.extent(axis);
        edge.spreads = std::ranges::any_of(
            own, [&](int axis) { return std::ranges::find(from, axis) == from.end(); });
        edges_.push_back(edge);
      }
    }
    std::ranges::stable_sort(edges_,
                             [](const Edge& a, const Edge& b) { return a.elements > b.elements; });
  }

  void cut(const Edge& edge) {
    former_.cuts_.insert(
        {former_.node(instance(edge.from).node).op, former_.node(instance(edge.to).node).op});
  }

  /// Results that are read element by element, or reduced.
  void join_handed_over() {
    for (const Edge& edge : edges_) {
      const int from = sets_.root(edge.from);
      const int to = sets_.root(edge.to);
      if (edge.spreads || from == to) continue;
      const bool nested = sets_.has_all(to, from) || sets_.has_all(from, to);
      nested || edge.elements >= kEnoughInCommon ? sets_.join(from, to) : cut(edge);
    }
  }

  void join_by_loads() {
    for (const auto& entry : readers_) {
      const NestLoad& load = former_.loads_[static_cast<size_t>(entry.first)];
      const std::vector<int> walked =
          former_.maps_[static_cast<size_t>(load.level)].axes_of(load.array);
      const std::set<int> all(walked.begin(), walked.end());
      for (const int reader : entry.second) {
        const int a = sets_.root(entry.second.front());
        const int b = sets_.root(reader);
        if (a != b && sets_.axes(a) == all && sets_.axes(b) == all) sets_.join(a, b);
      }
    }
  }

  /// Results that readers spread over axes that they lack.
  void join_spread() {
    std::map<int, std::set<int>> readers;
    for (const Edge& edge : edges_) {
      const int from = sets_.root(edge.from);
      if (edge.spreads && from != sets_.root(edge.to)) readers[from].insert(sets_.root(edge.to));
    }
    for (const Edge& edge : edges_) {
      const int from = sets_.root(edge.from);
      const int to = sets_.root(edge.to);
      if (!edge.spreads || from == to || is_made_again(from, to)) continue;
      const bool nested = sets_.has_all(to, from);
      // What is stored must not be made once for each tile of axes that it does not have.
      const bool is_own = readers[from].size() == 1 && !stores_.contains(from);
      if (nested && is_own && !again_.contains(from)) {
        sets_.join(to, from);
      } else if (nested && is_cheap(from, to)) {
        again_[from].insert(to);
      } else {
        cut(edge);
      }
    }
  }

  bool is_made_again(int set, int reader) const {
    const auto found = again_.find(set);
    return found != again_.end() && found->second.contains(reader);
  }

  double volume(int root) const {
    double elements = 1;
    for (const int axis : sets_.axes(root)) {
      elements *= static_cast<double>(map_of(root).extent(axis));
    }
    return elements;
  }

  /// Elementwise work on few elements.
  bool is_cheap(int set, int reader) const {
    double work = 0;
    for (int i = 0; i < count(); ++i) {
      if (!is_needed(i) || sets_.root(i) != set) continue;
      if (former_.region_.role(former_.node(instance(i).node).op) == OpRole::kReduce) return false;
      work += volume(set);
    }
    return work <= kSmallShare * volume(reader);
  }

  std::vector<NestMembers> members() const {
    std::map<int, std::vector<int>> by_root;
    for (int i = 0; i < count(); ++i) {
      if (is_needed(i)) by_root[sets_.root(i)].push_back(i);
    }
    std::vector<NestMembers> nests;
    for (const auto& entry : by_root) {
      const bool is_only_for_others =
          again_.contains(entry.first) && !stores_.contains(entry.first);
      if (is_only_for_others) continue;
      NestMembers nest{entry.second, {}};
      for (const int set : made_again_for(entry.first)) {
        const std::vector<int>& more = by_root.at(set);
        nest.all.insert(nest.all.end(), more.begin(), more.end());
        nest.again.insert(more.begin(), more.end());
      }
      std::ranges::sort(nest.all);
      nests.push_back(std::move(nest));
    }
    std::ranges::stable_sort(nests, [&](const NestMembers& a, const NestMembers& b) {
      return instance(a.all.front()).level < instance(b.all.front()).level;
    });
    return nests;
  }

  /// The sets that a nest makes for itself, with those that these need.
  std::set<int> made_again_for(int nest) const {
    std::set<int> sets;
    bool grows = true;
    while (grows) {
      grows = false;
      for (const auto& entry : again_) {
        const auto reads = [&](int set) { return entry.second.contains(set); };
        if (entry.first == nest || (!reads(nest) && std::ranges::none_of(sets, reads))) continue;
        grows = sets.insert(entry.first).second || grows;
      }
    }
    return sets;
  }

  NestFormer& former_;
  const std::vector<bool>& needed_;
  WalkedSets sets_;
  std::vector<Edge> edges_;
  std::map<int, std::vector<int>> readers_;  // by load
  std::set<int> stores_;                     // roots of sets that write to memory
  std::map<int, std::set<int>> again_;       // roots of sets that others make again: by whom
};

std::vector<NestMembers> NestFormer::group(const std::vector<bool>& needed) {
  return NestGroups(*this, needed).find();
}

}  // namespace tilewright
