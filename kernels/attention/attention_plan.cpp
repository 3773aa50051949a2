#include "kernels/attention/attention_plan.h"

#include <algorithm>
#include <numeric>

#include "core/base/integers.h"
#include "kernels/attention/kv_reduce.h"
#include "kernels/vector/ub_plan.h"

namespace tilewright {

int64_t first_half(int64_t rows, int64_t halves) {
  return rows <= kWholeRows ? rows : std::max(kWholeRows, ceil_div(rows, halves));
}

int64_t kv_tile_tokens(int64_t tile_kv, int64_t block_size) {
  if (block_size <= tile_kv) return tile_kv / block_size * block_size;
  for (int64_t tokens = tile_kv; tokens >= tile_kv / 2; --tokens) {
    if (block_size % tokens == 0) return tokens;
  }
  return tile_kv;
}

AttentionPlan::AttentionPlan(const AttentionShape& shape, const Config& config, int64_t stages,
                             const Machine& machine)
    : pipeline(stages),
      tile_q(config.at("tile_q")),
      dim(shape.dim),
      v_dim(shape.value_dim()),
      width(bytes_of(shape.type)),
      latent(shape.latent),
      tokens(kv_tile_tokens(config.at("tile_kv"), shape.block_size)),
      chunk(std::gcd(tokens, shape.block_size)),
      chunks(tokens / chunk),
      l1_stride(round_up(tokens, 16)),
      preload(config.at("preload")),
      lag(std::min<int64_t>(preload, 2)),
      fifo(config.at("fifo")),
      halves(std::min<int64_t>(2, machine.cores.aiv_per_aic)),
      chain(config.at("chain") != 0) {
  plan_l0(machine);
  plan_l1(machine);
  // The most rows at a time that fit; results of products in two slots where there is room.
  for (int64_t rows = std::min<int64_t>(64, tile_q); rows >= 8; rows /= 2) {
    for (int64_t slots : {2, 1}) {
      ub = plan_ub(machine, rows, slots, shape.tree_masks);
      if (ub.bytes <= machine.buffers.ub_bytes) return;
    }
  }
}

void AttentionPlan::plan_l0(const Machine& machine) {
  // The largest step of which L0A, L0B and L0C hold two; with 3 stages L0C also holds the sum.
  const int64_t sum = pipeline == 3 ? tile_q * v_dim * 4 : 0;
  int64_t step = 128;
  const auto fits = [&](int64_t s) {
    return 2 * tile_q * s * width <= machine.buffers.l0a_bytes &&
           2 * s * s * width <= machine.buffers.l0b_bytes &&
           (pipeline == 3 || 2 * tile_q * s * 4 <= machine.buffers.l0c_bytes);
  };
  while (step > 16 && !fits(step)) step /= 2;
  step_dim = std::min(step, dim);
  step_values = std::min(step, l1_stride);
  step_v = std::min(step, v_dim);
  step_scores = step_values;
  while (step_scores > 16 && sum + 2 * tile_q * step_scores * 4 > machine.buffers.l0c_bytes)
    step_scores = round_up(step_scores / 2, 16);
  l0a_slot = round_up(tile_q * std::max(step_dim, step_values) * width, machine.buffers.l0a_align);
  l0b_slot = round_up(std::max(step_dim * step_scores, step_values * step_v) * width,
                      machine.buffers.l0b_align);
  l0c_slot = tile_q * (pipeline == 3 ? step_scores : std::max(step_scores, step_v)) * 4;
  l0c_sum = 2 * l0c_slot;
  l0a_bytes = 2 * l0a_slot;
  l0b_bytes = 2 * l0b_slot;
  l0c_bytes = l0c_sum + sum;
}

void AttentionPlan::plan_l1(const Machine& machine) {
  q_slot = tile_q * round_up(dim, 16) * width;
  k_slot = l1_stride * round_up(dim, 16) * width;
  v_slot = latent ? 0 : l1_stride * round_up(v_dim, 16) * width;
  p_slot = tile_q * l1_stride * width;
  // Latent keys stay until they have served as values, too.
  const int64_t least_k = latent ? preload + 1 : 1;
  q_slots = 2;
  v_slots = p_slots = 2;
  k_slots = least_k + 1;
  const auto bytes = [&] {
    return q_slots * q_slot + k_slots * k_slot + v_slots * v_slot + p_slots * p_slot;
  };
  // One slot less where two do not fit: the queries first, which are loaded least often.
  for (int64_t* slots : {&q_slots, &k_slots, &v_slots, &p_slots}) {
    if (bytes() > machine.buffers.l1_bytes) --*slots;
  }
  q_base = 0;
  k_base = q_base + q_slots * q_slot;
  v_base = k_base + k_slots * k_slot;
  p_base = v_base + v_slots * v_slot;
  l1_bytes = bytes();
}

AttentionUb AttentionPlan::plan_ub(const Machine& machine, int64_t rows, int64_t partial_slots,
                                   bool tree_masks) const {
  AttentionUb places;
  places.half_rows = std::max(ceil_div(tile_q, halves), std::min(tile_q, kWholeRows));
  places.rows = std::min(rows, places.half_rows);
  places.stride = l1_stride;
  places.wide = tokens % 64 == 0 ? 64 : tokens;
  places.partial_slots = partial_slots;
  places.ring = lag + 1;
  UbPlan plan(machine);
  const auto ring_of = [&](int64_t bytes, int64_t slots, BankHalf half, int64_t& slot_bytes) {
    UbPlan slot(machine);
    slot.take(bytes);
    slot_bytes = slot.slot_bytes();
    return plan.take_ring(slot, slots, half);
  };
  places.scores = ring_of(places.rows * places.stride * 4, 2, BankHalf::kLower, places.score_slot);
  places.probabilities =
      ring_of(places.rows * places.stride * width, 2, BankHalf::kUpper, places.probability_slot);
  places.partial =
      ring_of(places.rows * v_dim * 4, partial_slots, BankHalf::kUpper, places.partial_slot);
  if (tokens > places.wide)
    places.fold = plan.take(places.rows * places.wide * 4, BankHalf::kUpper);
  if (tokens > 2 * places.wide)
    places.fold_pair = plan.take(places.rows * places.wide * 4, BankHalf::kLower);
  if (pipeline == 3) {
    places.wide_max = plan.take(places.half_rows * places.wide * 4, BankHalf::kLower);
    places.wide_sum = plan.take(places.half_rows * places.wide * 4, BankHalf::kLower);
  } else {
    places.sum = plan.take(places.half_rows * v_dim * 4, BankHalf::kLower);
    places.stats = plan.take(places.rows * KvReduction::kStatColumns * 4);
  }
  places.out = plan.take(places.rows * v_dim * width, BankHalf::kUpper);
  if (tree_masks) places.mask = plan.take(places.rows * places.stride * 4, BankHalf::kUpper);
  // Those that meet scores and sums begin in the other half, and those that meet folded columns.
  places.column_slot = round_up(places.half_rows * 4, machine.buffers.ub_align);
  places.maximum = plan.take(places.ring * places.column_slot, BankHalf::kUpper);
  places.row_sum = plan.take(places.ring * places.column_slot, BankHalf::kUpper);
  places.factors = plan.take(places.ring * places.column_slot, BankHalf::kUpper);
  places.tile_maximum = plan.take(places.column_slot, BankHalf::kLower);
  places.tile_sum = plan.take(places.column_slot, BankHalf::kLower);
  places.bytes = plan.bytes();
  return places;
}

}  // namespace tilewright
