#include "tuner/fusion/kernel_hash.h"

#include <algorithm>
#include <bit>
#include <span>

#include "core/base/hash.h"
#include "core/graph/hlo_attribute_text.h"

namespace tilewright {

namespace {

uint64_t hash_of_op(const OpGraph& graph, const Op& op) {
  Hasher hasher;
  hasher.add(name_of(op.opcode)).add(to_text(op.shape, false));
  std::string attributes;
  if (op.opcode == HloOpcode::kConstant) {
    append_literal(attributes, op.get<Literal>(), op.shape);
  } else {
    append_attributes(attributes, op.attributes);
  }
  hasher.add(attributes);
  for (const int32_t called : op.called) {
    for (const Op& inner : graph.computation(called).ops) {
      hasher.add(name_of(inner.opcode)).add(to_text(inner.shape, false));
      for (const int32_t operand : inner.operands) hasher.add(int64_t{operand});
    }
  }
  return hasher.value();
}

/// Mixes a number into a hash (the finalizer of SplitMix64).
void mix(uint64_t& hash, uint64_t value) {
  hash += value + 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  hash ^= hash >> 31;
}

}  // namespace

KernelHash::KernelHash(const FusionGraph& graph) : graph_(&graph) {
  for (const Op& op : graph.region().computation().ops) {
    ops_.push_back(hash_of_op(graph.region().graph(), op));
    shapes_.push_back(Hasher().add(to_text(op.shape, false)).value());
  }
}

uint64_t KernelHash::of_op(int32_t op) const {
  uint64_t hash = ops_[static_cast<size_t>(op)];
  for (const int32_t operand : graph_->region().computation().op(op).operands) {
    mix(hash, shapes_[static_cast<size_t>(operand)]);
  }
  return hash;
}

uint64_t KernelHash::of_region() const {
  const Region& region = graph_->region();
  uint64_t hash = ops_.size();
  const auto add_list = [&](std::span<const int32_t> list) {
    mix(hash, list.size());
    for (const int32_t op : list) mix(hash, static_cast<uint64_t>(op));
  };
  for (int32_t op = 0; op < graph_->size(); ++op) {
    mix(hash, ops_[static_cast<size_t>(op)]);
    add_list(region.computation().op(op).operands);
    add_list(region.inputs(op));
    add_list(graph_->before(op));
    mix(hash, region.is_result(op) ? 1 : 0);
    mix(hash, static_cast<uint64_t>(graph_->overwrites(op)));
    mix(hash, static_cast<uint64_t>(region.in_place(op)));
  }
  return hash;
}

uint64_t KernelHash::of(const FusedOps& kernel) const {
  const Region& region = graph_->region();
  uint64_t hash = kernel.ops.size();
  std::vector<int32_t> outside;
  const auto add_operand = [&](int32_t op) {
    while (true) {
      const auto inside = std::ranges::lower_bound(kernel.ops, op);
      if (inside != kernel.ops.end() && *inside == op) {
        mix(hash, static_cast<uint64_t>(inside - kernel.ops.begin()));
        return;
      }
      mix(hash, shapes_[static_cast<size_t>(op)]);
      const OpRole role = region.role(op);
      if (role != OpRole::kView && role != OpRole::kConstant) break;
      mix(hash, ops_[static_cast<size_t>(op)]);
      const std::vector<int32_t>& operands = region.computation().op(op).operands;
      if (operands.size() != 1) break;
      op = operands[0];
    }
    if (const auto value = region.splat(op)) {
      mix(hash, std::bit_cast<uint64_t>(*value));
      return;
    }
    const auto known = std::ranges::find(outside, op);
    mix(hash, 1000000 + static_cast<uint64_t>(known - outside.begin()));
    if (known == outside.end()) outside.push_back(op);
  };
  for (const int32_t op : kernel.ops) {
    mix(hash, ops_[static_cast<size_t>(op)]);
    mix(hash, std::ranges::binary_search(kernel.outputs, op) ? 1 : 0);
    mix(hash, updated_in_memory(region, kernel, op) >= 0 ? 1 : 0);
    for (const int32_t operand : region.computation().op(op).operands) add_operand(operand);
  }
  return hash;
}

}  // namespace tilewright
