#pragma once

#include <span>
#include <vector>

#include "kernels/attention/attention_plan.h"
#include "kernels/attention/task_table.h"
#include "kernels/attention/token_table.h"

namespace tilewright {

/// One unit of work: a tile of query rows of one KV head with all keys that it needs.
struct AttentionTask {
  int64_t sequence = 0;
  int64_t query_row = 0;  ///< first row in the query tensor
  int64_t rows = 0;
  int64_t heads = 1;        ///< rows that share a token
  int64_t visible = 0;      ///< keys that its first token sees
  int64_t first_key = 0;    ///< of its part of the keys: a multiple of a KV tile
  int64_t keys = 0;         ///< end of its part: of a whole task, keys that its last token sees
  int64_t head_row = 0;     ///< of the KV head, within a block
  int64_t first_chunk = 0;  ///< of its sequence, in the table of chunks
  AttentionMask mask = AttentionMask::kCausal;
  int64_t mask_row = 0;  ///< of its first token, in the mask tensor
  int64_t corner = 0;    ///< first key that a tree mask speaks of
  int64_t parts = 1;     ///< of the keys, each a task of its own
  int64_t part_row = 0;  ///< where there are several: its first row in the tensor of their results

  int64_t tiles(const AttentionPlan& plan) const;
};

/// All tasks of a batch, the tiles of each sequence for one KV head after another.
std::vector<AttentionTask> attention_tasks(const AttentionShape& shape,
                                           std::span<const AttentionSequence> sequences,
                                           const AttentionPlan& plan);

/// The tasks with their keys cut into at most `limit` parts each, where there are too few tasks for
/// `cores` cores or their loads differ too much (kv_split.h).
std::vector<AttentionTask> split_keys(std::vector<AttentionTask> tasks, const AttentionPlan& plan,
                                      int64_t limit, int64_t cores);

/// Which cores do which tasks: dealt by load as the config says, or whole requests as they come
/// (kWholeRequests).
UnitTable deal_tasks(std::span<const AttentionTask> tasks, int64_t assignment, int64_t cores);

/// Products of both GEMMs on the tokens that are visible, twice their number.
double flops_of(const AttentionShape& shape, std::span<const AttentionSequence> sequences);

/// The table of chunks: for each chunk of each sequence the row of its first token for KV head 0.
std::vector<int64_t> chunk_rows(const AttentionShape& shape,
                                std::span<const AttentionSequence> sequences,
                                const AttentionPlan& plan, std::span<const int64_t> block_of);

/// A KV tile of one of a core's tasks; task -1: none.
struct TileRef {
  int32_t task = -1;
  int64_t tile = 0;

  bool used() const { return task >= 0; }
};

/// What a core does side by side in one step: the cube scores and values, the vector cores softmax
/// and update (4 stages), or the maxima and the probabilities of rows (3 stages).
struct PipeStep {
  TileRef first;
  TileRef second;
  int32_t finish = -1;  ///< task whose results are stored before this step (3 stages)
};

/// KV tiles that the cube core of a group computes scores of ahead: plan.preload. Where all of its
/// tasks have few rows (decodes, verifies) other cores run ahead by fewer: were all in step, they
/// would all wait for the latency of HBM at the same time, and HBM for them.
int64_t tiles_ahead(const AttentionPlan& plan, std::span<const AttentionTask> tasks, int64_t group);

/// The steps of a core whose tasks have `tiles` KV tiles each; `ahead` as above.
std::vector<PipeStep> cube_steps(const AttentionPlan& plan, std::span<const int64_t> tiles,
                                 int64_t ahead);
std::vector<PipeStep> vector_steps(const AttentionPlan& plan, std::span<const int64_t> tiles);

/// How a tile differs from others in what is done for it: the key of templates, with `steps`.
struct TileKind {
  bool used = false;
  bool first = false;
  bool last = false;
  int64_t chunks = 0;  ///< of a tile that is not full; 0: full
  int64_t halves = 0;

  friend auto operator<=>(const TileKind&, const TileKind&) = default;
};

/// A KV tile of a task.
struct KvTile {
  KvTile() = default;
  KvTile(const AttentionTask& task, int64_t tile, const AttentionPlan& plan);

  int64_t begin = 0;      ///< its first key
  int64_t tokens = 0;     ///< that it has
  int64_t last_rows = 0;  ///< tokens in its last chunk
  bool masked = false;
  bool tree = false;  ///< masked by a tree: its place in the mask is its own
  TileKind kind;
};

/// Steps that differ in nothing but the numbers of their tiles, which follow each other: a task of
/// a core's program. `first` and `second` are the tiles of its first step.
struct PipeRun {
  PipeStep step;
  KvTile first;
  KvTile second;
  int64_t count = 1;
};

/// The steps as runs, in order.
std::vector<PipeRun> pipe_runs(std::span<const PipeStep> steps,
                               std::span<const AttentionTask> tasks, const AttentionPlan& plan);

}  // namespace tilewright
