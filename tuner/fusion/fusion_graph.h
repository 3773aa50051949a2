#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/graph/region.h"

namespace tilewright {

/// A program as all planners get it: flat, equal ops made one, scales that undo each other gone,
/// and transposes that only dots read folded into them.
OpGraph prepared_for_fusion(const OpGraph& program);

/// A region as planners see it. Nodes are ops that some kernel makes; parameters, constants and
/// views are none, and neither are free ops that nobody needs in memory. A free op shows other
/// elements in a larger form (a broadcast, a conversion to a wider type): every kernel that reads
/// it makes it again, since reading what it is made of costs fewer bytes.
class FusionGraph {
 public:
  /// `fuses_products`: planners may put dots into kernels (GEMM fusion).
  explicit FusionGraph(const Region& region, bool fuses_products = false);

  const Region& region() const { return *region_; }
  int32_t size() const { return region_->size(); }
  const std::string& name(int32_t op) const { return region_->computation().op(op).name; }

  /// Made by a kernel of some kind: no boundary, constant or view.
  bool is_work(int32_t op) const { return flag(is_work_, op); }
  bool is_node(int32_t op) const { return flag(is_node_, op); }
  bool is_free(int32_t op) const { return flag(is_free_, op); }
  /// May be in a fused kernel; why_not() says why another op may not.
  bool is_fusible(int32_t op) const { return why_not(op).empty(); }
  const std::string& why_not(int32_t op) const { return why_not_[static_cast<size_t>(op)]; }
  /// A dot that may be in a kernel: with GEMM fusion, and where the cube cores can do it there
  /// (why_no_product()). It is no fusible op, which memory kernels are made of.
  bool is_product(int32_t op) const { return flag(is_product_, op); }
  bool fuses_products() const { return fuses_products_; }
  /// Must be in memory whatever the memory kernels are: a result of the region, or read by what no
  /// memory kernel holds.
  bool is_kept(int32_t op) const { return flag(is_kept_, op); }

  /// Nodes, ascending, whose elements an op reads, past free ops, tuples and their elements.
  std::span<const int32_t> reads(int32_t op) const { return reads_[static_cast<size_t>(op)]; }
  std::span<const int32_t> readers(int32_t op) const { return readers_[static_cast<size_t>(op)]; }
  /// The same with ops that must run before for another reason: they read an input whose memory the
  /// op writes its result to.
  std::span<const int32_t> before(int32_t op) const { return before_[static_cast<size_t>(op)]; }
  std::span<const int32_t> after(int32_t op) const { return after_[static_cast<size_t>(op)]; }

  /// A place in an order of all nodes in which they may run.
  int32_t rank(int32_t op) const { return rank_[static_cast<size_t>(op)]; }

  /// The input whose memory an op's result takes, or -1: by input_output_alias, or since it is
  /// updated in place.
  int32_t overwrites(int32_t op) const { return overwrites_[static_cast<size_t>(op)]; }

  const std::vector<int32_t>& nodes() const { return nodes_; }
  /// Nodes that a fused kernel may hold.
  int32_t fusible_nodes() const { return fusible_nodes_; }

  /// The free ops that a kernel of these ops makes, ascending.
  std::vector<int32_t> free_ops_of(std::span<const int32_t> ops) const;

 private:
  static bool flag(const std::vector<bool>& flags, int32_t op) {
    return flags[static_cast<size_t>(op)];
  }
  void find_nodes();
  void find_reads();
  void find_overwrites();
  void order_overwrites();

  const Region* region_;
  bool fuses_products_ = false;
  std::vector<bool> is_product_;
  std::vector<bool> is_work_;
  std::vector<bool> is_node_;
  std::vector<bool> is_free_;
  std::vector<bool> is_kept_;
  std::vector<std::string> why_not_;
  std::vector<std::vector<int32_t>> reads_;
  std::vector<std::vector<int32_t>> readers_;
  std::vector<std::vector<int32_t>> before_;
  std::vector<std::vector<int32_t>> after_;
  std::vector<int32_t> overwrites_;
  std::vector<int32_t> rank_;
  std::vector<int32_t> nodes_;
  int32_t fusible_nodes_ = 0;
};

/// Whether `from` comes before `to` on a path of before().
bool reaches(const FusionGraph& graph, int32_t from, int32_t to);

}  // namespace tilewright
