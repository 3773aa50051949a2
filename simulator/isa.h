#pragma once

#include <cstdint>
#include <string_view>

#include "core/machine/vector_op.h"
#include "core/timeline/lanes.h"

namespace tilewright {

/// The two kinds of core of a split machine.
enum class CoreKind : uint8_t { kAic, kAiv };
std::string_view name_of(CoreKind kind);

/// Order of the elements of a tile. The lower-case letter is the order inside a fractal, the
/// capital the order of the fractals; z is row-major, n column-major. A fractal holds 16 rows of 32
/// bytes, in L0C 16 x 16 sums (kNz in GM is the same as zN).
enum class Layout : uint8_t {
  kNd,  ///< plain row-major
  kZn,  ///< fractals column-major, each row-major: L1, L0C, NZ tensors in GM
  kZz,  ///< fractals row-major, each row-major: L0A
  kNz,  ///< fractals row-major, each column-major: L0B
};
std::string_view name_of(Layout layout);

/// Tile operations. Each runs on one pipe.
enum class Opcode : uint8_t {
  kLoad,     ///< MTE2: GM to L1 or UB, converting ND to zN for L1
  kMove,     ///< MTE1: L1 to L0A (zN to zZ) or to L0B (zN to nZ), perhaps transposing; to BT and FB
  kMmad,     ///< CUBE: L0C (+)= L0A x L0B, or BT + L0A x L0B
  kFixpipe,  ///< FIXP: L0C to GM (zN to ND): scaled by FB, rectified, converted
  kVector,   ///< VEC: one VectorOp on tiles in UB
  kStore,    ///< MTE3: UB to GM
};
std::string_view name_of(Opcode opcode);
Pipe pipe_of(Opcode opcode);

}  // namespace tilewright
