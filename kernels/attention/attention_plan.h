#pragma once

#include <string>

#include "core/machine/machine.h"
#include "core/space/space.h"
#include "kernels/attention/attention.h"

namespace tilewright {

/// A vector core's share of a query tile, and its places in UB: byte offsets and, of rings, the
/// distance of their slots. Rows are handled `rows` at a time. What meets in one instruction begins
/// in different halves of the bank groups.
struct AttentionUb {
  int64_t rows = 0;       ///< at a time
  int64_t half_rows = 0;  ///< of the tile, at most
  int64_t stride = 0;     ///< elements from row to row of scores and probabilities
  int64_t wide = 0;       ///< columns to which a row of scores is folded before it is reduced
  int64_t scores = 0, score_slot = 0;
  int64_t probabilities = 0, probability_slot = 0;
  int64_t partial = 0, partial_slot = 0, partial_slots = 0;
  int64_t sum = 0, out = 0, mask = 0, stats = 0;
  int64_t fold = 0, fold_pair = 0;  ///< rows at a time x wide: folded columns, and a pair of them
  int64_t wide_max = 0, wide_sum = 0;  ///< 3 stages: half_rows x wide
  // Columns of one f32 a row; rings of `ring` slots, `column_slot` bytes apart.
  int64_t ring = 0, column_slot = 0;
  int64_t maximum = 0, row_sum = 0, factors = 0, tile_maximum = 0, tile_sum = 0;
  int64_t bytes = 0;
};

/// What a config makes of a shape on a machine: sizes of tiles and steps, and places in buffers.
/// Built for any config, legal or not; `*_bytes` say what each buffer must hold.
struct AttentionPlan {
  AttentionPlan(const AttentionShape& shape, const Config& config, int64_t pipeline,
                const Machine& machine);

  int64_t pipeline = 4;  ///< 3 or 4 stages
  int64_t tile_q = 0;
  int64_t dim = 0, v_dim = 0, width = 0;
  bool latent = false;
  // A KV tile: `tokens` tokens, in chunks that lie in one block each.
  int64_t tokens = 0, chunk = 0, chunks = 0;
  int64_t l1_stride = 0;  ///< rows from fractal column to fractal column of K and V in L1
  int64_t preload = 1;    ///< KV tiles that the cube computes scores of ahead
  int64_t lag = 1;        ///< KV tiles between softmax and update on the vector cores
  int64_t fifo = 2;       ///< slots of each workspace
  int64_t halves = 2;     ///< vector cores that share a tile
  bool chain = true;      ///< the next task begins while one ends

  // Steps of the products in L0: elements of dim, tokens of scores and of values, elements of
  // v_dim.
  int64_t step_dim = 0, step_scores = 0, step_values = 0, step_v = 0;
  int64_t l0a_slot = 0, l0b_slot = 0, l0c_slot = 0, l0c_sum = 0;
  int64_t q_slots = 0, k_slots = 0, v_slots = 0, p_slots = 0;
  int64_t q_slot = 0, k_slot = 0, v_slot = 0, p_slot = 0;
  int64_t q_base = 0, k_base = 0, v_base = 0, p_base = 0;
  int64_t l1_bytes = 0, l0a_bytes = 0, l0b_bytes = 0, l0c_bytes = 0;
  AttentionUb ub;

 private:
  void plan_l0(const Machine& machine);
  void plan_l1(const Machine& machine);
  AttentionUb plan_ub(const Machine& machine, int64_t rows, int64_t partial_slots,
                      bool tree_masks) const;
};

/// Query tiles of at most this many rows (a decode's) are left to one vector core: halving them
/// would save less than the second hand-over costs.
constexpr int64_t kWholeRows = 16;

/// Rows of a query tile of `rows` rows that the first of `halves` vector cores does: never less
/// than kWholeRows, so that tiles which are its alone stay clear of what the other one reads.
int64_t first_half(int64_t rows, int64_t halves);

/// Tokens of a KV tile of at most `tile_kv`: whole blocks, or else a part that divides blocks well.
int64_t kv_tile_tokens(int64_t tile_kv, int64_t block_size);

}  // namespace tilewright
