#include "core/graph/plain_gathers.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace tilewright {

namespace {

bool has_one_index(const Computation& computation, const Op& op) {
  if (op.opcode != HloOpcode::kGather) return false;
  const auto& dims = op.get<GatherDimensions>();
  const Shape& indices = computation.operand(op, 1).shape;
  return dims.operand_batching_dims.empty() && is_integer(indices.type) &&
         !dims.start_index_map.empty() && element_count(op.shape) > 0 &&
         element_count(indices) == std::ssize(dims.start_index_map);
}

/// A computation with other ops, written one behind the other.
class Rewriter {
 public:
  explicit Rewriter(const Computation& computation) : computation_(computation) {
    for (const Op& op : computation.ops) names_.insert(op.name);
  }

  Computation rewrite() {
    Computation result = computation_;
    for (const Op& op : computation_.ops) {
      Op made = op;
      for (int32_t& operand : made.operands) operand = place_of(operand);
      for (int32_t& before : made.control_predecessors) before = place_of(before);
      if (has_one_index(computation_, op)) slice(made);
      places_.push_back(add(std::move(made)));
    }
    result.ops = std::move(ops_);
    for (int32_t& parameter : result.parameters) parameter = place_of(parameter);
    result.root = place_of(result.root);
    return result;
  }

 private:
  int32_t place_of(int32_t op) const { return places_[static_cast<size_t>(op)]; }

  int32_t add(Op op) {
    ops_.push_back(std::move(op));
    return static_cast<int32_t>(ops_.size()) - 1;
  }

  /// An op that stands in the place of a part of `from`.
  int32_t add_part(const Op& from, const char* part, HloOpcode opcode, Shape shape,
                   std::vector<int32_t> operands, Attributes attributes = {}) {
    Op op;
    op.name = from.name + "." + part;
    while (!names_.insert(op.name).second) op.name += "_";
    op.opcode = opcode;
    op.shape = std::move(shape);
    op.operands = std::move(operands);
    op.attributes = std::move(attributes);
    op.line = from.line;
    return add(std::move(op));
  }

  /// Makes a gather the reshape of a dynamic slice.
  void slice(Op& op) {
    const auto dims = op.get<GatherDimensions>();
    const Shape table = ops_[static_cast<size_t>(op.operands[0])].shape;
    const ElementType type = ops_[static_cast<size_t>(op.operands[1])].shape.type;
    const std::ptrdiff_t parts = std::ssize(dims.start_index_map);
    const int32_t flat =
        add_part(op, "index", HloOpcode::kReshape, array_shape(type, {parts}), {op.operands[1]});
    std::vector<int32_t> operands = {op.operands[0]};
    for (int64_t dim = 0; dim < table.rank(); ++dim) {
      const auto found = std::ranges::find(dims.start_index_map, dim);
      if (found == dims.start_index_map.end()) {
        operands.push_back(add_part(op, "zero", HloOpcode::kConstant, array_shape(type), {},
                                    Literal{.integers = {0}}));
        continue;
      }
      const std::ptrdiff_t part = found - dims.start_index_map.begin();
      int32_t start = flat;
      if (parts > 1) {
        start = add_part(op, "part", HloOpcode::kSlice, array_shape(type, {1}), {flat},
                         SliceRanges{{part}, {part + 1}, {1}});
      }
      operands.push_back(add_part(op, "start", HloOpcode::kReshape, array_shape(type), {start}));
    }
    const int32_t window =
        add_part(op, "slice", HloOpcode::kDynamicSlice, array_shape(table.type, dims.slice_sizes),
                 std::move(operands), SliceSizes{dims.slice_sizes});
    op.opcode = HloOpcode::kReshape;
    op.operands = {window};
    op.attributes = std::monostate{};
  }

  const Computation& computation_;
  std::vector<Op> ops_;
  std::vector<int32_t> places_;  // by op of the computation
  std::set<std::string> names_;
};

}  // namespace

OpGraph plain_gathers(const OpGraph& graph) {
  OpGraph plain = graph;
  for (Computation& computation : plain.computations) {
    const auto is_one = [&](const Op& op) { return has_one_index(computation, op); };
    if (std::ranges::any_of(computation.ops, is_one)) {
      Computation rewritten = Rewriter(computation).rewrite();
      computation = std::move(rewritten);
    }
  }
  return plain;
}

}  // namespace tilewright
