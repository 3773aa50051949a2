#include "core/graph/shrink_graph.h"

#include <algorithm>
#include <functional>

#include "core/base/error.h"
#include "core/graph/infer_shape.h"
#include "core/graph/op_axes.h"
#include "core/graph/strided.h"

namespace tilewright {

namespace {

/// How a window lies in a dimension of the array that it is a part of.
enum class WindowExtent { kWhole, kOne, kPart };

WindowExtent window_extent(int64_t window, int64_t whole) {
  return window == whole ? WindowExtent::kWhole
         : window == 1   ? WindowExtent::kOne
                         : WindowExtent::kPart;
}

}  // namespace

GraphShrinker::GraphShrinker(const OpGraph& graph) : graph_(graph) {
  const std::vector<Op>& ops = graph.entry_computation().ops;
  for (const Op& op : ops) axes_.add_array(op.shape.dims);
  for (size_t i = 0; i < ops.size(); ++i) join(static_cast<int32_t>(i));
  for (const Dim& dim : kept_) {
    for (const int axis : axes_.axes_of(dim)) {
      const auto at = static_cast<size_t>(axis);
      if (is_kept_.size() <= at) is_kept_.resize(at + 1, false);
      is_kept_[at] = true;
    }
  }
}

void GraphShrinker::keep_all(int32_t op) {
  const auto rank = graph_.entry_computation().op(op).shape.rank();
  for (int dim = 0; dim < rank; ++dim) keep({op, dim});
}

void GraphShrinker::unify(const std::vector<AxisMap::Match>& matches) {
  for (const AxisMap::Match& match : matches) {
    if (axes_.unify({&match, 1})) continue;
    for (const std::vector<Dim>& side : {match.left, match.right}) {
      for (const Dim& dim : side) keep(dim);
    }
  }
}

/// Ties the dimensions of an op's result to those of its operands.
void GraphShrinker::join(int32_t index) {
  const Computation& entry = graph_.entry_computation();
  const Op& op = entry.op(index);
  const auto operand_dims = [&](size_t operand) { return entry.operand(op, operand).shape.dims; };
  /// A window of an array, dimension by dimension.
  const auto tie_window = [&](int32_t window, int32_t whole,
                              const std::function<bool(size_t)>& is_whole) {
    const std::vector<int64_t>& extents = entry.op(window).shape.dims;
    for (size_t i = 0; i < extents.size(); ++i) {
      const Dim in_window = {window, static_cast<int>(i)};
      const Dim in_whole = {whole, static_cast<int>(i)};
      if (is_whole(i)) {
        tie(in_window, in_whole);
      } else {
        keep(in_window);
        keep(in_whole);
      }
    }
  };
  switch (op.opcode) {
    case HloOpcode::kParameter:
    case HloOpcode::kIota:
    case HloOpcode::kTuple:
      return;
    case HloOpcode::kDot: {
      const auto& dims = op.get<DotDimensions>();
      const auto rank_of = [&](size_t side) { return std::ssize(operand_dims(side)); };
      const auto dim_of = [&](size_t side, int64_t dim) {
        return Dim{op.operands[side], static_cast<int>(dim)};
      };
      int next = 0;
      for (size_t i = 0; i < dims.lhs_batch.size(); ++i) {
        tie(dim_of(0, dims.lhs_batch[i]), {index, next});
        tie(dim_of(1, dims.rhs_batch[i]), {index, next++});
      }
      for (size_t i = 0; i < dims.lhs_contracting.size(); ++i) {
        tie(dim_of(0, dims.lhs_contracting[i]), dim_of(1, dims.rhs_contracting[i]));
      }
      for (const size_t side : {size_t{0}, size_t{1}}) {
        std::vector<int64_t> used = side == 0 ? dims.lhs_batch : dims.rhs_batch;
        const auto& contracted = side == 0 ? dims.lhs_contracting : dims.rhs_contracting;
        used.insert(used.end(), contracted.begin(), contracted.end());
        for (const int64_t dim : all_but(rank_of(side), used)) {
          tie(dim_of(side, dim), {index, next++});
        }
      }
      return;
    }
    case HloOpcode::kSlice: {
      const auto& ranges = op.get<SliceRanges>();
      const std::vector<int64_t> from = operand_dims(0);
      return tie_window(index, op.operands[0], [&](size_t i) {
        return ranges.start[i] == 0 && ranges.limit[i] == from[i] && ranges.stride[i] == 1;
      });
    }
    case HloOpcode::kDynamicSlice:
    case HloOpcode::kDynamicUpdateSlice: {
      const bool is_update = op.opcode == HloOpcode::kDynamicUpdateSlice;
      const int32_t window = is_update ? op.operands[1] : index;
      const int32_t whole = op.operands[0];
      const std::vector<int64_t>& extents = entry.op(window).shape.dims;
      for (size_t i = 0; i < extents.size(); ++i) {
        const Dim in_window = {window, static_cast<int>(i)};
        const Dim in_whole = {whole, static_cast<int>(i)};
        if (is_update) tie(in_whole, {index, static_cast<int>(i)});
        switch (window_extent(extents[i], entry.op(whole).shape.dims[i])) {
          case WindowExtent::kWhole:
            tie(in_window, in_whole);
            break;
          case WindowExtent::kOne:
            break;
          case WindowExtent::kPart:
            keep(in_window);
            keep(in_whole);
        }
      }
      return;
    }
    case HloOpcode::kConcatenate: {
      const auto along = static_cast<size_t>(op.get<Dimensions>().dims[0]);
      for (const int32_t operand : op.operands) {
        tie_window(operand, index, [&](size_t i) { return i != along; });
      }
      return;
    }
    case HloOpcode::kPad: {
      const auto& padding = op.get<Padding>();
      return tie_window(op.operands[0], index, [&](size_t i) {
        return padding.low[i] == 0 && padding.high[i] == 0 && padding.interior[i] == 0;
      });
    }
    case HloOpcode::kReverse:
      return tie_window(op.operands[0], index, [](size_t) { return true; });
    case HloOpcode::kGather: {
      const auto& dims = op.get<GatherDimensions>();
      const std::vector<int64_t> from = operand_dims(0);
      size_t next = 0;
      for (size_t i = 0; i < from.size(); ++i) {
        const Dim in_table = {op.operands[0], static_cast<int>(i)};
        const auto dim = static_cast<int64_t>(i);
        const auto is_in = [dim](const std::vector<int64_t>& list) {
          return std::ranges::find(list, dim) != list.end();
        };
        if (is_in(dims.operand_batching_dims)) {
          keep(in_table);
          keep_all(index);
        } else if (!is_in(dims.collapsed_slice_dims)) {
          const Dim in_result = {index, static_cast<int>(dims.offset_dims[next++])};
          if (dims.slice_sizes[i] == from[i]) {
            tie(in_table, in_result);
          } else {
            keep(in_table);
            keep(in_result);
          }
        }
      }
      if (dims.index_vector_dim < std::ssize(operand_dims(1))) {
        keep({op.operands[1], static_cast<int>(dims.index_vector_dim)});
      }
      break;
    }
    case HloOpcode::kConstant:
      return keep_all(index);
    default:
      break;
  }
  for (size_t i = 0; i < op.operands.size(); ++i) {
    if (op.opcode == HloOpcode::kGather && i == 0) continue;
    if (op.opcode == HloOpcode::kReduce && i > 0) continue;
    const auto matches = axis_matches(entry, op, i, op.operands[i], index);
    if (matches) {
      unify(*matches);
    } else {
      keep_all(op.operands[i]);
      keep_all(index);
    }
  }
}

std::vector<int64_t> GraphShrinker::extents() const {
  std::vector<int64_t> extents;
  for (int array = 0; array < axes_.array_count(); ++array) {
    for (const int axis : axes_.axes_of(array)) {
      const auto at = static_cast<size_t>(axis);
      if (at < is_kept_.size() && is_kept_[at]) continue;
      extents.push_back(axes_.extent(axis));
    }
  }
  std::ranges::sort(extents, std::greater<>());
  extents.erase(std::unique(extents.begin(), extents.end()), extents.end());
  return extents;
}

int64_t GraphShrinker::extent_of(Dim dim, const Extents& extents) const {
  int64_t product = 1;
  for (const int axis : axes_.axes_of(dim)) {
    const auto at = static_cast<size_t>(axis);
    const int64_t old = axes_.extent(axis);
    const bool stays = at < is_kept_.size() && is_kept_[at];
    const auto found = std::ranges::find(extents, old, &Extents::value_type::first);
    product *= stays || found == extents.end() ? old : found->second;
  }
  return product;
}

std::optional<OpGraph> GraphShrinker::shrunk(const Extents& extents) const {
  OpGraph graph = graph_;
  Computation& entry = graph.computations[static_cast<size_t>(graph.entry)];
  const std::vector<Op>& before = graph_.entry_computation().ops;
  for (size_t index = 0; index < entry.ops.size(); ++index) {
    Op& op = entry.ops[index];
    if (op.shape.is_tuple()) {
      for (size_t i = 0; i < op.operands.size(); ++i) {
        op.shape.parts[i].dims = entry.op(op.operands[i]).shape.dims;
      }
      continue;
    }
    std::vector<int64_t>& dims = op.shape.dims;
    for (size_t i = 0; i < dims.size(); ++i) {
      dims[i] = extent_of({static_cast<int>(index), static_cast<int>(i)}, extents);
    }
    // Numbers of the attributes that meant a whole dimension mean the new one.
    const auto follow = [&](std::vector<int64_t>& sizes) {
      const int32_t from = op.operands[0];
      const std::vector<int64_t>& old = before[static_cast<size_t>(from)].shape.dims;
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] == old[i]) sizes[i] = entry.op(from).shape.dims[i];
      }
    };
    if (auto* ranges = std::get_if<SliceRanges>(&op.attributes)) follow(ranges->limit);
    if (auto* sizes = std::get_if<SliceSizes>(&op.attributes)) follow(sizes->sizes);
    if (auto* gather = std::get_if<GatherDimensions>(&op.attributes)) follow(gather->slice_sizes);
  }
  try {
    check_shapes(graph);
  } catch (const Error&) {
    return std::nullopt;
  }
  return graph;
}

}  // namespace tilewright
