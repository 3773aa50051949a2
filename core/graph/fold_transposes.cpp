#include "core/graph/fold_transposes.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/graph/flatten.h"
#include "core/graph/op_axes.h"
#include "core/graph/rebuild.h"

namespace tilewright {

namespace {

bool has(const std::vector<int64_t>& list, int64_t value) {
  return std::ranges::find(list, value) != list.end();
}

/// The dimensions that are neither in one list nor in the other, in order.
std::vector<int64_t> kept_dims(int64_t rank, const std::vector<int64_t>& batch,
                               const std::vector<int64_t>& contracting) {
  std::vector<int64_t> kept;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (!has(batch, dim) && !has(contracting, dim)) kept.push_back(dim);
  }
  return kept;
}

/// Whether a dot's result lists the kept dimensions of an operand in the order that they have
/// before its transpose. Those of extent 1 have no place in an order.
bool keeps_order(const std::vector<int64_t>& batch, const std::vector<int64_t>& contracting,
                 const Op& transpose) {
  const std::vector<int64_t>& source = transpose.get<Dimensions>().dims;
  int64_t last = -1;
  for (const int64_t dim : kept_dims(std::ssize(source), batch, contracting)) {
    if (transpose.shape.dims[static_cast<size_t>(dim)] == 1) continue;
    const int64_t from = source[static_cast<size_t>(dim)];
    if (from < last) return false;
    last = from;
  }
  return true;
}

/// Names the dimensions of a dot's operand before its transpose; false, with nothing changed, where
/// the dot's result would list its kept dimensions in another order.
bool rename(std::vector<int64_t>& batch, std::vector<int64_t>& contracting, const Op& transpose) {
  if (!keeps_order(batch, contracting, transpose)) return false;
  for (std::vector<int64_t>* dims : {&batch, &contracting}) {
    for (int64_t& dim : *dims) dim = transpose.get<Dimensions>().dims[static_cast<size_t>(dim)];
  }
  return true;
}

/// The place of the innermost dimension with more than one element; -1: none has.
int64_t innermost(const std::vector<int64_t>& dims) {
  int64_t at = std::ssize(dims) - 1;
  while (at >= 0 && dims[static_cast<size_t>(at)] == 1) --at;
  return at;
}

bool is_free(const Op& op, HloOpcode opcode) {
  return op.opcode == opcode && op.control_predecessors.empty();
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

/// Has a dot contract the dimensions that a reshape between a transpose and it makes one of.
void split_contraction(Rebuild& rebuild, Op& dot, size_t side) {
  const Op& reshape = rebuild.made(dot.operands[side]);
  if (!is_free(reshape, HloOpcode::kReshape)) return;
  const int32_t from = reshape.operands[0];
  const Op& transpose = rebuild.made(from);
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
  const Op& other = rebuild.made(dot.operands[1 - side]);
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
  if (!keeps_order(own_batch, own_contracting, transpose)) return;
  contracting = own_contracting;
  batch = own_batch;
  others = parts_of(others, other_parts);
  other_batch = parts_of(other_batch, other_parts);
  dot.operands[side] = from;
  dot.operands[1 - side] =
      rebuild.push_reshape(dot.operands[1 - side], "_split", std::move(extents));
  dot.attributes = std::move(dims);
}

/// Has a dot read arrays from before their transposes.
void read_untransposed(Rebuild& rebuild, Op& dot) {
  auto& dims = std::get<DotDimensions>(dot.attributes);
  for (const size_t side : {size_t{0}, size_t{1}}) {
    // A chain of transposes folds link by link.
    while (true) {
      const Op& operand = rebuild.made(dot.operands[side]);
      if (!is_free(operand, HloOpcode::kTranspose)) break;
      const bool renamed = side == 0 ? rename(dims.lhs_batch, dims.lhs_contracting, operand)
                                     : rename(dims.rhs_batch, dims.rhs_contracting, operand);
      if (!renamed) break;
      dot.operands[side] = operand.operands[0];
    }
  }
}

/// The dims of a dot's result: batch, what is kept of the left operand, and of the right one.
std::vector<int64_t> dot_dims(Rebuild& rebuild, const Op& dot) {
  const auto& dims = dot.get<DotDimensions>();
  const std::vector<int64_t>& lhs = rebuild.made(dot.operands[0]).shape.dims;
  const std::vector<int64_t>& rhs = rebuild.made(dot.operands[1]).shape.dims;
  std::vector<int64_t> result;
  for (const int64_t dim : dims.lhs_batch) result.push_back(lhs[static_cast<size_t>(dim)]);
  for (const int64_t dim : kept_dims(std::ssize(lhs), dims.lhs_batch, dims.lhs_contracting)) {
    result.push_back(lhs[static_cast<size_t>(dim)]);
  }
  for (const int64_t dim : kept_dims(std::ssize(rhs), dims.rhs_batch, dims.rhs_contracting)) {
    result.push_back(rhs[static_cast<size_t>(dim)]);
  }
  return result;
}

/// Pushes a dot that reads arrays from before their transposes.
int32_t take_dot(Rebuild& rebuild, Op dot) {
  for (const size_t side : {size_t{0}, size_t{1}}) split_contraction(rebuild, dot, side);
  read_untransposed(rebuild, dot);
  std::vector<int64_t> dims = dot_dims(rebuild, dot);
  if (dims == dot.shape.dims) return rebuild.push(std::move(dot));
  // Dimensions of extent 1 have moved.
  std::swap(dims, dot.shape.dims);
  const int32_t place = rebuild.push(std::move(dot));
  return rebuild.push_reshape(place, "_dims", std::move(dims));
}

/// A dot whose one reader is this transpose exchanges its operands where that leaves the innermost
/// dimension in its place.
void exchange_operands(Rebuild& rebuild, Op& transpose) {
  Op& dot = rebuild.made(transpose.operands[0]);
  auto& dims = std::get<DotDimensions>(dot.attributes);
  const int64_t batch = std::ssize(dims.lhs_batch);
  const int64_t left =
      std::ssize(rebuild.made(dot.operands[0]).shape.dims) - batch - std::ssize(dims.lhs_contracting);
  const int64_t right = std::ssize(dot.shape.dims) - batch - left;
  auto& source = std::get<Dimensions>(transpose.attributes).dims;
  const int64_t inner = innermost(transpose.shape.dims);
  if (inner < 0) return;
  const int64_t from = source[static_cast<size_t>(inner)];
  const std::vector<int64_t> kept(dot.shape.dims.begin(), dot.shape.dims.begin() + batch + left);
  if (from < batch || from >= batch + left || from != innermost(kept)) return;
  if (from == innermost(dot.shape.dims)) return;
  std::swap(dot.operands[0], dot.operands[1]);
  std::swap(dims.lhs_batch, dims.rhs_batch);
  std::swap(dims.lhs_contracting, dims.rhs_contracting);
  std::rotate(dot.shape.dims.begin() + batch, dot.shape.dims.begin() + batch + left,
              dot.shape.dims.end());
  for (int64_t& dim : source) {
    if (dim >= batch) dim += dim < batch + left ? right : -left;
  }
}

/// By op whether exactly one op reads it, once, and it is not the result.
std::vector<bool> read_once(const Computation& computation) {
  std::vector<int> readers(computation.ops.size(), 0);
  for (const Op& op : computation.ops) {
    for (const int32_t operand : op.operands) ++readers[static_cast<size_t>(operand)];
  }
  readers[static_cast<size_t>(computation.root)] += 2;
  std::vector<bool> once;
  for (const int count : readers) once.push_back(count == 1);
  return once;
}

void exchange_dots(Computation& computation) {
  const std::vector<bool> is_read_once = read_once(computation);
  Rebuild rebuild(computation);
  rebuild.run([&](Op op) {  // every op keeps its number
    if (is_free(op, HloOpcode::kTranspose) &&
        is_read_once[static_cast<size_t>(op.operands[0])] &&
        is_free(rebuild.made(op.operands[0]), HloOpcode::kDot)) {
      exchange_operands(rebuild, op);
    }
    return rebuild.push(std::move(op));
  });
}

/// Transposes that move dimensions of extent 1 alone are reshapes.
void reshape_where_nothing_moves(Computation& computation) {
  for (Op& op : computation.ops) {
    if (op.opcode != HloOpcode::kTranspose || !keeps_order({}, {}, op)) continue;
    op.opcode = HloOpcode::kReshape;
    op.attributes = {};
  }
}

}  // namespace

OpGraph fold_transposes(const OpGraph& graph) {
  OpGraph folded = graph;
  for (Computation& computation : folded.computations) {
    exchange_dots(computation);
    Rebuild rebuild(computation);
    rebuild.run([&](Op op) {
      const bool is_dot = op.opcode == HloOpcode::kDot;
      return is_dot ? take_dot(rebuild, std::move(op)) : rebuild.push(std::move(op));
    });
    reshape_where_nothing_moves(computation);
  }
  return flatten(folded);
}

}  // namespace tilewright
