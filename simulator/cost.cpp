#include "simulator/cost.h"

#include <algorithm>
#include <bit>

#include "core/base/integers.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

LocalCost move_cost(const Machine& machine, const Instruction& instruction,
                    const OperandSizes& sizes) {
  const int64_t width = bytes_of(instruction.dst.type);
  if (instruction.dst.space == Memory::kBt || instruction.dst.space == Memory::kFb) {
    const auto bytes = static_cast<double>(sizes.dst_rows * sizes.dst_cols * width);
    return {to_ticks(machine.mte1.fixed_cycles + bytes / machine.mte1.l0b_bytes_per_cycle), 0, 0};
  }
  // Whole fractals move: 16 rows of 32 bytes.
  const int64_t c0 = machine.cube.fractal_k_bytes / width;
  const int64_t rows = ceil_div(sizes.dst_rows, machine.cube.fractal_m) * machine.cube.fractal_m;
  const int64_t cols = ceil_div(sizes.dst_cols, c0) * c0;
  const double rate = instruction.dst.space == Memory::kL0A ? machine.mte1.l0a_bytes_per_cycle
                                                            : machine.mte1.l0b_bytes_per_cycle;
  const double bytes = static_cast<double>(rows * cols * width);
  return {to_ticks(machine.mte1.fixed_cycles + bytes / rate), 0, 0};
}

LocalCost mmad_cost(const Machine& machine, const Instruction& instruction,
                    const OperandSizes& sizes) {
  const int64_t width = bytes_of(instruction.a.type);
  const int64_t steps = ceil_div(sizes.a_rows, machine.cube.fractal_m) *
                        ceil_div(sizes.a_cols * width, machine.cube.fractal_k_bytes) *
                        ceil_div(sizes.b_cols, machine.cube.fractal_n);
  const double slow = instruction.a.type == DType::kF32 ? machine.cube.f32_factor : 1.0;
  return {to_ticks(static_cast<double>(steps) * machine.cube.cycles_per_fractal * slow),
          to_ticks(machine.cube.head_cycles), 0};
}

LocalCost fixpipe_cost(const Machine& machine, const Instruction& instruction,
                       const OperandSizes& sizes) {
  const double row =
      drain_row_cycles(machine, sizes.dst_cols, sizes.dst_cols * bytes_of(instruction.dst.type));
  return {to_ticks(machine.fixpipe.head_cycles + row * static_cast<double>(sizes.dst_rows)), 0, 0};
}

bool is_row_operation(const Instruction& instruction, const OperandSizes& sizes) {
  const VectorOp op = instruction.vector_op;
  if (op == VectorOp::kRowSum || op == VectorOp::kRowMax || op == VectorOp::kRowArgMax) return true;
  if (op == VectorOp::kMask || op == VectorOp::kSort || op == VectorOp::kMerge) return true;
  if (op == VectorOp::kGather) return false;
  if (reduces_blocks(op)) return true;
  return instruction.b.used() && (sizes.b_rows != sizes.dst_rows || sizes.b_cols != sizes.dst_cols);
}

/// Bytes of the wider of operand and result: it decides how many elements a repeat handles.
int64_t vector_width(const Instruction& instruction) {
  int64_t width = bytes_of(instruction.dst.type);
  if (instruction.a.used()) width = std::max<int64_t>(width, bytes_of(instruction.a.type));
  return width;
}

/// Repeats of a vector instruction. Element-wise work runs over rows without a break; what treats
/// rows apart starts a repeat each.
int64_t repeats_of(const Machine& machine, const Instruction& instruction,
                   const OperandSizes& sizes) {
  // What is gathered from decides nothing: each lane of the result fetches one element.
  const bool reduces = sizes.a_cols > sizes.dst_cols && instruction.vector_op != VectorOp::kGather;
  const int64_t rows = reduces ? sizes.a_rows : sizes.dst_rows;
  const int64_t bytes = (reduces ? sizes.a_cols : sizes.dst_cols) * vector_width(instruction);
  return is_row_operation(instruction, sizes) ? rows * ceil_div(bytes, machine.vector.repeat_bytes)
                                              : ceil_div(rows * bytes, machine.vector.repeat_bytes);
}

LocalCost vector_cost(const Machine& machine, const Instruction& instruction,
                      const OperandSizes& sizes) {
  const VectorCost& cost =
      machine.vector.cost_of(instruction.vector_op, vector_width(instruction) <= 2);
  const int64_t repeats = repeats_of(machine, instruction, sizes);
  return {to_ticks(cost.slope * static_cast<double>(repeats)), to_ticks(cost.head),
          to_ticks(cost.tail)};
}

/// An operand in UB, whose rows of bank_row_bytes go round the groups; the banks of a group follow
/// each other in the address. A touch covers no more than the operand, or than its row in work that
/// treats rows apart; a column beside a wider operand is touched once a row, not once a repeat.
struct BankUse {
  int64_t place = -1;     ///< its first byte; -1: there is none
  int64_t bank_rows = 0;  ///< that a touch covers
  int64_t touches = 0;
};

/// Touches at which two operands meet in a group.
int64_t conflicts_of(const Machine& machine, const BankUse& x, const BankUse& y) {
  const int64_t groups = machine.vector.bank_groups;
  const auto group = [&](const BankUse& use) {
    return use.place / machine.vector.bank_row_bytes % groups;
  };
  const int64_t from_x = (group(y) - group(x) + groups) % groups;
  const int64_t from_y = (groups - from_x) % groups;
  const bool meet = from_x < x.bank_rows || from_y < y.bank_rows;
  return meet ? std::min(x.touches, y.touches) : 0;
}

bool share_banks(const Machine& machine, const BankUse& x, const BankUse& y) {
  const int64_t span = machine.vector.bank_groups * machine.vector.bank_bytes;
  return x.place / span == y.place / span;
}

}  // namespace

double drain_row_cycles(const Machine& machine, int64_t cols, int64_t bytes) {
  // Measured drain formula: each row costs its bytes, at least row_cycles, and more when the number
  // of 8-column groups has a large odd part (banks).
  const auto groups = static_cast<uint64_t>(ceil_div(cols, 8));
  const auto odd_part = static_cast<double>(groups >> std::countr_zero(groups));
  return std::max(machine.fixpipe.row_cycles,
                  static_cast<double>(bytes) / machine.fixpipe.bytes_per_cycle) +
         machine.fixpipe.odd_row_cycles * (odd_part - 1);
}

LocalCost local_cost(const Machine& machine, const Instruction& instruction,
                     const OperandSizes& sizes) {
  switch (instruction.opcode) {
    case Opcode::kMove:
      return move_cost(machine, instruction, sizes);
    case Opcode::kMmad:
      return mmad_cost(machine, instruction, sizes);
    case Opcode::kFixpipe:
      return fixpipe_cost(machine, instruction, sizes);
    case Opcode::kVector:
      return vector_cost(machine, instruction, sizes);
    case Opcode::kLoad:
    case Opcode::kStore:
      return {};
  }
  return {};
}

int64_t bank_conflict_cost(const Machine& machine, const Instruction& instruction,
                           const OperandSizes& sizes, const std::array<int64_t, 3>& places) {
  const int64_t repeats = repeats_of(machine, instruction, sizes);
  const int64_t rows = std::max(sizes.a_rows, sizes.dst_rows);
  const int64_t width = std::max(sizes.a_cols, sizes.dst_cols);
  const bool by_rows = is_row_operation(instruction, sizes);
  const auto operand = [&](int64_t place, const Tile& tile, int64_t tile_rows, int64_t cols) {
    const int64_t bytes = (by_rows ? 1 : tile_rows) * cols * bytes_of(tile.type);
    return BankUse{
        place,
        ceil_div(std::min(bytes, machine.vector.repeat_bytes), machine.vector.bank_row_bytes),
        cols == 1 && width > 1 ? rows : repeats};
  };
  const BankUse a = operand(places[0], instruction.a, sizes.a_rows, sizes.a_cols);
  const BankUse b = operand(places[1], instruction.b, sizes.b_rows, sizes.b_cols);
  const BankUse dst = operand(places[2], instruction.dst, sizes.dst_rows, sizes.dst_cols);
  const auto read_and_write = [&](const BankUse& read) -> int64_t {
    // Working in place reads a row before it is written.
    if (read.place < 0 || read.place == dst.place || !share_banks(machine, read, dst)) return 0;
    return conflicts_of(machine, read, dst);
  };
  int64_t conflicts = read_and_write(a);
  if (b.place >= 0 && b.place != a.place) {
    conflicts += read_and_write(b) + (a.place >= 0 ? conflicts_of(machine, a, b) : 0);
  }
  return to_ticks(machine.vector.bank_conflict_cycles * static_cast<double>(conflicts));
}

int64_t launch_ticks_of(const Machine& machine) {
  return to_ticks(machine.launch.launch_us * machine.cores.clock_mhz +
                  machine.launch.dispatch_cycles);
}

int64_t flops_of(const Instruction& instruction, const OperandSizes& sizes) {
  if (instruction.opcode == Opcode::kMmad) return 2 * sizes.a_rows * sizes.a_cols * sizes.b_cols;
  if (instruction.opcode == Opcode::kVector)
    return sizes.dst_rows * std::max(sizes.a_cols, sizes.dst_cols);
  return 0;
}

}  // namespace tilewright
