#include "kernels/attention/attention_ub.h"

#include "core/base/integers.h"
#include "kernels/vector/ub_plan.h"

namespace tilewright {

AttentionUb::AttentionUb(const AttentionShape& shape, int64_t tile_q, int64_t tile_kv,
                         const Machine& machine) {
  const int64_t rows = vector_rows(tile_q, shape.heads / shape.kv_heads);
  const int64_t width = bytes_of(shape.type);
  UbPlan plan(machine);
  UbPlan score(machine);
  score.take(rows * tile_kv * 4);
  UbPlan probability(machine);
  probability.take(rows * tile_kv * width);
  scores = plan.take_ring(score, 2, BankHalf::kLower);
  score_slot = score.slot_bytes();
  probabilities = plan.take_ring(probability, 2, BankHalf::kUpper);
  probability_slot = probability.slot_bytes();
  partial = plan.take(rows * shape.dim * 4, BankHalf::kUpper);
  sum = plan.take(rows * shape.dim * 4, BankHalf::kLower);
  out = plan.take(rows * shape.dim * width, BankHalf::kUpper);
  // Those that scores and sums meet first: they begin in the other half, if they are short.
  maximum = plan.take(rows * 4, BankHalf::kUpper);
  factor_slot = round_up(rows * 4, machine.buffers.ub_align);
  factors = plan.take(2 * factor_slot);
  row_sum = plan.take(rows * 4);
  tile_maximum = plan.take(rows * 4);
  tile_sum = plan.take(rows * 4);
  bytes = plan.bytes();
}

}  // namespace tilewright
