#include "kernels/attention/decode_plan.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/attention/decode_launch.h"
#include "kernels/attention/kv_split.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

constexpr int64_t kCoreLanes = 2;
constexpr int64_t kMostKvSlots = 8;

/// What a part costs beyond its keys (its query, softmax and partial result), and what merging does
/// (a barrier, and partial results there and back), in keys that the same time would stream.
constexpr int64_t kPartOverheadKeys = 64;
constexpr int64_t kMergeOverheadKeys = 256;

/// Cycles that a core of those that hold up the others needs for a key when HBM does not: a vector
/// core for its scores, or the cube core, with two tiles under way.
double core_cycles_a_key(const DecodeLayout& layout, const Machine& machine) {
  if (layout.config.vector_scores) return vector_cycles_a_key(layout.shape, machine);
  const auto bytes = static_cast<double>(layout.shape.dim * layout.width);
  const double under_way = 2 * bytes * static_cast<double>(layout.tiling.tokens()) /
                           (machine.hbm.read_latency_cycles + machine.mte2.fixed_cycles + 1);
  return 2 * bytes / std::min(machine.mte2.l1_bytes_per_cycle, under_way);
}

/// Keys of the longest core below which cutting gains nothing, since HBM, which all share, needs as
/// long for all keys.
int64_t keys_hidden_by_hbm(const DecodeLayout& layout, int64_t all_keys, const Machine& machine) {
  const double bytes = 2.0 * static_cast<double>(layout.shape.dim * layout.width);
  const double hbm_cycles = static_cast<double>(all_keys) * bytes / hbm_bytes_per_cycle(machine);
  return static_cast<int64_t>(hbm_cycles / core_cycles_a_key(layout, machine));
}

void plan_l1(DecodeLayout& at, const Machine& machine) {
  const bool cube_scores = !at.config.vector_scores;
  at.query_slot = cube_scores ? at.query_rows * at.shape.dim * at.width : 0;
  at.p_base = 2 * at.query_slot;
  at.p_slot = at.query_rows * at.tile_rows * at.width;
  at.kv_base = at.p_base + kProbabilitySlots * at.p_slot;
  at.kv_slot = at.tile_rows * at.shape.dim * at.width;
  const int64_t room = (machine.buffers.l1_bytes - at.kv_base) / at.kv_slot;
  at.kv_slots = std::clamp<int64_t>(room, 2, kMostKvSlots);
  at.l1_bytes = at.kv_base + at.kv_slots * at.kv_slot;
}

void plan_l0(DecodeLayout& at) {
  const bool cube_scores = !at.config.vector_scores;
  at.l0_query = 2 * at.p_slot;
  at.l0_query_slot = at.query_slot;
  at.l0a_bytes = at.l0_query + 2 * at.l0_query_slot;
  at.l0b_bytes = 2 * at.kv_slot;
  at.score_slot = cube_scores ? at.query_rows * at.tile_rows * 4 : 0;
  at.out_base = 2 * at.score_slot;
  at.out_slot = at.query_rows * at.shape.dim * 4;
  at.l0c_bytes = at.out_base + 2 * at.out_slot;
}

void plan_key_tiles(DecodeLayout& at, UbPlan& plan, const Machine& machine) {
  const int64_t elements = at.tiling.tokens() * at.shape.dim;
  UbPlan slot(machine);
  slot.take(elements * at.width);
  at.keys = plan.take_ring(slot, at.config.buffers, BankHalf::kUpper);
  at.key_slot = slot.slot_bytes();
  at.wide = plan.take(elements * 4, BankHalf::kLower);
  // Several query heads meet the same keys; one may spoil them.
  at.product = at.group == 1 ? at.wide : plan.take(elements * 4, BankHalf::kLower);
  UbPlan query(machine);
  query.take(at.group * at.shape.dim * at.width);
  at.queries = plan.take_ring(query, 2, BankHalf::kLower);
  at.ub_query_slot = query.slot_bytes();
  at.wide_query = plan.take(at.group * at.shape.dim * 4, BankHalf::kUpper);
}

void plan_ub(DecodeLayout& at, const Machine& machine) {
  UbPlan plan(machine);
  if (at.config.vector_scores) plan_key_tiles(at, plan, machine);
  at.scores = plan.take(at.group * at.columns * 4, BankHalf::kUpper);
  at.probabilities = plan.take(at.group * at.columns * at.width, BankHalf::kLower);
  if (at.config.fetch > 0) at.fetched = plan.take(at.group * at.shape.dim * at.width);
  at.maximum = plan.take(at.group * 4, BankHalf::kLower);
  at.row_sum = plan.take(at.group * 4);
  at.lowest = plan.take(at.group * 4);
  at.stored = plan.take(at.group * KvReduction::kStatColumns * 4);
  at.reduction.rows = at.reduction.part_rows = at.group;
  at.reduction.dim = at.shape.dim;
  at.reduction.out_type = at.shape.type;
  at.merge_ub = KvReductionUb(at.reduction, machine, plan);
  at.ub_bytes = plan.bytes();
}

/// How many parts each sequence is cut into, for every head alike.
std::vector<int64_t> parts_of(const DecodeLayout& layout, const KvPages& pages,
                              const Machine& machine) {
  const auto heads = static_cast<size_t>(layout.shape.kv_heads);
  std::vector<int64_t> keys;
  int64_t all_keys = 0;
  for (const KvRun& run : pages.runs) {
    keys.insert(keys.end(), heads, run.keys);
    all_keys += run.keys * layout.shape.kv_heads;
  }
  KvSplitRule rule;
  rule.cores = machine.cores.aic * (layout.config.vector_scores ? layout.lanes : 1);
  rule.granule = layout.tiling.tokens();
  rule.limit = layout.config.split_kv;
  rule.longest = layout.max_tiles * layout.tiling.tokens();
  rule.part_overhead = kPartOverheadKeys;
  rule.merge_overhead = kMergeOverheadKeys;
  rule.enough = keys_hidden_by_hbm(layout, all_keys, machine);
  const std::vector<int64_t> wanted = plan_kv_split(keys, rule);
  std::vector<int64_t> parts;
  for (size_t s = 0; s < pages.runs.size(); ++s) {
    const int64_t least = ceil_div(pages.runs[s].tiles, layout.max_tiles);
    parts.push_back(std::max(wanted[s * heads], least));
  }
  return parts;
}

}  // namespace

DecodeConfig::DecodeConfig(const Config& config)
    : vector_scores(config.at("pipeline") == 2),
      by_rule(config.at("pipeline") == 0),
      tile_kv(config.at("tile_kv")),
      max_keys(config.at("max_keys")),
      buffers(config.at("buffers")),
      lead(config.at("lead")),
      fetch(config.at("fetch")),
      split_kv(config.at("split_kv")),
      assignment(kAssignments[static_cast<size_t>(config.at("assignment"))]) {}

DecodeLayout::DecodeLayout(const AttentionShape& s, const DecodeConfig& c, const Machine& machine)
    : shape(s), config(c), tiling(s.block_size, c.tile_kv) {
  if (config.by_rule) config.vector_scores = scores_on_vector_cores(shape, machine);
  group = shape.heads / shape.kv_heads;
  width = bytes_of(shape.type);
  lanes = std::min(kCoreLanes, machine.cores.aiv_per_aic);
  slots = config.lead + 1;
  const int64_t aligned = machine.buffers.ub_align / 4;
  pitch = config.vector_scores ? round_up(tiling.tokens(), aligned) : tiling.tokens();
  has_gaps = config.vector_scores && (tiling.uneven || pitch != tiling.tokens());
  max_tiles = config.max_keys / pitch;
  columns = std::max<int64_t>(1, max_tiles) * pitch;
  tile_rows = round_up(tiling.tokens(), machine.cube.fractal_m);
  query_rows = round_up(group, machine.cube.fractal_m);
  plan_l1(*this, machine);
  plan_l0(*this);
  plan_ub(*this, machine);
}

DecodePlan plan_decode(const DecodeLayout& layout, const KvPages& pages, const Machine& machine) {
  DecodePlan plan;
  const std::vector<int64_t> parts = parts_of(layout, pages, machine);
  std::vector<int64_t> loads;
  for (size_t s = 0; s < pages.runs.size(); ++s) {
    const auto sequence = static_cast<int64_t>(s);
    for (int64_t head = 0; head < layout.shape.kv_heads; ++head) {
      const bool cut = parts[s] > 1;
      if (cut) plan.merges.push_back({sequence, head, plan.part_rows, parts[s]});
      for (int64_t part = 0; part < parts[s]; ++part) {
        const KeyRange range = kv_part(pages.runs[s].tiles, parts[s], part, 1);
        DecodeTask task{sequence, head, range.first, range.count};
        task.first_key = first_key_of(pages, layout.tiling, s, range.first);
        task.keys =
            first_key_of(pages, layout.tiling, s, range.first + range.count) - task.first_key;
        if (cut) task.part_row = plan.part_rows;
        if (cut) plan.part_rows += layout.group;
        loads.push_back(task.keys);
        plan.tasks.push_back(task);
      }
    }
  }
  const int64_t cores = machine.cores.aic * layout.lanes;
  plan.lanes = assign_tasks(loads, cores, layout.config.assignment);
  return plan;
}

}  // namespace tilewright
