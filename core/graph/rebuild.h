#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/graph/op_graph.h"

namespace tilewright {

/// Writes the ops of a computation anew, one after the other, with others between them.
class Rebuild {
 public:
  explicit Rebuild(Computation& computation) : computation_(computation) {
    for (const Op& op : computation.ops) names_.insert(op.name);
  }

  /// Calls `take` for every op, its operands by their new numbers; it pushes the op, or what stands
  /// for it, and returns the number of that.
  template <typename Take>
  void run(Take take) {
    for (const Op& op : computation_.ops) {
      Op own = op;
      for (int32_t& operand : own.operands) operand = place(operand);
      for (int32_t& before : own.control_predecessors) before = place(before);
      places_.push_back(take(std::move(own)));
    }
    for (int32_t& parameter : computation_.parameters) parameter = place(parameter);
    computation_.root = place(computation_.root);
    computation_.ops = std::move(ops_);
  }

  int32_t push(Op op) {
    ops_.push_back(std::move(op));
    return static_cast<int32_t>(ops_.size()) - 1;
  }
  /// A reshape of what was pushed, named after it.
  int32_t push_reshape(int32_t from, const std::string& suffix, std::vector<int64_t> dims) {
    Op op;
    op.name = unique_name(made(from).name + suffix);
    op.opcode = HloOpcode::kReshape;
    op.shape = array_shape(made(from).shape.type, std::move(dims));
    op.operands = {from};
    op.line = made(from).line;
    return push(std::move(op));
  }
  Op& made(int32_t op) { return ops_[static_cast<size_t>(op)]; }

  std::string unique_name(const std::string& stem) {
    std::string name = stem;
    for (int number = 1; !names_.insert(name).second; ++number) {
      name = stem + "." + std::to_string(number);
    }
    return name;
  }

 private:
  int32_t place(int32_t op) const { return places_[static_cast<size_t>(op)]; }

  Computation& computation_;
  std::vector<Op> ops_;
  std::vector<int32_t> places_;  // by op of the computation: its new number
  std::set<std::string> names_;
};

}  // namespace tilewright
