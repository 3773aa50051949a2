#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/graph/axes.h"
#include "core/graph/region.h"
#include "kernels/fused/fused_ops.h"
#include "kernels/fused/nests.h"

// Inside form_nests(): where each op is done (nest_former.cpp), what is done together
// (nest_groups.cpp), and the nests made of that (nests.cpp).

namespace tilewright {

/// A node at a level. The first one that is made of a node is its home, which writes its result
/// where somebody needs it in memory; others do the same work again at a later level.
struct NestInstance {
  int node = -1;
  int level = 0;
  int array = -1;  ///< in the level's AxisMap
  bool is_stored = false;
  /// For each operand an instance of the same level, or a load, or neither (a number).
  struct Link {
    int instance = -1;
    int load = -1;
  };
  std::vector<Link> operands = {};
};

/// An array in memory as one level reads it.
struct NestLoad {
  int32_t op = -1;  ///< whose result lies there
  int level = 0;
  int array = -1;
  std::vector<int64_t> strides = {};  ///< of the array's dimensions
  int64_t offset = 0;
  int32_t dynamic_op = -1;
};

/// Results that go through memory to a reader: their op and the reader's.
using Cuts = std::set<std::pair<int32_t, int32_t>>;

/// A nest's instances, in order, and which of them it makes again for itself.
struct NestMembers {
  std::vector<int> all = {};
  std::set<int> again = {};
};

class NestGroups;

/// Forms the nests of a kernel's ops.
class NestFormer {
 public:
  NestFormer(const Region& region, const FusedOps& ops, const NestOptions& options,
             const Cuts& cuts)
      : region_(region),
        computation_(region.computation()),
        options_(options),
        cuts_(cuts),
        ops_(ops),
        nodes_(fused_nodes(region, ops)) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_of_[nodes_[i].op].push_back(static_cast<int>(i));
    }
    homes_.assign(nodes_.size(), -1);
    for (int node = 0; node < static_cast<int>(nodes_.size()); ++node) place(node);
    for (const int32_t op : ops.outputs) store(op);
  }

  /// The plan; none where more results have to go through memory: cuts() has them then.
  std::optional<NestPlan> plan(const FusedOps& ops);
  const Cuts& cuts() const { return cuts_; }

 private:
  size_t home_of(int node) const { return static_cast<size_t>(homes_[static_cast<size_t>(node)]); }
  const FusedNode& node(int index) const { return nodes_[static_cast<size_t>(index)]; }
  const Shape& shape_of(int32_t op) const { return computation_.op(op).shape; }
  AxisMap& map_of(int level) {
    if (maps_.size() <= static_cast<size_t>(level)) maps_.resize(static_cast<size_t>(level) + 1);
    return maps_[static_cast<size_t>(level)];
  }
  bool is_own_slice(int32_t op) const {
    const HloOpcode opcode = computation_.op(op).opcode;
    return (opcode == HloOpcode::kSlice || opcode == HloOpcode::kDynamicSlice) &&
           std::ranges::binary_search(ops_.ops, op);
  }
  /// What a slice of this kernel shows; none of other ops, and of slices that others have made.
  std::optional<SliceWindow> window_of_own(int32_t op) const {
    if (!is_own_slice(op)) return std::nullopt;
    return read_window(region_, ops_, op);
  }
  /// The node that makes a source in this kernel and can hand it over, or none.
  int maker_of(int32_t op) const {
    if (is_own_slice(op)) return -1;
    const auto found = nodes_of_.find(op);
    const bool is_one = found != nodes_of_.end() && node(found->second.front()).piece < 0;
    return is_one ? found->second.front() : -1;
  }
  /// The op under whose number a result lies in memory: that of an update in place where what it
  /// updates was.
  int32_t place_of(int32_t op) const {
    if (std::ranges::binary_search(ops_.ops, op)) {
      const int32_t updated = updated_in_memory(region_, ops_, op);
      if (updated >= 0) return updated;
    }
    return op;
  }
  /// The op whose result in memory a source is read from.
  int32_t memory_of(int32_t op) const {
    const std::optional<SliceWindow> window = window_of_own(op);
    return window ? window->memory_op : op;
  }
  /// The first level at which a source can be read from memory.
  int level_in_memory(int32_t op) const {
    int level = 0;
    const auto found = nodes_of_.find(memory_of(op));
    if (found == nodes_of_.end()) return 0;
    for (const int maker : found->second) {
      level = std::max(level, instances_[home_of(maker)].level + 1);
    }
    return level;
  }
  /// Has an op of this kernel leave its result in memory.
  void store(int32_t op) {
    const auto found = nodes_of_.find(op);
    if (found == nodes_of_.end()) return;
    for (const int maker : found->second) instances_[home_of(maker)].is_stored = true;
  }
  bool is_dot_node(int index) const { return is_dot(region_, node(index).op); }
  bool is_cut(int maker, int reader) const {
    // Matrices of a product pass between cube and vector cores through memory.
    if (is_dot_node(maker) || is_dot_node(reader)) return true;
    return std::ranges::binary_search(options_.staged, node(maker).op) ||
           cuts_.contains({node(maker).op, node(reader).op});
  }

  /// Extents of a node's work: those of its result, or of a piece of it.
  std::vector<int64_t> made_extents(const FusedNode& made) const {
    return made.piece < 0 ? shape_of(made.op).dims
                          : piece_extents(region_, made.op, static_cast<size_t>(made.piece));
  }

  /// Whether an operand comes from memory whoever makes it: the table of a gather.
  bool is_table(int node_index, size_t operand) const {
    return operand == 0 && computation_.op(node(node_index).op).opcode == HloOpcode::kGather;
  }
  int level_for(int node_index) const;
  int level_of_update(int node_index) const;
  int level_after_readers(int node_index) const;
  void check_overwrites(const std::vector<bool>& needed) const;
  void place(int node_index);
  /// What a node's sources of earlier levels may be at its own: made again where that is cheap, or
  /// read from memory.
  enum class Earlier { kAgain, kRead };
  bool try_place(int node_index, int level, Earlier earlier);
  std::optional<int> instance_at(int node_index, int level, int depth);
  bool is_cheap_again(int node_index, int level, int depth) const;
  int load_of(int32_t op, int level, bool fresh);
  int load_of_table(int node_index, int level);
  std::vector<AxisMap::Match> table_matches(int node_index, int table_array,
                                            int result_array) const;
  int shown_array(int32_t op, int level, int source_array, const Source& source, size_t position,
                  bool is_private);
  void add_matches(int node_index, size_t operand, int level, int source_array, int result_array,
                   bool is_private, std::vector<AxisMap::Match>& matches);

  std::vector<bool> needed_instances() const;
  std::vector<NestMembers> group(const std::vector<bool>& needed);
  friend class NestGroups;
  LoopNest make_nest(const NestMembers& members) const;
  LoopNest make_product(const NestInstance& instance) const;

  const Region& region_;
  const Computation& computation_;
  const NestOptions& options_;
  Cuts cuts_;
  const FusedOps& ops_;
  std::vector<FusedNode> nodes_;
  std::map<int32_t, std::vector<int>> nodes_of_;  // several of a concatenation or an update
  std::vector<int> homes_;
  std::vector<AxisMap> maps_;
  std::vector<NestInstance> instances_;
  std::vector<NestLoad> loads_;
  std::map<int32_t, int> overwritten_;        // by op: the level that updates it in place
  std::map<std::pair<int, int>, int> again_;  // (node, level) -> instance
  std::map<std::pair<int32_t, int>, int> shared_loads_;  // (op, level) -> load
  std::map<std::array<int, 3>, int> shown_;              // (op, level, source array) -> array
};

}  // namespace tilewright
