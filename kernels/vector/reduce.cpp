#include "kernels/vector/reduce.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

int64_t block_of(const Machine& machine, DType type) {
  return machine.buffers.ub_align / bytes_of(type);
}

}  // namespace

int64_t reduce_bytes(const Machine& machine, int64_t rows, int64_t cols, DType type) {
  return UbPlan(machine).tile_bytes(rows, ceil_div(cols, block_of(machine, type)), type);
}

Instruction block_op(VectorOp op, const Tile& to, const Tile& source, const Machine& machine) {
  Instruction reduction = vector_op(op, to, source);
  reduction.divisor = block_of(machine, source.type);
  return reduction;
}

void reduce_rows(std::vector<Instruction>& list, VectorOp op, const Tile& source, int64_t cols,
                 const Tile& column, int64_t scratch, const Machine& machine) {
  const int64_t block = block_of(machine, source.type);
  const int64_t stride = UbPlan(machine).stride(ceil_div(cols, block), source.type);
  const VectorOp by_block = op == VectorOp::kRowSum ? VectorOp::kBlockSum : VectorOp::kBlockMax;
  Tile from = source;
  while (cols * bytes_of(source.type) > std::max(machine.vector.repeat_bytes, block)) {
    cols = ceil_div(cols, block);
    const Tile to = ub_tile(scratch, source.rows, cols, stride, source.type);
    list.push_back(block_op(by_block, to, from, machine));
    from = to;
  }
  list.push_back(vector_op(op, column, from));
}

}  // namespace tilewright
