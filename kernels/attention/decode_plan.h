#pragma once

#include <cstdint>
#include <vector>

#include "core/space/space.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/kv_pages.h"
#include "kernels/attention/kv_reduce.h"
#include "kernels/attention/task_table.h"

namespace tilewright {

/// Tiles of probabilities in L1.
constexpr int64_t kProbabilitySlots = 4;

/// A config of the decode launch, by name.
struct DecodeConfig {
  explicit DecodeConfig(const Config& config);

  bool vector_scores = true;  ///< pipeline 2
  bool by_rule = false;       ///< pipeline 0: the layout decides
  int64_t tile_kv = 0;
  int64_t max_keys = 0;
  int64_t buffers = 0;
  int64_t lead = 0;
  int64_t fetch = 0;
  int64_t split_kv = 0;
  Assignment assignment = Assignment::kSnake;
};

/// What does not depend on the sequences: sizes, and where things lie in the buffers of a core.
struct DecodeLayout {
  DecodeLayout(const AttentionShape& shape, const DecodeConfig& config, const Machine& machine);

  AttentionShape shape;
  DecodeConfig config;
  KvTiling tiling;
  int64_t group = 1;    ///< query heads of a KV head: rows of a task
  int64_t width = 2;    ///< bytes of an element
  int64_t lanes = 1;    ///< vector cores of a group that have tasks
  int64_t slots = 1;    ///< tasks of a lane in the workspaces
  int64_t columns = 0;  ///< of a row of scores in UB and in the workspaces
  /// Columns from tile to tile. In pipeline 2 each tile begins aligned; what lies between the end
  /// of one and the next has probability 0.
  int64_t pitch = 0;
  bool has_gaps = false;
  int64_t max_tiles = 0;  ///< of a task

  // L1: two slots of queries, a ring of probabilities, a ring of tiles of keys or values.
  int64_t tile_rows = 0, query_rows = 0;  ///< keys of a tile, rows: in whole fractals
  int64_t query_slot = 0, p_slot = 0, p_base = 0, kv_slot = 0, kv_base = 0;
  int64_t kv_slots = 0;
  int64_t l1_bytes = 0, l0a_bytes = 0, l0b_bytes = 0, l0c_bytes = 0;
  int64_t score_slot = 0, out_slot = 0, out_base = 0;  // L0C
  int64_t l0_query = 0, l0_query_slot = 0;             // L0A, behind two slots of probabilities

  // UB.
  int64_t keys = 0, key_slot = 0, wide = 0, product = 0, scores = 0, probabilities = 0;
  int64_t queries = 0, ub_query_slot = 0, wide_query = 0;
  int64_t fetched = 0;
  int64_t maximum = 0, row_sum = 0, lowest = 0, stored = 0;
  KvReduction reduction;  ///< its sizes
  KvReductionUb merge_ub;
  int64_t ub_bytes = 0;
};

/// A task: the keys [first tile, first tile + tiles) of a sequence, for one KV head.
struct DecodeTask {
  int64_t sequence = 0;
  int64_t head = 0;
  int64_t first_tile = 0;
  int64_t tiles = 0;
  int64_t first_key = 0;
  int64_t keys = 0;
  int64_t part_row = -1;  ///< its first row in the workspaces of parts; -1: the whole sequence
};

/// A sequence and head whose parts are merged.
struct DecodeMerge {
  int64_t sequence = 0;
  int64_t head = 0;
  int64_t part_row = 0;  ///< of part 0
  int64_t parts = 0;
};

/// All tasks, and which lane does which, in its order. Lane l is vector core l / groups of group
/// l % groups.
struct DecodePlan {
  std::vector<DecodeTask> tasks;
  std::vector<DecodeMerge> merges;
  UnitTable lanes;
  int64_t part_rows = 0;  ///< of the workspaces of parts
};

DecodePlan plan_decode(const DecodeLayout& layout, const KvPages& pages, const Machine& machine);

}  // namespace tilewright
