#include "core/graph/fold_transposes.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/graph/flatten.h"
#include "core/graph/op_axes.h"

namespace tilewright {

namespace {

bool has(const std::vector<int64_t>& list, int64_t value) {
  return std::ranges::find(list, value) != list.end();
}

/// Whether a dot's result lists the kept dimensions of an operand in the order that they have
/// before its transpose.
bool keeps_order(const std::vector<int64_t>& batch, const std::vector<int64_t>& contracting,
                 const std::vector<int64_t>& source) {
  int64_t last = -1;
  for (size_t dim = 0; dim < source.size(); ++dim) {
    const auto own = static_cast<int64_t>(dim);
    if (has(batch, own) || has(contracting, own)) continue;
    if (source[dim] < last) return false;
    last = source[dim];
  }
  return true;
}

/// Renames the dimensions of a dot's operand; false, with nothing changed, where the dot's result
/// would list its kept dimensions in another order.
bool rename(std::vector<int64_t>& batch, std::vector<int64_t>& contracting,
            const std::vector<int64_t>& source) {
  if (!keeps_order(batch, contracting, source)) return false;
  for (std::vector<int64_t>* dims : {&batch, &contracting}) {
    for (int64_t& dim : *dims) dim = source[static_cast<size_t>(dim)];
  }
  return true;
}

/// For each dimension of a reshape's result those of its operand that it is made of; none where
/// some other grouping is needed than of neighbours into one.
std::optional<std::vector<std::vector<int64_t>>> merged_dims(const Shape& operand,
                                                             const Shape& result) {
  const auto matches = reshape_matches(operand, result, 0, 1);
  if (!matches) return std::nullopt;
  std::vector<std::vector<int64_t>> parts(result.dims.size());
  for (const AxisMap::Match& match : *matches) {
    if (match.right.size() != 1) return std::nullopt;
    for (const AxisMap::Dim& dim : match.left) {
      parts[static_cast<size_t>(match.right.front().dim)].push_back(dim.dim);
    }
  }
  // Dimensions of extent 1 are in no group.
  size_t known = 0;
  for (const std::vector<int64_t>& part : parts) {
    if (part.empty()) return std::nullopt;
    known += part.size();
  }
  if (known != operand.dims.size()) return std::nullopt;
  return parts;
}

/// The parts of a list's dimensions, one behind the other.
std::vector<int64_t> parts_of(const std::vector<int64_t>& dims,
                              const std::vector<std::vector<int64_t>>& parts) {
  std::vector<int64_t> list;
  for (const int64_t dim : dims) {
    const std::vector<int64_t>& part = parts[static_cast<size_t>(dim)];
    list.insert(list.end(), part.begin(), part.end());
  }
  return list;
}

/// Has dots contract the dimensions that a reshape between a transpose and them makes one of.
class ContractionSplitter {
 public:
  explicit ContractionSplitter(Computation& computation) : computation_(computation) {
    for (const Op& op : computation.ops) names_.insert(op.name);
  }

  void run() {
    for (const Op& op : computation_.ops) {
      Op own = op;
      for (int32_t& operand : own.operands) operand = place(operand);
      for (int32_t& before : own.control_predecessors) before = place(before);
      if (own.opcode == HloOpcode::kDot) {
        for (const size_t side : {size_t{0}, size_t{1}}) split(own, side);
      }
      places_.push_back(static_cast<int32_t>(ops_.size()));
      ops_.push_back(std::move(own));
    }
    for (int32_t& parameter : computation_.parameters) parameter = place(parameter);
    computation_.root = place(computation_.root);
    computation_.ops = std::move(ops_);
  }

 private:
  int32_t place(int32_t op) const { return places_[static_cast<size_t>(op)]; }
  const Op& made(int32_t op) const { return ops_[static_cast<size_t>(op)]; }

  void split(Op& dot, size_t side) {
    const Op& reshape = made(dot.operands[side]);
    if (reshape.opcode != HloOpcode::kReshape || !reshape.control_predecessors.empty()) return;
    const int32_t from = reshape.operands[0];
    const Op& transpose = made(from);
    if (transpose.opcode != HloOpcode::kTranspose) return;
    const auto parts = merged_dims(transpose.shape, reshape.shape);
    if (!parts) return;
    DotDimensions dims = dot.get<DotDimensions>();
    auto& contracting = side == 0 ? dims.lhs_contracting : dims.rhs_contracting;
    auto& batch = side == 0 ? dims.lhs_batch : dims.rhs_batch;
    auto& others = side == 0 ? dims.rhs_contracting : dims.lhs_contracting;
    auto& other_batch = side == 0 ? dims.rhs_batch : dims.lhs_batch;
    for (size_t dim = 0; dim < parts->size(); ++dim) {
      if ((*parts)[dim].size() > 1 && !has(contracting, static_cast<int64_t>(dim))) return;
    }
    // The other operand's dimensions, those that are contracted in as many parts.
    Op other = made(dot.operands[1 - side]);
    if (other.opcode == HloOpcode::kTranspose) return;
    std::vector<std::vector<int64_t>> other_parts;
    std::vector<int64_t> extents;
    for (size_t dim = 0; dim < other.shape.dims.size(); ++dim) {
      const auto at = std::ranges::find(others, static_cast<int64_t>(dim)) - others.begin();
      std::vector<int64_t>& own = other_parts.emplace_back();
      const auto add = [&](int64_t extent) {
        own.push_back(std::ssize(extents));
        extents.push_back(extent);
      };
      if (at == std::ssize(others)) {
        add(other.shape.dims[dim]);
        continue;
      }
      const int64_t contracted = contracting[static_cast<size_t>(at)];
      for (const int64_t part : (*parts)[static_cast<size_t>(contracted)]) {
        add(transpose.shape.dims[static_cast<size_t>(part)]);
      }
    }
    const std::vector<int64_t> own_contracting = parts_of(contracting, *parts);
    const std::vector<int64_t> own_batch = parts_of(batch, *parts);
    if (!keeps_order(own_batch, own_contracting, transpose.get<Dimensions>().dims)) return;
    contracting = own_contracting;
    batch = own_batch;
    others = parts_of(others, other_parts);
    other_batch = parts_of(other_batch, other_parts);
    Op split;
    split.name = unique_name(other.name + "_split");
    split.opcode = HloOpcode::kReshape;
    split.shape = array_shape(other.shape.type, std::move(extents));
    split.operands = {dot.operands[1 - side]};
    split.line = dot.line;
    dot.operands[side] = from;
    dot.operands[1 - side] = static_cast<int32_t>(ops_.size());
    dot.attributes = std::move(dims);
    ops_.push_back(std::move(split));
  }

  std::string unique_name(const std::string& stem) {
    std::string name = stem;
    for (int number = 1; !names_.insert(name).second; ++number) {
      name = stem + "." + std::to_string(number);
    }
    return name;
  }

  Computation& computation_;
  std::vector<Op> ops_;
  std::vector<int32_t> places_;  // by op of the computation: its new number
  std::set<std::string> names_;
};

}  // namespace

OpGraph fold_transposes(const OpGraph& graph) {
  OpGraph folded = graph;
  for (Computation& computation : folded.computations) ContractionSplitter(computation).run();
  for (Computation& computation : folded.computations) {
    for (Op& op : computation.ops) {
      if (op.opcode != HloOpcode::kDot) continue;
      auto& dims = std::get<DotDimensions>(op.attributes);
      for (const size_t side : {size_t{0}, size_t{1}}) {
        // A chain of transposes folds link by link.
        while (true) {
          const Op& operand = computation.operand(op, side);
          if (operand.opcode != HloOpcode::kTranspose || !operand.control_predecessors.empty()) {
            break;
          }
          const std::vector<int64_t>& source = operand.get<Dimensions>().dims;
          const bool renamed = side == 0 ? rename(dims.lhs_batch, dims.lhs_contracting, source)
                                         : rename(dims.rhs_batch, dims.rhs_contracting, source);
          if (!renamed) break;
          op.operands[side] = operand.operands[0];
        }
      }
    }
  }
  return flatten(folded);
}

}  // namespace tilewright
