#include "kernels/vector/ub_plan.h"

#include <algorithm>

#include "core/base/integers.h"

namespace tilewright {

UbPlan::UbPlan(const Machine& machine)
    : align_(machine.buffers.ub_align),
      half_(machine.vector.repeat_bytes),
      round_(machine.vector.bank_groups * machine.vector.bank_row_bytes) {
  if (round_ < 2 * half_ || half_ % align_ != 0 || round_ % align_ != 0) {
    half_ = 0;
    round_ = align_;
  }
}

int64_t UbPlan::take(int64_t bytes) {
  const int64_t offset = used_;
  used_ += round_up(bytes, align_);
  return offset;
}

int64_t UbPlan::take(int64_t bytes, BankHalf half) {
  used_ = begin_in(half, used_);
  return take(bytes);
}

int64_t UbPlan::begin_in(BankHalf half, int64_t offset) const {
  const int64_t first = half == BankHalf::kUpper ? half_ : 0;
  return first + round_up(std::max<int64_t>(0, offset - first), round_);
}

int64_t UbPlan::take_ring(const UbPlan& slot, int64_t slots, BankHalf half) {
  return take((slots - 1) * slot.slot_bytes() + slot.bytes(), half);
}

int64_t UbPlan::slot_bytes() const {
  return round_up(used_, round_);
}

int64_t UbPlan::apart(int64_t bytes) const {
  return half_ + round_up(std::max<int64_t>(0, bytes - half_), round_);
}

int64_t UbPlan::apart_within(int64_t bytes) const {
  return bytes < half_ ? 0 : half_ + (bytes - half_) / round_ * round_;
}

int64_t UbPlan::stride(int64_t cols, DType type) const {
  return round_up(cols, align_ / bytes_of(type));
}

int64_t UbPlan::tile_bytes(int64_t rows, int64_t cols, DType type) const {
  return rows * stride(cols, type) * bytes_of(type);
}

}  // namespace tilewright
