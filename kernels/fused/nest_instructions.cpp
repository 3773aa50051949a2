#include "kernels/fused/nest_instructions.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Calls use(distances of each operand) for every turn of the loops around a piece.
template <typename Use>
void for_each_piece(const PieceShape& shape, size_t operands, Use use) {
  std::vector<int64_t> at(shape.loops.size(), 0);
  std::vector<int64_t> distances(operands, 0);
  while (true) {
    use(distances);
    size_t loop = 0;
    for (; loop < at.size(); ++loop) {
      const PieceShape::Loop& turn = shape.loops[loop];
      if (++at[loop] < turn.extent) {
        for (size_t i = 0; i < operands; ++i) distances[i] += turn.strides[i];
        break;
      }
      for (size_t i = 0; i < operands; ++i) distances[i] -= turn.strides[i] * (turn.extent - 1);
      at[loop] = 0;
    }
    if (loop == at.size()) return;
  }
}

Expr place_of(const PlannedNest& nest, int array) {
  const UbPlace& place = nest.tiles.places[static_cast<size_t>(array)];
  switch (place.ring) {
    case UbPlace::Ring::kIn:
      return Expr::binding(kInPlace) + place.offset;
    case UbPlace::Ring::kOut:
      return Expr::binding(kOutPlace) + place.offset;
    default:
      return place.offset;
  }
}

Tile part_of(const Expr& place, DType type, int64_t distance, int64_t rows, int64_t cols,
             int64_t row_stride) {
  const int64_t stride = rows > 1 && row_stride != cols ? row_stride : 0;
  return ub_tile(place + distance * bytes_of(type), rows, cols, stride, type);
}

std::vector<int64_t> strides_of(const PlannedNest& nest, int array) {
  return strides_on(nest.program, nest.tiles, array);
}

/// Extents of the axes that an array has; 1 elsewhere.
std::vector<int64_t> extents_of(const PlannedNest& nest, int array,
                                const std::vector<int64_t>& extents) {
  std::vector<int64_t> own(extents.size(), 1);
  for (const int axis : nest.program.arrays[static_cast<size_t>(array)].axes) {
    own[static_cast<size_t>(axis)] = extents[static_cast<size_t>(axis)];
  }
  return own;
}

DType type_of(const PlannedNest& nest, int array) {
  return nest.program.arrays[static_cast<size_t>(array)].type;
}

/// The axis of the elements of a table that is gathered from.
int table_axis_of(const PlannedNest& nest, int array) {
  return nest.program.arrays[static_cast<size_t>(array)].axes.back();
}

/// Along the axis whose elements lie side by side: rows to a column.
void add_row_reduction(const PlannedNest& nest, const VecStep& step, size_t axis,
                       const std::vector<int64_t>& extents, const Machine& machine,
                       std::vector<Instruction>& list) {
  const int64_t block = machine.buffers.ub_align / bytes_of(DType::kF32);
  const std::optional<PieceShape> shape =
      pieces_of(extents_of(nest, step.dst, extents),
                {strides_of(nest, step.dst), strides_of(nest, step.a)}, {block, block});
  TW_CHECK(shape.has_value(), "tiles are chosen so that their steps can be divided");
  const UbPlace& scratch = nest.tiles.places[static_cast<size_t>(step.scratch)];
  for_each_piece(*shape, 2, [&](const std::vector<int64_t>& distances) {
    // A result of one column per element of the source's columns: rows of one element each.
    const int64_t rows = shape->rows * shape->cols;
    const int64_t apart = shape->rows > 1 ? shape->row_strides[1] : shape->col_strides[1];
    const int64_t column_stride = shape->rows > 1 ? shape->row_strides[0] : 1;
    const Tile source =
        part_of(place_of(nest, step.a), DType::kF32, distances[1], rows, extents[axis], apart);
    const Tile column =
        part_of(place_of(nest, step.dst), DType::kF32, distances[0], rows, 1, column_stride);
    reduce_rows(list, step.op, source, extents[axis], column, scratch.offset, machine);
  });
}

/// Along another axis: half of its places to the other half, until one is left.
void add_tree(const PlannedNest& nest, const VecStep& step, size_t axis,
              const std::vector<int64_t>& extents, const Machine& machine,
              std::vector<Instruction>& list) {
  const VectorOp op = step.op == VectorOp::kRowSum ? VectorOp::kAdd : VectorOp::kMax;
  const int64_t block = machine.buffers.ub_align / bytes_of(DType::kF32);
  /// An array from some place along the axis on.
  struct Part {
    int array = -1;
    int64_t from = 0;
  };
  const auto combine = [&](Part dst, Part a, std::optional<Part> b, int64_t places) {
    std::vector<int64_t> box = extents_of(nest, step.a, extents);
    box[axis] = places;
    std::vector<Part> parts = {dst, a};
    if (b) parts.push_back(*b);
    std::vector<std::vector<int64_t>> strides;
    for (const Part& part : parts) strides.push_back(strides_of(nest, part.array));
    const std::optional<PieceShape> shape =
        pieces_of(box, strides, std::vector<int64_t>(parts.size(), block));
    TW_CHECK(shape.has_value(), "tiles are chosen so that their steps can be divided");
    for_each_piece(*shape, parts.size(), [&](const std::vector<int64_t>& distances) {
      std::array<Tile, 3> tiles;
      for (size_t i = 0; i < parts.size(); ++i) {
        tiles[i] = part_of(place_of(nest, parts[i].array), DType::kF32,
                           distances[i] + parts[i].from * strides[i][axis], shape->rows,
                           shape->cols, shape->row_strides[i]);
      }
      list.push_back(b ? vector_op(op, tiles[0], tiles[1], tiles[2])
                       : vector_op(VectorOp::kCopy, tiles[0], tiles[1]));
    });
  };
  int source = step.a;
  int64_t left = extents[axis];
  while (left > 2) {
    const int64_t half = left / 2;
    combine({step.scratch, 0}, {source, 0}, Part{source, half}, half);
    if (left % 2 == 1) combine({step.scratch, 0}, {step.scratch, 0}, Part{source, left - 1}, 1);
    source = step.scratch;
    left = half;
  }
  if (left == 2) {
    combine({step.dst, 0}, {source, 0}, Part{source, 1}, 1);
  } else {
    combine({step.dst, 0}, {source, 0}, std::nullopt, 1);
  }
}

void add_reduction(const PlannedNest& nest, const VecStep& step,
                   const std::vector<int64_t>& extents, const Machine& machine,
                   std::vector<Instruction>& list) {
  const std::vector<int>& from = nest.program.arrays[static_cast<size_t>(step.a)].axes;
  const std::vector<int>& to = nest.program.arrays[static_cast<size_t>(step.dst)].axes;
  for (const int axis : from) {
    if (std::ranges::find(to, axis) != to.end()) continue;
    const auto gone = static_cast<size_t>(axis);
    return axis == from.back() ? add_row_reduction(nest, step, gone, extents, machine, list)
                               : add_tree(nest, step, gone, extents, machine, list);
  }
  TW_CHECK(false, "a reduction goes along an axis");
}

}  // namespace

PieceShape transfer_shape(const PlannedNest& nest, const VecTransfer& transfer,
                          const std::vector<int64_t>& tile, int64_t pitch) {
  const auto array = static_cast<size_t>(transfer.array);
  const std::vector<int>& axes = nest.program.arrays[array].axes;
  std::vector<PieceShape::Loop> dims;  // minor to major
  for (size_t i = axes.size(); i-- > 0;) {
    const int64_t extent = tile[static_cast<size_t>(axes[i])];
    if (extent == 1) continue;
    PieceShape::Loop dim{extent, {transfer.strides[i], nest.tiles.strides[array][i]}};
    // Runs go on as long as they stay in a row of the tensor.
    const bool goes_on = !dims.empty() && dim.strides[0] % pitch != 0 &&
                         dims.back().strides[0] * dims.back().extent == dim.strides[0] &&
                         dims.back().strides[1] * dims.back().extent == dim.strides[1];
    if (goes_on) {
      dims.back().extent *= extent;
    } else {
      dims.push_back(std::move(dim));
    }
  }
  PieceShape shape;
  shape.row_strides = {0, 0};
  shape.col_strides = {0, 0};
  const auto take = [&](auto suits) -> std::optional<PieceShape::Loop> {
    const auto found = std::ranges::find_if(dims, suits);
    if (found == dims.end()) return std::nullopt;
    PieceShape::Loop dim = *found;
    dims.erase(found);
    return dim;
  };
  if (const auto cols = take(
          [](const PieceShape::Loop& dim) { return dim.strides[0] == 1 && dim.strides[1] == 1; })) {
    shape.cols = cols->extent;
    shape.col_strides = cols->strides;
  }
  if (const auto rows =
          take([&](const PieceShape::Loop& dim) { return dim.strides[0] == pitch; })) {
    shape.rows = rows->extent;
    shape.row_strides = rows->strides;
  }
  shape.loops = std::move(dims);
  return shape;
}

void add_transfer(const PlannedNest& nest, const VecTransfer& transfer, size_t number,
                  const std::vector<int64_t>& extents, bool is_load, const TensorView& view,
                  std::vector<Instruction>& list) {
  const PieceShape shape = transfer_shape(nest, transfer, extents, view.pitch);
  const DType type = nest.program.arrays[static_cast<size_t>(transfer.array)].type;
  const Expr place = place_of(nest, transfer.array);
  const Expr row = Expr::binding(static_cast<int>(kFirstTransfer + 2 * number));
  const Expr col = Expr::binding(static_cast<int>(kFirstTransfer + 2 * number + 1));
  for_each_piece(shape, 2, [&](const std::vector<int64_t>& distances) {
    const Tile in_memory = gm_tile(view.tensor, row + distances[0] / view.pitch,
                                   col + distances[0] % view.pitch, shape.rows, shape.cols);
    const Tile in_ub =
        part_of(place, type, distances[1], shape.rows, shape.cols, shape.row_strides[1]);
    list.push_back(is_load ? load_tile(in_memory, in_ub) : store_tile(in_ub, in_memory));
  });
}

void add_step(const PlannedNest& nest, const VecStep& step, const std::vector<int64_t>& extents,
              const Machine& machine, std::vector<Instruction>& list) {
  if (step.scratch >= 0) return add_reduction(nest, step, extents, machine, list);
  std::vector<int> operands = {step.dst};
  if (step.a >= 0) operands.push_back(step.a);
  if (step.b >= 0) operands.push_back(step.b);
  std::vector<std::vector<int64_t>> strides;
  std::vector<int64_t> aligned;
  for (const int array : operands) {
    strides.push_back(strides_of(nest, array));
    aligned.push_back(machine.buffers.ub_align / bytes_of(type_of(nest, array)));
  }
  const std::optional<PieceShape> shape =
      pieces_of(extents_of(nest, step.dst, extents), strides, aligned);
  TW_CHECK(shape.has_value(), "tiles are chosen so that their steps can be divided");
  for_each_piece(*shape, operands.size(), [&](const std::vector<int64_t>& distances) {
    Instruction instruction;
    instruction.opcode = Opcode::kVector;
    instruction.vector_op = step.op;
    instruction.scalar = step.scalar;
    for (size_t i = 0; i < operands.size(); ++i) {
      const int64_t rows = shape->row_strides[i] > 0 ? shape->rows : 1;
      const bool is_table = step.op == VectorOp::kGather && i == 1;
      const int64_t cols = is_table ? extents[static_cast<size_t>(table_axis_of(nest, step.a))]
                           : shape->col_strides[i] > 0 ? shape->cols
                                                       : 1;
      const DType type = type_of(nest, i == 1 && step.takes_bits ? step.dst : operands[i]);
      const Tile tile = part_of(place_of(nest, operands[i]), type, distances[i], rows, cols, shape->row_strides[i]);
      (i == 0 ? instruction.dst : i == 1 ? instruction.a : instruction.b) = tile;
    }
    list.push_back(instruction);
  });
}

}  // namespace tilewright
