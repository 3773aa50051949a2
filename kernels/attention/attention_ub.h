#pragma once

#include "kernels/attention/attention.h"

namespace tilewright {

/// Where a vector core keeps what in UB: byte offsets and, of rings of two, the distance of their
/// slots. Scores become probabilities; partial results of P V are added to a running sum, which
/// becomes the output. What meets in one instruction begins in different halves of the bank groups.
struct AttentionUb {
  AttentionUb(const AttentionShape& shape, int64_t tile_q, int64_t tile_kv, const Machine& machine);

  int64_t scores = 0, score_slot = 0;
  int64_t probabilities = 0, probability_slot = 0;
  int64_t partial = 0, sum = 0, out = 0;
  // Columns of one f32 a row: running maximum and sum, this tile's, and rescaling factors.
  int64_t maximum = 0, row_sum = 0, factors = 0, factor_slot = 0, tile_maximum = 0, tile_sum = 0;
  int64_t bytes = 0;
};

}  // namespace tilewright
