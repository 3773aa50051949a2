#pragma once

#include <cstdint>

#include "core/base/dtype.h"
#include "core/machine/machine.h"

namespace tilewright {

/// Half of the groups of UB banks in which a buffer begins. A repeat covers half of the groups, so
/// operands of one instruction that begin in different halves never meet in a group (docs/model.md,
/// "Local costs").
enum class BankHalf : uint8_t { kLower, kUpper };

/// Hands out UB from the bottom, in blocks of the machine's alignment.
class UbPlan {
 public:
  explicit UbPlan(const Machine& machine);

  /// Byte offset of a new block, anywhere or in one half of the groups.
  int64_t take(int64_t bytes);
  int64_t take(int64_t bytes, BankHalf half);
  /// Byte offset of a ring of slots, each planned like `slot` and `slot.slot_bytes()` apart.
  int64_t take_ring(const UbPlan& slot, int64_t slots, BankHalf half = BankHalf::kLower);
  int64_t bytes() const { return used_; }
  /// Bytes from slot to slot of a ring: all of them begin in the same half.
  int64_t slot_bytes() const;

  /// The first byte offset at or behind another one that begins in that half.
  int64_t begin_in(BankHalf half, int64_t offset) const;
  /// The least distance of at least so many bytes that leads into the other half.
  int64_t apart(int64_t bytes) const;
  /// The largest such distance of at most so many bytes; 0 when there is none.
  int64_t apart_within(int64_t bytes) const;
  /// Elements from row to row of a tile whose rows begin aligned.
  int64_t stride(int64_t cols, DType type) const;
  /// Bytes of such a tile.
  int64_t tile_bytes(int64_t rows, int64_t cols, DType type) const;

 private:
  int64_t align_;
  int64_t half_;   // bytes to the other half; 0 where a repeat leaves no other half
  int64_t round_;  // bytes once round all groups
  int64_t used_ = 0;
};

}  // namespace tilewright
