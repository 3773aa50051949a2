#include "core/graph/merge_equal_ops.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "core/base/hash.h"
#include "core/graph/flatten.h"

namespace tilewright {

namespace {

/// What an op is without how it is called and where it comes from.
Op anonymous(const Op& op) {
  Op plain = op;
  plain.name.clear();
  plain.notes.clear();
  plain.line = 0;
  return plain;
}

/// A computation whose equals compute the same.
Computation anonymous(const Computation& computation) {
  Computation plain = computation;
  plain.name.clear();
  plain.notes.clear();
  plain.line = 0;
  for (Op& op : plain.ops) op = anonymous(op);
  return plain;
}

/// The first computation that equals each one.
std::vector<int32_t> first_equals(const OpGraph& graph) {
  std::vector<int32_t> first(graph.computations.size());
  std::unordered_map<uint64_t, std::vector<int32_t>> seen;  // by number of ops and root's opcode
  std::vector<Computation> plain;
  for (size_t i = 0; i < first.size(); ++i) {
    Computation& own = plain.emplace_back(anonymous(graph.computations[i]));
    for (Op& op : own.ops) {
      for (int32_t& called : op.called) called = first[static_cast<size_t>(called)];
    }
    const uint64_t key = own.ops.size() * 1000 + static_cast<uint64_t>(own.root_op().opcode);
    std::vector<int32_t>& candidates = seen[key];
    const auto equal = std::ranges::find_if(candidates, [&](int32_t candidate) {
      return plain[static_cast<size_t>(candidate)] == own;
    });
    first[i] = equal == candidates.end() ? static_cast<int32_t>(i) : *equal;
    if (equal == candidates.end()) candidates.push_back(first[i]);
  }
  return first;
}

bool may_merge(const OpGraph& graph, const Op& op) {
  return op.opcode != HloOpcode::kParameter && op.control_predecessors.empty() &&
         op.opcode != HloOpcode::kUnknown && op.opcode != HloOpcode::kCustomCall &&
         op.opcode != HloOpcode::kRng && !has_side_effect(graph, op);
}

uint64_t key_of(const Op& op) {
  Hasher hasher;
  hasher.add(static_cast<int64_t>(op.opcode));
  hasher.add(static_cast<int64_t>(op.shape.type));
  for (const int64_t dim : op.shape.dims) hasher.add(dim);
  for (const int32_t operand : op.operands) hasher.add(static_cast<int64_t>(operand));
  return hasher.value();
}

}  // namespace

OpGraph merge_equal_ops(const OpGraph& graph) {
  OpGraph merged = graph;
  const std::vector<int32_t> first = first_equals(graph);
  for (Computation& computation : merged.computations) {
    std::vector<int32_t> stands_for(computation.ops.size());
    std::vector<Op> plain(computation.ops.size());
    std::unordered_map<uint64_t, std::vector<int32_t>> seen;
    for (size_t i = 0; i < computation.ops.size(); ++i) {
      Op& op = computation.ops[i];
      for (int32_t& operand : op.operands) operand = stands_for[static_cast<size_t>(operand)];
      plain[i] = anonymous(op);
      for (int32_t& called : plain[i].called) called = first[static_cast<size_t>(called)];
      stands_for[i] = static_cast<int32_t>(i);
      if (!may_merge(graph, op)) continue;
      std::vector<int32_t>& candidates = seen[key_of(plain[i])];
      const auto equal = std::ranges::find_if(candidates, [&](int32_t candidate) {
        return plain[static_cast<size_t>(candidate)] == plain[i];
      });
      if (equal != candidates.end()) {
        stands_for[i] = *equal;
      } else {
        candidates.push_back(stands_for[i]);
      }
    }
    computation.root = stands_for[static_cast<size_t>(computation.root)];
    for (Op& op : computation.ops) {
      for (int32_t& before : op.control_predecessors) {
        before = stands_for[static_cast<size_t>(before)];
      }
    }
  }
  return flatten(merged);
}

}  // namespace tilewright
