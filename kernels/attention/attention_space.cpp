#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "kernels/attention/attention_plan.h"
#include "kernels/attention/task_table.h"

namespace tilewright {

namespace {

const std::vector<std::string> kPlanned = {"tile_q", "tile_kv", "pipeline", "preload", "fifo"};

/// The plan for values of kPlanned; pipelines by rule are planned as either could come.
std::vector<AttentionPlan> plans_of(const AttentionShape& shape, std::span<const int64_t> v,
                                    const Machine& machine) {
  Config config;
  for (size_t i = 0; i < kPlanned.size(); ++i) config.values.emplace_back(kPlanned[i], v[i]);
  config.values.emplace_back("chain", 1);
  std::vector<AttentionPlan> plans;
  for (int64_t pipeline : {3, 4}) {
    if (pipeline == 3 && shape.latent) continue;
    if (v[2] == 0 || v[2] == pipeline) plans.emplace_back(shape, config, pipeline, machine);
  }
  return plans;
}

Constraint fits(const char* name, int64_t capacity, const AttentionShape& shape,
                const Machine& machine, int64_t (*bytes_of_plan)(const AttentionPlan&)) {
  const auto needed = [=](std::span<const int64_t> v) {
    int64_t most = 0;
    for (const AttentionPlan& plan : plans_of(shape, v, machine))
      most = std::max(most, bytes_of_plan(plan));
    return most;
  };
  return {name, kPlanned,
          [=](std::span<const int64_t> v) -> std::string {
            const int64_t bytes = needed(v);
            if (bytes <= capacity) return "";
            return fmt::format(
                "needs {} of {}, the machine has {}: {} too many; a smaller tile_q or "
                "tile_kv would fit",
                format_bytes(static_cast<double>(bytes)), name,
                format_bytes(static_cast<double>(capacity)),
                format_bytes(static_cast<double>(bytes - capacity)));
          },
          Resource{needed, capacity}};
}

std::vector<Parameter> parameters_of(const AttentionShape& shape) {
  // Latent keys wait in L1 until they serve as values: not for whole rows of scores.
  const std::vector<int64_t> pipelines =
      shape.latent ? std::vector<int64_t>{0, 2, 4} : std::vector<int64_t>{0, 2, 3, 4};
  return {{"tile_q", "rows of a query tile: tokens x query heads of a KV head", {16, 32, 64, 128}},
          {"tile_kv",
           "tokens of a KV tile, at most: whole blocks where they fit",
           {16, 32, 64, 128, 256}},
          {"pipeline",
           "stages: 2 is for decodes alone, 3 keeps whole rows of scores in L2, 4 rescales after "
           "each KV "
           "tile, 0 is by rule",
           pipelines},
          {"alpha",
           "of the rule: percent of the intermediate results that must fit L2 for 3 stages",
           {50, 100, 200}},
          {"preload", "KV tiles that the cube core computes scores of ahead", {1, 2, 4}},
          {"fifo", "slots of the workspaces between cube and vector cores", {2, 4, 8}},
          {"chain", "1: the next task begins while one ends; 0: one after another", {0, 1}},
          {"assignment",
           "tasks to cores: 0 in snake order, 1 to the least loaded, 2 as given",
           {0, 1, 2}},
          {"split_kv",
           "parts of a task's keys at most, where there are too few tasks (4 stages)",
           {1, 4, 16, 64}}};
}

std::vector<Constraint> rules_of() {
  return {{"decodes_alone",
           {"pipeline"},
           [](std::span<const int64_t> v) -> std::string {
             if (v[0] != 2) return "";
             return "pipeline=2 is for batches of decodes alone, with values of their own; give "
                    "pipeline=4, 3 or 0";
           }},
          {"fifo_room",
           {"preload", "fifo"},
           [](std::span<const int64_t> v) -> std::string {
             if (v[1] > v[0]) return "";
             return fmt::format(
                 "fifo={} does not hold the {} tiles of preload={} and one more; "
                 "give fifo={} or a smaller preload",
                 v[1], v[0], v[0], 2 * v[0]);
           }},
          {"rule_only",
           {"pipeline", "alpha"},
           [](std::span<const int64_t> v) -> std::string {
             if (v[0] == 0 || v[1] == 100) return "";
             return fmt::format(
                 "alpha={} is of the rule, but pipeline={} is chosen; give "
                 "pipeline=0, or leave alpha out",
                 v[1], v[0]);
           }},
          {"chained",
           {"pipeline", "chain"},
           [](std::span<const int64_t> v) -> std::string {
             if (v[1] == 1 || v[0] == 4) return "";
             return fmt::format("chain=0 is for pipeline=4 only, not for pipeline={}; give chain=1",
                                v[0]);
           }},
          {"splittable", {"pipeline", "split_kv"}, [](std::span<const int64_t> v) -> std::string {
             if (v[0] != 3 || v[1] == 1) return "";
             return fmt::format("split_kv={} is not for pipeline=3; give split_kv=1", v[1]);
           }}};
}

}  // namespace

Space attention_space(const AttentionShape& shape, const Machine& machine) {
  const auto& buffers = machine.buffers;
  std::vector<Constraint> constraints = rules_of();
  const auto add = [&](const char* name, int64_t capacity, int64_t (*bytes)(const AttentionPlan&)) {
    constraints.push_back(fits(name, capacity, shape, machine, bytes));
  };
  add("L1", buffers.l1_bytes, [](const AttentionPlan& plan) { return plan.l1_bytes; });
  add("L0A", buffers.l0a_bytes, [](const AttentionPlan& plan) { return plan.l0a_bytes; });
  add("L0B", buffers.l0b_bytes, [](const AttentionPlan& plan) { return plan.l0b_bytes; });
  add("L0C", buffers.l0c_bytes, [](const AttentionPlan& plan) { return plan.l0c_bytes; });
  add("UB", buffers.ub_bytes, [](const AttentionPlan& plan) { return plan.ub.bytes; });
  return {parameters_of(shape), std::move(constraints)};
}

Config attention_default(const AttentionShape& shape, bool decode_only, const Machine& machine) {
  const Space space = attention_space(shape, machine);
  const int64_t rows = decode_only ? std::min<int64_t>(128, round_up(shape.group(), 16)) : 128;
  // The tile nearest to the wish that fits, rows before tokens; the most work ahead that fits.
  for (int64_t tile_q : {128, 64, 32, 16}) {
    if (tile_q / 2 >= rows && tile_q > 16) continue;
    for (int64_t tile_kv : {256, 128, 64, 32, 16}) {
      for (int64_t preload : {4, 2, 1}) {
        // Decodes wait for HBM, not for each other's hand-over.
        if (decode_only && preload == 4) continue;
        const Config config{{{"tile_q", tile_q},
                             {"tile_kv", tile_kv},
                             {"pipeline", 4},
                             {"alpha", 100},
                             {"preload", preload},
                             {"fifo", 2 * preload},
                             {"chain", 1},
                             {"assignment", 0},
                             {"split_kv", 16}}};
        if (space.violation(config).empty()) return config;
      }
    }
  }
  throw Error(ErrorKind::kInfeasible,
              fmt::format("attention with {} heads, {} KV heads, dim {} and blocks of {} tokens "
                          "fits no tile on machine {}",
                          shape.heads, shape.kv_heads, shape.dim, shape.block_size, machine.name));
}

int64_t pipeline_by_rule(std::span<const AttentionSequence> sequences, int64_t tile_q,
                         int64_t alpha, const Machine& machine, DType type) {
  int64_t longest = 0;
  for (const AttentionSequence& s : sequences) longest = std::max(longest, s.context + s.tokens);
  // Every core works on tiles of the longest sequence at some time.
  const auto cells = static_cast<double>(tile_q * longest * machine.cores.aic);
  const double bytes = (4.0 + bytes_of(type)) * cells;
  const double room = static_cast<double>(machine.l2.capacity_bytes) * 100;
  return room > static_cast<double>(alpha) * bytes ? 3 : 4;
}

}  // namespace tilewright
