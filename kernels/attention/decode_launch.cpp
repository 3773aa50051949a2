#include "kernels/attention/decode_launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/integers.h"
#include "kernels/attention/decode_cube.h"
#include "kernels/attention/decode_plan.h"
#include "kernels/attention/decode_vector.h"

namespace tilewright {

namespace {

/// Cube cores run ahead by different numbers of tasks: were all in step, they would all wait for
/// the latency of HBM at the same time, and HBM for them.
constexpr int64_t kPhases = 4;

class DecodeBuilder {
 public:
  DecodeBuilder(const AttentionShape& shape, const DecodeSequences& sequences, const Config& config,
                const Machine& machine)
      : machine_(machine),
        layout_(shape, DecodeConfig(config), machine),
        pages_(kv_pages(layout_.tiling, sequences.keys, shape.kv_heads, sequences.block_of)),
        plan_(plan_decode(layout_, pages_, machine)) {}

  Launch build() {
    launch_.name = "attention";
    add_tensors();
    launch_.add_table(pages_.rows);
    launch_.add_table(pages_.counts);
    launch_.add_table(pages_.positions);
    add_cores();
    add_flags();
    const DecodeCube cube(layout_, flags_, launch_);
    const DecodeVector vector(layout_, flags_, machine_, launch_);
    for (int64_t group = 0; group < groups_; ++group) add_cube_tasks(cube, group);
    for (int64_t lane = 0; lane < lanes(); ++lane) add_vector_tasks(vector, lane);
    if (!plan_.merges.empty()) add_merges();
    return std::move(launch_);
  }

 private:
  int64_t lanes() const { return static_cast<int64_t>(plan_.lanes.size()); }
  int64_t group_of(int64_t lane) const { return lane % machine_.cores.aic; }
  int half_of(int64_t lane) const { return static_cast<int>(lane / machine_.cores.aic); }
  const std::vector<int64_t>& tasks_of(int64_t lane) const {
    return plan_.lanes[static_cast<size_t>(lane)];
  }
  const DecodeTask& task(int64_t number) const { return plan_.tasks[static_cast<size_t>(number)]; }

  CoreProgram& core(int64_t group, int64_t part) {
    return launch_.cores[static_cast<size_t>(group * (1 + layout_.lanes) + part)];
  }

  void add_tensors() {
    const AttentionShape& shape = layout_.shape;
    const int64_t group = layout_.group;
    const auto sequences = static_cast<int64_t>(pages_.runs.size());
    const int64_t sector_rows = layout_.tiling.sector_rows();
    const int64_t work_rows = machine_.cores.aic * layout_.lanes * layout_.slots * group;
    const auto add = [&](const char* name, DType type, int64_t rows, int64_t cols, int64_t sectors,
                         bool workspace) {
      Tensor tensor{name, type, Layout::kNd, rows, cols, sectors, cols};
      tensor.workspace = workspace;
      launch_.add_tensor(std::move(tensor));
    };
    add("q", shape.type, sequences * shape.heads, shape.dim, group, false);
    add("k", shape.type, pages_.cache_rows, shape.dim, sector_rows, false);
    add("v", shape.type, pages_.cache_rows, shape.dim, sector_rows, false);
    add("out", shape.type, sequences * shape.heads, shape.dim, group, false);
    add("probabilities", shape.type, work_rows, layout_.columns, group, true);
    const bool cube_scores = !layout_.config.vector_scores;
    if (cube_scores || plan_.part_rows > 0) {
      add("scores", DType::kF32, cube_scores ? work_rows : 1, cube_scores ? layout_.columns : 1,
          cube_scores ? group : 1, true);
    }
    if (plan_.part_rows == 0) return;
    add("parts", DType::kF32, plan_.part_rows, layout_.reduction.columns(), group, true);
  }

  /// Programs of the groups that have tasks: those of the first lanes have the most.
  void add_cores() {
    groups_ = 0;
    for (int64_t lane = 0; lane < lanes(); ++lane) {
      if (!tasks_of(lane).empty()) groups_ = std::max(groups_, group_of(lane) + 1);
    }
    launch_.cores.resize(static_cast<size_t>(groups_ * (1 + layout_.lanes)));
    for (int64_t group = 0; group < groups_; ++group) {
      for (int64_t part = 0; part <= layout_.lanes; ++part) {
        core(group, part).kind = part == 0 ? CoreKind::kAic : CoreKind::kAiv;
        core(group, part).group = static_cast<int>(group);
      }
    }
  }

  void add_flags() {
    const auto between = [&](const std::string& name, int half, FlagMeaning meaning,
                             int64_t initial) {
      return launch_.add_flag({name + "_" + std::to_string(half), FlagScope::kGroup, meaning,
                               Memory::kGm, static_cast<int>(initial)});
    };
    for (int half = 0; half < static_cast<int>(layout_.lanes); ++half) {
      flags_.p_ready[half] = between("probabilities_ready", half, FlagMeaning::kData, 0);
      flags_.p_free[half] = between("probabilities_free", half, FlagMeaning::kSpace, layout_.slots);
      if (layout_.config.vector_scores) continue;
      flags_.s_ready[half] = between("scores_ready", half, FlagMeaning::kData, 0);
      flags_.s_free[half] = between("scores_free", half, FlagMeaning::kSpace, layout_.slots);
    }
    if (plan_.merges.empty()) return;
    flags_.parts_done = launch_.add_flag(
        {"parts_done", FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm, 0, cores_with_parts()});
  }

  /// Index in a list of tasks of the last part of a sequence; -1: there is none.
  int64_t last_part(const std::vector<int64_t>& tasks) const {
    int64_t last = -1;
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (task(tasks[i]).part_row >= 0) last = static_cast<int64_t>(i);
    }
    return last;
  }

  /// The tasks of a group's lanes in turn: (lane, task).
  std::vector<std::pair<int64_t, int64_t>> cube_order(int64_t group) const {
    std::vector<std::pair<int64_t, int64_t>> order;
    size_t longest = 0;
    for (int64_t lane = group; lane < lanes(); lane += machine_.cores.aic) {
      longest = std::max(longest, tasks_of(lane).size());
    }
    for (size_t i = 0; i < longest; ++i) {
      for (int64_t lane = group; lane < lanes(); lane += machine_.cores.aic) {
        if (i < tasks_of(lane).size()) order.push_back({lane, tasks_of(lane)[i]});
      }
    }
    return order;
  }

  int cores_with_parts() const {
    int count = 0;
    for (int64_t group = 0; group < groups_; ++group) {
      bool any = false;
      for (int64_t lane = group; lane < lanes(); lane += machine_.cores.aic) {
        const bool has = last_part(tasks_of(lane)) >= 0;
        count += has ? 1 : 0;
        any = any || has;
      }
      count += any ? 1 : 0;
    }
    return count;
  }

  DecodeVariant variant_of(const DecodeTask& task, int half, bool last_part) const {
    return {half, DecodeTileNumbers::last_pieces(layout_, pages_, task), task.tiles > 1,
            task.part_row >= 0, last_part};
  }

  template <typename Make>
  int template_of(std::map<decltype(DecodeVariant().key()), int>& known,
                  const DecodeVariant& variant, Make make) {
    const auto [place, is_new] = known.try_emplace(variant.key(), 0);
    if (is_new) place->second = launch_.add_template(make(variant));
    return place->second;
  }

  int64_t query_row(int64_t head, int64_t sequence) const {
    const auto sequences = static_cast<int64_t>(pages_.runs.size());
    return (head * sequences + sequence) * layout_.group;
  }

  int64_t work_row(int64_t lane) const { return lane * layout_.slots * layout_.group; }

  /// Of one kind of task on a cube core: what comes before.
  struct CubeCounts {
    int64_t tiles = 0;
    int64_t tasks = 0;
    std::map<int64_t, int64_t> lane_tasks = {};
  };

  void add_cube_task(CoreProgram& program, int id, const DecodeTask& task, int64_t lane,
                     int64_t row, int64_t& tiles, CubeCounts& kind) {
    const auto at = DecodeTileNumbers::bindings(layout_, pages_, task);
    program.add(id, {at[0], at[1], at[2], at[3], at[4], row, tiles, kind.tiles, kind.tasks,
                     kind.lane_tasks[lane]++, work_row(lane)});
    tiles += task.tiles;
    kind.tiles += task.tiles;
    ++kind.tasks;
  }

  void add_cube_tasks(const DecodeCube& cube, int64_t group) {
    CoreProgram& program = core(group, 0);
    const auto order = cube_order(group);
    std::vector<int64_t> numbers;
    for (const auto& [lane, number] : order) numbers.push_back(number);
    const int64_t last = last_part(numbers);
    const auto count = static_cast<int64_t>(order.size());
    const int64_t ahead =
        layout_.config.vector_scores ? 0 : layout_.config.lead * layout_.lanes + group % kPhases;
    int64_t tiles = 0;
    CubeCounts scores;
    CubeCounts values;
    for (int64_t i = -ahead; i < count; ++i) {
      if (ahead > 0 && i + ahead < count) {
        const auto [lane, number] = order[static_cast<size_t>(i + ahead)];
        // What the drain of values depends on makes no other template of scores.
        DecodeVariant variant = variant_of(task(number), half_of(lane), false);
        variant.part = false;
        const int id = template_of(score_templates_, variant,
                                   [&](const DecodeVariant& v) { return cube.scores(v); });
        add_cube_task(program, id, task(number), lane,
                      query_row(task(number).head, task(number).sequence), tiles, scores);
      }
      if (i < 0) continue;
      const auto [lane, number] = order[static_cast<size_t>(i)];
      const DecodeTask& done = task(number);
      const int id = template_of(value_templates_, variant_of(done, half_of(lane), i == last),
                                 [&](const DecodeVariant& v) { return cube.values(v); });
      const int64_t row = done.part_row >= 0 ? done.part_row : query_row(done.head, done.sequence);
      add_cube_task(program, id, done, lane, row, tiles, values);
    }
  }

  /// What comes before a task on a vector core.
  struct VectorCounts {
    int64_t tiles = 0;
    int64_t tasks = 0;
  };

  void add_vector_task(CoreProgram& program, int id, const DecodeTask& task, int64_t lane,
                       VectorCounts& before) {
    const auto at = DecodeTileNumbers::bindings(layout_, pages_, task);
    program.add(
        id, {at[0], at[1], at[2], at[3], at[4], query_row(task.head, task.sequence), before.tiles,
             before.tasks, work_row(lane), DecodeTileNumbers::columns(layout_, pages_, task),
             std::max<int64_t>(0, task.part_row)});
    before.tiles += task.tiles;
    ++before.tasks;
  }

  void add_vector_tasks(const DecodeVector& vector, int64_t lane) {
    if (group_of(lane) >= groups_) return;
    CoreProgram& program = core(group_of(lane), 1 + half_of(lane));
    const std::vector<int64_t>& tasks = tasks_of(lane);
    const int64_t last = last_part(tasks);
    const auto count = static_cast<int64_t>(tasks.size());
    VectorCounts done;
    VectorCounts fetched;
    for (int64_t i = -layout_.config.fetch; i < count; ++i) {
      const int64_t ahead = i + layout_.config.fetch;
      if (layout_.config.fetch > 0 && ahead < count) {
        const DecodeTask& next = task(tasks[static_cast<size_t>(ahead)]);
        if (fetch_template_ < 0) fetch_template_ = launch_.add_template(vector.fetch());
        add_vector_task(program, fetch_template_, next, lane, fetched);
      }
      if (i < 0) continue;
      const DecodeTask& next = task(tasks[static_cast<size_t>(i)]);
      const int id = template_of(vector_templates_, variant_of(next, half_of(lane), i == last),
                                 [&](const DecodeVariant& v) { return vector.task(v); });
      add_vector_task(program, id, next, lane, done);
    }
  }

  void add_merges() {
    KvReduction reduction = layout_.reduction;
    reduction.partial = kDecodePartial;
    reduction.out = kDecodeOut;
    reduction.parts_done = flags_.parts_done;
    const KvReductionFlags flags(launch_);
    std::map<KvReductionVariant, int> templates;
    const int64_t workers = groups_ * layout_.lanes;
    const int64_t parts_a_load = layout_.merge_ub.parts_a_load;
    for (int64_t worker = 0; worker < workers; ++worker) {
      int64_t before = 0;
      for (auto m = static_cast<size_t>(worker); m < plan_.merges.size();
           m += static_cast<size_t>(workers)) {
        const DecodeMerge& merge = plan_.merges[m];
        const int64_t loads = merge.parts / parts_a_load;
        const KvReductionVariant variant{loads > 0, merge.parts % parts_a_load, before == 0};
        const auto [place, is_new] = templates.try_emplace(variant, 0);
        if (is_new) {
          place->second =
              launch_.add_template(kv_reduction(reduction, layout_.merge_ub, flags, variant));
        }
        core(worker % groups_, 1 + worker / groups_)
            .add(place->second,
                 {query_row(merge.head, merge.sequence), merge.part_row, loads, before});
        before += loads + (variant.rest > 0 ? 1 : 0);
      }
    }
  }

  const Machine& machine_;
  DecodeLayout layout_;
  KvPages pages_;
  DecodePlan plan_;
  Launch launch_;
  DecodeFlags flags_;
  int64_t groups_ = 0;
  std::map<decltype(DecodeVariant().key()), int> score_templates_, value_templates_,
      vector_templates_;
  int fetch_template_ = -1;
};

}  // namespace

Launch build_decode_launch(const AttentionShape& shape, const DecodeSequences& sequences,
                           const Config& config, const Machine& machine) {
  Launch launch = DecodeBuilder(shape, sequences, config, machine).build();
  for (const int64_t keys : sequences.keys) {
    launch.flops += 4.0 * static_cast<double>(shape.dim * shape.heads) * static_cast<double>(keys);
  }
  return launch;
}

}  // namespace tilewright
