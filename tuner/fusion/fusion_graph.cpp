#include "tuner/fusion/fusion_graph.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/graph/expand_batch_norm.h"
#include "core/graph/cancel_scales.h"
#include "core/graph/flatten.h"
#include "core/graph/fold_transposes.h"
#include "core/graph/merge_equal_ops.h"
#include "core/graph/plain_gathers.h"
#include "core/graph/plain_scatters.h"
#include "core/graph/topological_order.h"
#include "kernels/fused/fused_ops.h"

namespace tilewright {

namespace {

bool is_work_role(OpRole role) {
  return role != OpRole::kBoundary && role != OpRole::kConstant && role != OpRole::kView;
}

void insert_sorted(std::vector<int32_t>& list, int32_t op) {
  const auto at = std::ranges::lower_bound(list, op);
  if (at == list.end() || *at != op) list.insert(at, op);
}

}  // namespace

OpGraph prepared_for_fusion(const OpGraph& program) {
  const OpGraph expanded = expand_batch_norm(flatten(program));
  const OpGraph plain = plain_gathers(plain_scatters(merge_equal_ops(flatten(expanded))));
  return flatten(fold_transposes(cancel_scales(plain)));
}

FusionGraph::FusionGraph(const Region& region, bool fuses_products)
    : region_(&region), fuses_products_(fuses_products) {
  find_nodes();
  find_reads();
  find_overwrites();
  order_overwrites();
}

void FusionGraph::find_nodes() {
  const auto count = static_cast<size_t>(size());
  why_not_.resize(count);
  for (int32_t op = 0; op < size(); ++op) {
    const OpRole role = region_->role(op);
    is_work_.push_back(is_work_role(role));
    is_product_.push_back(fuses_products_ && is_dot(*region_, op) &&
                          why_no_product(*region_, op).empty());
    why_not_[static_cast<size_t>(op)] = why_not_fusible(*region_, op);
    const Op& made = region_->computation().op(op);
    const bool widens = made.opcode == HloOpcode::kConvert &&
                        region_->bytes(op) >= region_->bytes(made.operands[0]);
    is_free_.push_back(is_fusible(op) && (role == OpRole::kBroadcast || widens));
  }
  is_kept_.resize(count);
  is_node_.resize(count);
  for (int32_t op = 0; op < size(); ++op) {
    const auto users = region_->users(op);
    const auto needs_memory = [&](int32_t user) { return !is_fusible(user); };
    is_kept_[static_cast<size_t>(op)] =
        region_->is_result(op) || std::ranges::any_of(users, needs_memory);
    if (!is_work(op) || (is_free(op) && !is_kept(op))) continue;
    is_node_[static_cast<size_t>(op)] = true;
    nodes_.push_back(op);
    if (is_fusible(op)) ++fusible_nodes_;
  }
}

void FusionGraph::find_reads() {
  const auto count = static_cast<size_t>(size());
  reads_.resize(count);
  readers_.resize(count);
  for (int32_t op = 0; op < size(); ++op) {
    if (region_->role(op) == OpRole::kView || region_->role(op) == OpRole::kConstant) continue;
    std::vector<int32_t>& reads = reads_[static_cast<size_t>(op)];
    for (const int32_t input : region_->inputs(op)) {
      if (is_node(input) && !(is_free(input) && is_fusible(op))) {
        reads.push_back(input);
      } else {
        // What a free op or a tuple shows.
        const auto shown = this->reads(input);
        reads.insert(reads.end(), shown.begin(), shown.end());
      }
    }
    std::ranges::sort(reads);
    reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
    if (!is_node(op)) continue;
    for (const int32_t read : reads) readers_[static_cast<size_t>(read)].push_back(op);
  }
  before_ = reads_;
  after_ = readers_;
}

void FusionGraph::find_overwrites() {
  overwrites_.assign(static_cast<size_t>(size()), -1);
  for (const int32_t op : nodes_) {
    int32_t& overwritten = overwrites_[static_cast<size_t>(op)];
    overwritten = region_->aliased_input(op);
    const int32_t updated = is_fusible(op) ? region_->in_place(op) : -1;
    if (updated >= 0 && region_->role(updated) == OpRole::kBoundary) overwritten = updated;
  }
}

/// Every node that reads a parameter comes before the one that writes over it, unless it needs that
/// one's result: then somebody keeps a copy of the parameter.
void FusionGraph::order_overwrites() {
  for (const int32_t writer : nodes_) {
    const int32_t parameter = overwrites(writer);
    if (parameter < 0) continue;
    std::vector<int32_t> seen = {parameter};
    std::vector<int32_t> earlier;
    while (!seen.empty()) {
      const int32_t shown = seen.back();
      seen.pop_back();
      for (const int32_t user : region_->users(shown)) {
        if (is_node(user)) earlier.push_back(user);
        if (!is_node(user) || is_free(user)) seen.push_back(user);
      }
    }
    for (const int32_t reader : earlier) {
      if (reader == writer || reaches(*this, writer, reader)) continue;
      insert_sorted(before_[static_cast<size_t>(writer)], reader);
      insert_sorted(after_[static_cast<size_t>(reader)], writer);
    }
  }
  const TopologicalOrder sorted = topological_order(before_);
  TW_CHECK(sorted.cycle.empty(), "ops of a region do not wait for each other");
  rank_.resize(static_cast<size_t>(size()));
  for (size_t at = 0; at < sorted.order.size(); ++at) {
    rank_[static_cast<size_t>(sorted.order[at])] = static_cast<int32_t>(at);
  }
}

std::vector<int32_t> FusionGraph::free_ops_of(std::span<const int32_t> ops) const {
  std::set<int32_t> made;
  std::vector<int32_t> todo(ops.begin(), ops.end());
  while (!todo.empty()) {
    const int32_t op = todo.back();
    todo.pop_back();
    for (const int32_t input : region_->inputs(op)) {
      if (is_free(input) && made.insert(input).second) todo.push_back(input);
    }
  }
  return {made.begin(), made.end()};
}

bool reaches(const FusionGraph& graph, int32_t from, int32_t to) {
  std::vector<bool> seen(static_cast<size_t>(graph.size()), false);
  std::vector<int32_t> todo = {from};
  while (!todo.empty()) {
    const int32_t op = todo.back();
    todo.pop_back();
    if (op == to) return true;
    for (const int32_t next : graph.after(op)) {
      if (seen[static_cast<size_t>(next)]) continue;
      seen[static_cast<size_t>(next)] = true;
      todo.push_back(next);
    }
  }
  return false;
}

}  // namespace tilewright
