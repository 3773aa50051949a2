#include "kernels/attention/attention_work.h"

#include <algorithm>
#include <numeric>

#include "core/base/integers.h"
#include "kernels/attention/kv_split.h"

namespace tilewright {

namespace {

/// Tasks of at most so many rows wait for HBM rather than for a core.
constexpr int64_t kStreamingRows = 64;
/// How many cube cores in a row run ahead by different numbers of tiles.
constexpr int64_t kPhases = 3;
/// Tasks a core of which a last one matters little.
constexpr int64_t kManyTasks = 16;

AttentionStage stage_of(const AttentionSequence& sequence) {
  if (sequence.mask == AttentionMask::kTree) return AttentionStage::kVerify;
  return sequence.tokens == 1 ? AttentionStage::kDecode : AttentionStage::kPrefill;
}

/// All tiles of a core's tasks, one task after another.
std::vector<TileRef> all_tiles(std::span<const int64_t> tiles) {
  std::vector<TileRef> refs;
  for (size_t task = 0; task < tiles.size(); ++task) {
    for (int64_t tile = 0; tile < tiles[task]; ++tile)
      refs.push_back({static_cast<int32_t>(task), tile});
  }
  return refs;
}

/// Each tile first, and `behind` steps later second.
void add_delayed(std::span<const TileRef> tiles, int64_t behind, std::vector<PipeStep>& steps) {
  const auto count = static_cast<int64_t>(tiles.size());
  const auto at = [&](int64_t i) {
    return i < 0 || i >= count ? TileRef{} : tiles[static_cast<size_t>(i)];
  };
  for (int64_t i = 0; i < count + behind; ++i) steps.push_back({at(i), at(i - behind)});
}

std::vector<PipeStep> delayed_steps(const AttentionPlan& plan, std::span<const int64_t> tiles,
                                    int64_t behind) {
  const std::vector<TileRef> all = all_tiles(tiles);
  std::vector<PipeStep> steps;
  if (plan.chain) {
    add_delayed(all, behind, steps);
    return steps;
  }
  size_t begin = 0;
  for (int64_t count : tiles) {
    add_delayed(std::span(all).subspan(begin, static_cast<size_t>(count)), behind, steps);
    begin += static_cast<size_t>(count);
  }
  return steps;
}

/// 3 stages: the tiles of a task beside those of the task before it.
std::vector<PipeStep> paired_steps(std::span<const int64_t> tiles) {
  const auto count = static_cast<int32_t>(tiles.size());
  const auto tiles_of = [&](int32_t task) {
    return task < 0 || task >= count ? 0 : tiles[static_cast<size_t>(task)];
  };
  std::vector<PipeStep> steps;
  for (int32_t task = 0; task <= count; ++task) {
    const int64_t length = std::max(tiles_of(task), tiles_of(task - 1));
    for (int64_t i = 0; i < length; ++i) {
      PipeStep step;
      if (i < tiles_of(task)) step.first = {task, i};
      if (i < tiles_of(task - 1)) step.second = {task - 1, i};
      steps.push_back(step);
    }
  }
  return steps;
}

}  // namespace

std::vector<AttentionTask> attention_tasks(const AttentionShape& shape,
                                           std::span<const AttentionSequence> sequences,
                                           const AttentionPlan& plan) {
  std::vector<StageTokens> stages;
  for (const AttentionSequence& s : sequences)
    stages.push_back({stage_of(s), s.tokens, s.context, s.mask == AttentionMask::kCausal});
  const int64_t group = shape.group();
  const auto height = [&](int64_t least) {
    return std::min(plan.tile_q, std::max(least, round_up(group, 16)));
  };
  const std::vector<TokenEntry> table = token_table(stages, {plan.tile_q, height(16), height(64)});
  const int64_t all_tokens = table.back().start + table.back().tokens;
  std::vector<int64_t> first_chunk;
  std::vector<int64_t> first_mask;
  int64_t chunks = 0;
  int64_t masks = 0;
  for (const AttentionSequence& s : sequences) {
    first_chunk.push_back(chunks);
    first_mask.push_back(masks);
    chunks += ceil_div(s.context + s.tokens, plan.chunk);
    if (s.mask == AttentionMask::kTree) masks += s.tokens;
  }
  std::vector<AttentionTask> tasks;
  for (const AttentionTile& tile : attention_tiles(table, group)) {
    const auto entry = static_cast<size_t>(tile.entry);
    for (int64_t head = 0; head < shape.kv_heads; ++head) {
      AttentionTask task;
      task.sequence = tile.entry;
      const int64_t token = head * all_tokens + table[entry].start + tile.first_token;
      task.query_row = token * group + tile.first_head;
      task.rows = tile.rows();
      task.heads = tile.heads;
      task.visible = tile.visible;
      task.keys = tile.keys;
      task.head_row = head * shape.block_size;
      task.first_chunk = first_chunk[entry];
      task.mask = sequences[entry].mask;
      task.mask_row = first_mask[entry] + tile.first_token;
      task.corner = sequences[entry].corner();
      tasks.push_back(task);
    }
  }
  return tasks;
}

std::vector<AttentionTask> split_keys(std::vector<AttentionTask> tasks, const AttentionPlan& plan,
                                      int64_t limit, int64_t cores) {
  // So many tasks keep all cores busy to the end as they are.
  if (limit == 1 || std::ssize(tasks) >= kManyTasks * cores) return tasks;
  int64_t most_rows = 1;
  for (const AttentionTask& task : tasks) most_rows = std::max(most_rows, task.rows);
  std::vector<int64_t> keys;
  for (const AttentionTask& task : tasks)
    keys.push_back(std::max<int64_t>(1, task.keys * task.rows / most_rows));
  KvSplitRule rule;
  rule.cores = cores;
  rule.granule = plan.tokens;
  rule.limit = limit;
  rule.cuts_rest = true;
  // A part fills and drains the pipeline once more; the reduction waits for all parts.
  rule.part_overhead = plan.tokens;
  rule.merge_overhead = 2 * plan.tokens;
  const std::vector<int64_t> parts = plan_kv_split(keys, rule);
  std::vector<AttentionTask> all;
  int64_t part_row = 0;
  for (size_t t = 0; t < tasks.size(); ++t) {
    AttentionTask task = tasks[t];
    task.parts = std::min(parts[t], ceil_div(task.keys, plan.tokens));
    for (int64_t part = 0; part < task.parts; ++part) {
      const KeyRange range = kv_part(tasks[t].keys, task.parts, part, plan.tokens);
      task.first_key = range.first;
      task.keys = range.first + range.count;
      task.first_chunk = tasks[t].first_chunk + range.first / plan.chunk;
      task.part_row = part_row;
      // No fewer than two rows, so that all parts are merged alike.
      if (task.parts > 1) part_row += std::max<int64_t>(2, task.rows);
      all.push_back(task);
    }
  }
  return all;
}

UnitTable deal_tasks(std::span<const AttentionTask> tasks, int64_t assignment, int64_t cores) {
  if (assignment != kWholeRequests) {
    std::vector<int64_t> loads;
    for (const AttentionTask& task : tasks)
      loads.push_back(task.rows * (task.keys - task.first_key));
    const int64_t groups = std::min(cores, static_cast<int64_t>(tasks.size()));
    return assign_tasks(loads, groups, kAssignments[static_cast<size_t>(assignment)]);
  }
  const int64_t requests = tasks.back().sequence + 1;
  UnitTable table(static_cast<size_t>(std::min(cores, requests)));
  for (size_t t = 0; t < tasks.size(); ++t) {
    const auto request = static_cast<size_t>(tasks[t].sequence);
    table[request % table.size()].push_back(static_cast<int64_t>(t));
  }
  return table;
}

int64_t AttentionTask::tiles(const AttentionPlan& plan) const {
  return ceil_div(keys - first_key, plan.tokens);
}

double flops_of(const AttentionShape& shape, std::span<const AttentionSequence> sequences) {
  double pairs = 0;
  for (const AttentionSequence& s : sequences) {
    const auto tokens = static_cast<double>(s.tokens);
    const auto keys = static_cast<double>(s.context + s.tokens);
    const double hidden = s.mask == AttentionMask::kCausal ? (tokens - 1) / 2 : 0;
    pairs += tokens * (keys - hidden);
  }
  return 2.0 * static_cast<double>(shape.heads * (shape.dim + shape.value_dim())) * pairs;
}

std::vector<int64_t> chunk_rows(const AttentionShape& shape,
                                std::span<const AttentionSequence> sequences,
                                const AttentionPlan& plan, std::span<const int64_t> block_of) {
  std::vector<int64_t> rows;
  int64_t first_block = 0;
  for (const AttentionSequence& s : sequences) {
    const int64_t keys = s.context + s.tokens;
    for (int64_t key = 0; key < keys; key += plan.chunk) {
      const int64_t block = block_of[static_cast<size_t>(first_block + key / shape.block_size)];
      rows.push_back(block * shape.kv_heads * shape.block_size + key % shape.block_size);
    }
    first_block += ceil_div(keys, shape.block_size);
  }
  return rows;
}

int64_t tiles_ahead(const AttentionPlan& plan, std::span<const AttentionTask> tasks,
                    int64_t group) {
  const auto streams = [](const AttentionTask& task) { return task.rows <= kStreamingRows; };
  if (!plan.chain || !std::ranges::all_of(tasks, streams)) return plan.preload;
  return plan.preload - group % std::min(kPhases, plan.preload);
}

std::vector<PipeStep> cube_steps(const AttentionPlan& plan, std::span<const int64_t> tiles,
                                 int64_t ahead) {
  if (plan.pipeline != 3) return delayed_steps(plan, tiles, ahead);
  std::vector<PipeStep> steps = paired_steps(tiles);
  const size_t count = steps.size();
  // No further than the vector cores can go before they need a task's results: tasks may be short.
  const auto behind = static_cast<size_t>(plan.lag);
  steps.resize(count + behind);
  for (size_t i = steps.size(); i-- > 0;)
    steps[i].second = i < behind ? TileRef{} : steps[i - behind].second;
  return steps;
}

std::vector<PipeStep> vector_steps(const AttentionPlan& plan, std::span<const int64_t> tiles) {
  if (plan.pipeline != 3) return delayed_steps(plan, tiles, plan.lag);
  // A task's results come out of the cube `lag` steps after its last probabilities went in.
  // They are stored a step later, or before their places are needed again.
  std::vector<PipeStep> steps = paired_steps(tiles);
  int32_t finished = 0;
  int32_t ended = 0;
  std::vector<size_t> end_of;
  for (size_t i = 0; i < steps.size(); ++i) {
    const TileRef& second = steps[i].second;
    const bool waited = finished < ended &&
                        i > end_of[static_cast<size_t>(finished)] + static_cast<size_t>(plan.lag);
    const bool needed = second.used() && second.tile == 0 && second.task >= finished + 2;
    if (finished < ended && (waited || needed)) steps[i].finish = finished++;
    if (second.used() && second.tile + 1 == tiles[static_cast<size_t>(second.task)]) {
      end_of.push_back(i);
      ++ended;
    }
  }
  while (finished < ended) {
    PipeStep end;
    end.finish = finished++;
    steps.push_back(end);
  }
  return steps;
}

std::vector<PipeRun> pipe_runs(std::span<const PipeStep> steps,
                               std::span<const AttentionTask> tasks, const AttentionPlan& plan) {
  const auto tile_of = [&](const TileRef& ref) {
    return ref.used() ? KvTile(tasks[static_cast<size_t>(ref.task)], ref.tile, plan) : KvTile();
  };
  const auto follows = [](const TileRef& before, int64_t distance, const TileRef& ref) {
    return before.task == ref.task && (!ref.used() || before.tile + distance == ref.tile);
  };
  const auto alike = [](const KvTile& a, const KvTile& b) {
    return a.kind == b.kind && a.masked == b.masked && !a.tree && !b.tree;
  };
  std::vector<PipeRun> runs;
  for (const PipeStep& step : steps) {
    const KvTile first = tile_of(step.first);
    const KvTile second = tile_of(step.second);
    if (!runs.empty() && step.finish < 0) {
      PipeRun& run = runs.back();
      if (follows(run.step.first, run.count, step.first) &&
          follows(run.step.second, run.count, step.second) && alike(run.first, first) &&
          alike(run.second, second)) {
        ++run.count;
        continue;
      }
    }
    runs.push_back({step, first, second, 1});
  }
  return runs;
}

KvTile::KvTile(const AttentionTask& task, int64_t tile, const AttentionPlan& plan) {
  begin = task.first_key + tile * plan.tokens;
  tokens = std::min(plan.tokens, task.keys - begin);
  const int64_t used_chunks = ceil_div(tokens, plan.chunk);
  last_rows = tokens - (used_chunks - 1) * plan.chunk;
  const int64_t all_see = task.mask == AttentionMask::kTree ? task.corner : task.visible;
  masked = task.mask != AttentionMask::kNone && begin + tokens > all_see;
  tree = masked && task.mask == AttentionMask::kTree;
  kind.used = true;
  kind.first = tile == 0;
  kind.last = begin + tokens == task.keys;
  kind.chunks = tokens == plan.tokens ? 0 : used_chunks;
  // With 3 stages every vector core takes part in every task, if only to pass the flags on.
  const bool both = plan.pipeline == 3 || first_half(task.rows, plan.halves) < task.rows;
  kind.halves = both ? plan.halves : 1;
}

}  // namespace tilewright
