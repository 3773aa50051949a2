#pragma once

#include <array>
#include <cstdint>

#include "core/machine/machine.h"
#include "simulator/launch.h"

namespace tilewright {

/// Sizes of an instruction's operands once its bindings are known.
struct OperandSizes {
  int64_t a_rows = 0;
  int64_t a_cols = 0;
  int64_t b_rows = 0;
  int64_t b_cols = 0;
  int64_t dst_rows = 0;
  int64_t dst_cols = 0;
};

/// Time of an instruction on its own pipe, in ticks (docs/model.md, "Local costs").
struct LocalCost {
  int64_t busy = 0;      ///< the pipe is occupied
  int64_t head = 0;      ///< more when the pipe was empty
  int64_t tail = 0;      ///< after its end until a waiting instruction may see the result
  int64_t conflict = 0;  ///< the pipe is occupied, too: operands in the same UB banks
};

/// Cost of a move, mmad, fixpipe or vector instruction. A fixpipe also writes to GM: it ends no
/// earlier than its bytes are through the L2 port. Loads and stores cost nothing locally.
LocalCost local_cost(const Machine& machine, const Instruction& instruction,
                     const OperandSizes& sizes);

/// Cycles in which a fixpipe drains a row of L0C, of so many elements and bytes in GM.
double drain_row_cycles(const Machine& machine, int64_t cols, int64_t bytes);

/// Ticks that a vector instruction loses to UB bank conflicts (docs/model.md, "Local costs"). Bytes
/// at which a, b and dst begin in UB; -1 for an operand that is not there.
int64_t bank_conflict_cost(const Machine& machine, const Instruction& instruction,
                           const OperandSizes& sizes, const std::array<int64_t, 3>& places);

/// Ticks from the start of a launch until its cores begin.
int64_t launch_ticks_of(const Machine& machine);

/// Multiply-adds count as two; 0 for what moves bytes.
int64_t flops_of(const Instruction& instruction, const OperandSizes& sizes);

}  // namespace tilewright
