#include <gtest/gtest.h>

#include "simulator/cost.h"
#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

// 16 groups of banks, rows of 32 B, three banks of 64 KiB across all groups; repeats of 256 B.
Machine machine_with_banks() {
  Machine machine = toy_machine();
  machine.vector.bank_conflict_cycles = 1;
  return machine;
}

Tile f32_tile(int64_t rows, int64_t cols) {
  return {.space = Memory::kUb, .rows = rows, .cols = cols, .type = DType::kF32};
}

/// Cycles that a (4 x 256 f32: 4 repeats a row) = a op b loses at these places.
int64_t lost_in_place(int64_t b_rows, int64_t b_cols, int64_t a, int64_t b) {
  Instruction multiply;
  multiply.opcode = Opcode::kVector;
  multiply.vector_op = VectorOp::kMul;
  multiply.dst = multiply.a = f32_tile(4, 256);
  multiply.b = f32_tile(b_rows, b_cols);
  const OperandSizes sizes{4, 256, b_rows, b_cols, 4, 256};
  return cycles(bank_conflict_cost(machine_with_banks(), multiply, sizes, {a, b, a}));
}

TEST(BankConflicts, AnOperandInPlaceMeetsTheOtherOnceARepeat) {
  // b meets a's read and, in the same bank, a's write.
  EXPECT_EQ(lost_in_place(4, 256, 0, 4096), 2 * 16);
  EXPECT_EQ(lost_in_place(4, 256, 0, 65536), 16);  // another bank of the same groups
  EXPECT_EQ(lost_in_place(4, 256, 0, 4096 + 256), 0);
}

TEST(BankConflicts, ARowIsReadForEveryRepeat) {
  EXPECT_EQ(lost_in_place(1, 256, 0, 65536), 16);
}

TEST(BankConflicts, AColumnIsReadOnceARow) {
  EXPECT_EQ(lost_in_place(4, 1, 0, 65536), 4);
  EXPECT_EQ(lost_in_place(4, 1, 0, 65536 + 224), 4);  // the last of the eight groups of a
  EXPECT_EQ(lost_in_place(4, 1, 0, 65536 + 256), 0);
  EXPECT_EQ(lost_in_place(4, 1, 0, 65536 + 480), 0);  // one bank row: it does not reach round to a
}

TEST(BankConflicts, AnOperandReadTwiceMeetsTheWriteOnce) {
  Instruction square;
  square.opcode = Opcode::kVector;
  square.vector_op = VectorOp::kMul;
  square.dst = square.a = square.b = f32_tile(4, 256);
  const OperandSizes sizes{4, 256, 4, 256, 4, 256};
  EXPECT_EQ(cycles(bank_conflict_cost(machine_with_banks(), square, sizes, {4096, 4096, 0})), 16);
}

TEST(BankConflicts, NarrowRowsTouchOnlyTheirBytes) {
  // Rows of 128 B cover four groups: 128 B apart they do not meet, where b is one row for all.
  Instruction multiply;
  multiply.opcode = Opcode::kVector;
  multiply.vector_op = VectorOp::kMul;
  multiply.dst = multiply.a = f32_tile(4, 32);
  multiply.b = f32_tile(1, 32);
  const OperandSizes sizes{4, 32, 1, 32, 4, 32};
  const auto lost = [&](int64_t b) {
    return cycles(bank_conflict_cost(machine_with_banks(), multiply, sizes, {0, b, 0}));
  };
  EXPECT_EQ(lost(65536 + 96), 4);
  EXPECT_EQ(lost(65536 + 128), 0);
}

TEST(BankConflicts, ShortColumnsBesideEachOtherDoNotMeet) {
  // 16 rows of f32 are 64 B: two bank rows.
  Instruction add;
  add.opcode = Opcode::kVector;
  add.vector_op = VectorOp::kAdd;
  add.dst = add.a = add.b = f32_tile(16, 1);
  const OperandSizes sizes{16, 1, 16, 1, 16, 1};
  const auto lost = [&](int64_t b) {
    return cycles(bank_conflict_cost(machine_with_banks(), add, sizes, {0, b, 0}));
  };
  EXPECT_EQ(lost(32), 2);  // the read and the write of a
  EXPECT_EQ(lost(64), 0);
}

}  // namespace
}  // namespace tilewright
