#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/machine/machine.h"
#include "simulator/expr.h"
#include "simulator/isa.h"

namespace tilewright {

/// A matrix in GM. Its L2 sectors are rectangles of sector_rows x sector_cols elements: kernels
/// choose them to match their own loads, so that a sector is either in L2 or not.
struct Tensor {
  std::string name;
  DType type = DType::kF16;
  Layout layout =
      Layout::kNd;  ///< kNd, or kZn for the NZ format (rows, cols multiples of a fractal)
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t sector_rows = 0;
  int64_t sector_cols = 0;
  /// In L2 when the launch begins, as a launch before it would have left it that walked all warm
  /// tensors in step, each in `warm_parts` equal parts side by side, from begin to end: what does
  /// not fit has been evicted, oldest first.
  bool warm = false;
  bool workspace = false;  ///< holds nothing before the launch writes it
  int64_t warm_parts = 1;
  bool dirty = false;  ///< of a warm tensor: written by that launch, so eviction writes to HBM

  int64_t bytes() const { return rows * cols * bytes_of(type); }
};

/// A rectangle of elements: of a tensor at (row, col) when space is GM, at byte `offset` of an
/// on-chip buffer otherwise.
struct Tile {
  Memory space = Memory::kGm;
  int tensor = -1;
  Expr row = 0;
  Expr col = 0;
  Expr offset = 0;
  Expr rows = 0;  ///< real rows; on-chip layouts are padded to whole fractals
  Expr cols = 0;
  /// On-chip tiles that are part of a larger one: elements from row to row (kNd) or rows from
  /// fractal column to fractal column (kZn). 0: the tile stands alone.
  int64_t stride = 0;
  DType type = DType::kF16;
  Layout layout = Layout::kNd;
  bool used() const { return tensor >= 0 || space != Memory::kGm; }
};

/// In which iterations of the body a flag is waited for or set. Outside the body: always.
enum class When : uint8_t { kAlways, kFirst, kLast };

/// Use of a flag by an instruction: before it starts (waits) or when it has ended (sets).
struct FlagUse {
  int flag = -1;
  When when = When::kAlways;
};

/// Whether an mmad adds to what is in L0C.
enum class Accumulate : uint8_t { kNever, kAlways, kUnlessFirst };

/// One tile operation with symbolic operands. Waits and sets are fields, not instructions.
struct Instruction {
  static constexpr int kMaxFlags = 4;

  Opcode opcode = Opcode::kLoad;
  VectorOp vector_op = VectorOp::kCopy;
  Accumulate accumulate = Accumulate::kAlways;
  bool transpose = false;  ///< kMove: the tile in L0 is the transpose of the one in L1
  bool relu = false;       ///< kFixpipe: negative sums, scaled, become 0
  double scalar = 0;       ///< of kAdds, kMuls, kDup
  Expr scalar_expr = 0;    ///< of kMask: columns visible to row 0, were it its position's first
  Expr row_expr = 0;       ///< of kMask: rows of the first position that stand before row 0
  int64_t divisor = 1;     ///< of kMask: rows that share one position
  Tile dst;
  Tile a;  ///< the source; left operand of mmad and of vector operations
  /// Right operand; vector: 1 row or 1 column broadcasts. kFixpipe, optional: scales of the columns
  /// in FB, a row of two f32 for each, of which the first is the scale (the hardware's 64-bit
  /// word).
  Tile b;
  /// kMmad, optional: in BT, a row of one f32 or i32 for each column, from which sums start where
  /// the product does not accumulate.
  Tile bias;
  std::array<FlagUse, kMaxFlags> waits{};
  std::array<FlagUse, kMaxFlags> sets{};

  Pipe pipe() const { return pipe_of(opcode); }
};

/// Who shares a flag.
enum class FlagScope : uint8_t {
  kCore,    ///< pipes of one core; each core has its own copy
  kGroup,   ///< an AIC and its AIVs; each group has its own copy
  kLaunch,  ///< all cores: a barrier
};

/// What waiting for a flag means.
enum class FlagMeaning : uint8_t {
  kData,   ///< the producer's bytes are there
  kSpace,  ///< a buffer slot has been released
};

/// A counting flag. The k-th wait passes when the k-th set has happened (by all `producers`: cores
/// of the group or launch that set it); every core that waits has its own count. `initial` sets are
/// there from the start (free slots of a ring of buffers).
struct Flag {
  std::string name;
  FlagScope scope = FlagScope::kCore;
  FlagMeaning meaning = FlagMeaning::kData;
  Memory space = Memory::kGm;  ///< the buffer that the flag speaks of
  int initial = 0;
  int producers = 1;
};

/// A short sequence of instructions: prologue, body x count, epilogue. The order of the
/// instructions is the program order of the core; it must be a legal serial order (a set stands
/// before the wait it serves), which the functional run and the hazard checker follow.
struct Template {
  std::string name;
  CoreKind kind = CoreKind::kAic;
  int bindings = 0;  ///< number of binding values that a task gives
  Expr count = 0;    ///< iterations of the body, >= 0; must not depend on the index
  std::vector<Instruction> prologue;
  std::vector<Instruction> body;
  std::vector<Instruction> epilogue;
};

/// What one core runs: tasks in order, each a template with its bindings.
struct CoreProgram {
  struct Task {
    int32_t template_id = 0;
    int32_t first_binding = 0;  ///< into `bindings`
  };
  CoreKind kind = CoreKind::kAic;
  int group = 0;  ///< the AIC's number; an AIV belongs to the group of its AIC
  std::vector<Task> tasks;
  std::vector<int64_t> bindings;

  void add(int template_id, std::span<const int64_t> values);
  void add(int template_id, std::initializer_list<int64_t> values);
};

/// What all cores run for one op. Three readers act on it: the functional run, the timing and the
/// hazard checker.
struct Launch {
  std::string name;
  std::vector<Tensor> tensors;
  std::vector<std::vector<int64_t>> tables;
  std::vector<Flag> flags;
  std::vector<Template> templates;
  std::vector<CoreProgram> cores;
  double flops = 0;  ///< operations of the problem itself, without padding

  int add_tensor(Tensor tensor);
  int add_flag(Flag flag);
  int add_table(std::vector<int64_t> table);
  int add_template(Template body);

  /// Instructions of all cores or of one, every iteration counted.
  int64_t instruction_count() const;
  int64_t instruction_count(const CoreProgram& core) const;
};

/// Values of a core's task for the bindings of its template. The launch must outlive them.
std::span<const int64_t> bindings_of(const Launch& launch, const CoreProgram& core, size_t task);

/// Throws Error (failed), naming template and instruction, when the launch is malformed: unknown
/// tensors, flags, tables or bindings, an operand in a space that its opcode cannot reach, more
/// cores than the machine has. Every reader calls it first.
void validate(const Launch& launch, const Machine& machine);

/// "template[section i] opcode": how messages name an instruction.
std::string describe(const Launch& launch, int template_id, int section, int position);

/// Capacity of an on-chip buffer of a core; 0 for GM.
int64_t capacity_of(const Machine& machine, Memory space);

/// Hash of everything in the launch; equal launches behave equally on equal machines.
uint64_t hash_of(const Launch& launch);

}  // namespace tilewright
