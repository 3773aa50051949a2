#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/attention/attention_cube.h"
#include "kernels/attention/attention_vector.h"
#include "kernels/attention/kv_reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

AttentionTensors add_tensors(Launch& launch, const AttentionShape& shape,
                             std::span<const AttentionSequence> sequences,
                             const AttentionPlan& plan, int64_t physical_blocks, int64_t cores) {
  int64_t tokens = 0;
  int64_t longest = 0;
  int64_t mask_rows = 0;
  int64_t mask_cols = 0;
  for (const AttentionSequence& s : sequences) {
    tokens += s.tokens;
    longest = std::max(longest, s.context + s.tokens);
    if (s.mask != AttentionMask::kTree) continue;
    mask_rows += s.tokens;
    mask_cols = std::max(mask_cols, kMaskMargin + s.corner_keys());
  }
  const auto tensor = [&](const char* name, DType type, int64_t rows, int64_t cols,
                          int64_t sector_rows, int64_t sector_cols) {
    return launch.add_tensor(
        {name, type, Layout::kNd, rows, cols, sector_rows, sector_cols, false});
  };
  const auto workspace = [&](const char* name, DType type, int64_t rows, int64_t cols,
                             int64_t sector_cols) {
    const int number = tensor(name, type, cores * rows * plan.tile_q, cols, plan.tile_q,
                              std::min(cols, sector_cols));
    launch.tensors[static_cast<size_t>(number)].workspace = true;
    return number;
  };
  const bool whole_rows = plan.pipeline == 3;
  const int64_t group = shape.group();
  const int64_t kv_rows = physical_blocks * shape.kv_heads * shape.block_size;
  AttentionTensors tensors;
  tensors.q = tensor("q", shape.type, tokens * shape.heads, plan.dim, group, plan.dim);
  tensors.k = tensor("k", shape.type, kv_rows, plan.dim, plan.chunk, plan.dim);
  if (!plan.latent)
    tensors.v = tensor("v", shape.type, kv_rows, plan.v_dim, plan.chunk, plan.v_dim);
  tensors.scores =
      whole_rows
          ? workspace("scores", DType::kF32, 2, round_up(longest, plan.tokens), plan.step_scores)
          : workspace("scores", DType::kF32, plan.fifo, plan.tokens, plan.step_scores);
  // Tiles stand side by side: while such a short strided load is on its way, the cube core requests
  // the keys or values behind it already (docs/model.md, "lookahead").
  tensors.probabilities =
      workspace("probabilities", shape.type, 1, plan.fifo * plan.tokens, plan.tokens);
  tensors.partial =
      workspace("partial", DType::kF32, whole_rows ? 2 : plan.fifo, plan.v_dim, plan.step_v);
  tensors.out = tensor("out", shape.type, tokens * shape.heads, plan.v_dim, group, plan.v_dim);
  if (mask_rows > 0) tensors.mask = tensor("mask", DType::kF32, mask_rows, mask_cols, 1, mask_cols);
  return tensors;
}

/// An empty program for each core of `groups` groups.
void add_cores(Launch& launch, int64_t groups, int64_t halves) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t part = 0; part <= halves; ++part) {
      CoreProgram core;
      core.kind = part == 0 ? CoreKind::kAic : CoreKind::kAiv;
      core.group = static_cast<int>(group);
      launch.cores.push_back(std::move(core));
    }
  }
}

/// The vector cores merge the results of parts, row by row, once all of them are there.
class PartMerges {
 public:
  PartMerges(Launch& launch, const AttentionShape& shape, const AttentionPlan& plan,
             const Machine& machine, AttentionTensors& tensors, AttentionFlags& flags,
             std::span<const AttentionTask> tasks)
      : launch_(launch) {
    int64_t rows = 0;
    for (const AttentionTask& task : tasks) {
      if (task.parts > 1) rows = task.part_row + std::max<int64_t>(2, task.rows);
    }
    if (rows == 0) return;
    reduction_ = {1, 2, plan.v_dim, shape.type, 0, tensors.out, -1};
    tensors.parts = launch.add_tensor({"parts", DType::kF32, Layout::kNd, rows,
                                       reduction_.columns(), 1, reduction_.columns(), false, true});
    flags.parts_done =
        launch.add_flag({"parts_done", FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm, 0, 1});
    reduction_.partial = tensors.parts;
    reduction_.parts_done = flags.parts_done;
    UbPlan ub(machine);
    ub_ = KvReductionUb(reduction_, machine, ub);
    flags_.emplace(launch);
    // UB belongs to the parts until all are done.
    launch.flags[static_cast<size_t>(flags_->free)].initial = 0;
  }

  /// Deals the rows of all tasks with parts to the vector cores in turn.
  void add(std::span<const AttentionTask> tasks) {
    if (!flags_) return;
    std::vector<CoreProgram*> cores;
    for (CoreProgram& core : launch_.cores) {
      if (core.kind == CoreKind::kAiv) cores.push_back(&core);
    }
    launch_.flags[static_cast<size_t>(reduction_.parts_done)].producers = static_cast<int>(
        std::ranges::count_if(cores, [](const CoreProgram* core) { return !core->tasks.empty(); }));
    std::vector<int64_t> loads(cores.size());
    size_t next = 0;
    for (const AttentionTask& task : tasks) {
      if (task.parts == 1 || task.first_key > 0) continue;
      for (int64_t row = 0; row < task.rows; ++row, next = (next + 1) % cores.size()) {
        if (loads[next] == 0) cores[next]->add(begin_template(), {0});
        cores[next]->add(merge_template(std::max<int64_t>(2, task.rows)),
                         {task.query_row + row, task.part_row + row, task.parts, loads[next]});
        loads[next] += task.parts;
      }
    }
  }

 private:
  int begin_template() {
    if (begin_ >= 0) return begin_;
    Template body;
    body.name = "merge_begin";
    body.kind = CoreKind::kAiv;
    body.bindings = 1;
    Instruction begin =
        scalar_op(VectorOp::kDup, ub_tile(ub_.maximum, 1, 1, 0, DType::kF32), {}, 0);
    begin = setting(setting(begin, flags_->free), flags_->free);
    body.prologue.push_back(waiting(begin, reduction_.parts_done));
    return begin_ = launch_.add_template(std::move(body));
  }

  int merge_template(int64_t part_rows) {
    const auto [known, is_new] = merges_.try_emplace(part_rows, 0);
    if (is_new) {
      KvReduction reduction = reduction_;
      reduction.part_rows = part_rows;
      known->second = launch_.add_template(kv_reduction(reduction, ub_, *flags_, {true, 0, false}));
    }
    return known->second;
  }

  Launch& launch_;
  KvReduction reduction_;
  KvReductionUb ub_;
  std::optional<KvReductionFlags> flags_;
  std::map<int64_t, int> merges_;
  int begin_ = -1;
};

}  // namespace

Launch build_attention_launch(const AttentionShape& shape,
                              std::span<const AttentionSequence> sequences, const Config& config,
                              const Machine& machine, std::vector<int64_t> block_of) {
  TW_CHECK(!sequences.empty(), "attention has a sequence");
  int64_t pipeline = config.at("pipeline");
  if (pipeline == 0 && shape.latent) pipeline = 4;
  if (pipeline == 0)
    pipeline =
        pipeline_by_rule(sequences, config.at("tile_q"), config.at("alpha"), machine, shape.type);
  const AttentionPlan plan(shape, config, pipeline, machine);
  Launch launch;
  launch.name = "attention";
  launch.flops = flops_of(shape, sequences);
  if (block_of.empty()) {
    int64_t blocks = 0;
    for (const AttentionSequence& s : sequences)
      blocks += ceil_div(s.context + s.tokens, shape.block_size);
    block_of.resize(static_cast<size_t>(blocks));
    std::iota(block_of.begin(), block_of.end(), 0);
  }
  const int64_t physical = *std::max_element(block_of.begin(), block_of.end()) + 1;
  launch.add_table(chunk_rows(shape, sequences, plan, block_of));

  std::vector<AttentionTask> all = attention_tasks(shape, sequences, plan);
  if (pipeline != 3)
    all = split_keys(std::move(all), plan, config.at("split_kv"), machine.cores.aic);
  const UnitTable table = deal_tasks(all, config.at("assignment"), machine.cores.aic);
  const auto groups = static_cast<int64_t>(table.size());
  AttentionTensors tensors = add_tensors(launch, shape, sequences, plan, physical, groups);
  AttentionFlags flags(launch, plan);
  PartMerges merges(launch, shape, plan, machine, tensors, flags, all);
  add_cores(launch, groups, plan.halves);
  AttentionCube cube(launch, shape, plan, tensors, flags);
  AttentionVector vector(launch, shape, plan, tensors, flags, machine);
  for (int64_t group = 0; group < groups; ++group) {
    std::vector<AttentionTask> tasks;
    for (int64_t unit : table[static_cast<size_t>(group)])
      tasks.push_back(all[static_cast<size_t>(unit)]);
    CoreProgram* core = &launch.cores[static_cast<size_t>(group * (1 + plan.halves))];
    cube.add_program(core[0], group, tasks);
    for (int half = 0; half < plan.halves; ++half)
      vector.add_program(core[1 + half], group, half, tasks);
  }
  merges.add(all);
  return launch;
}

}  // namespace tilewright
