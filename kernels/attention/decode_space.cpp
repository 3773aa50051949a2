#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "kernels/attention/decode_launch.h"
#include "kernels/attention/decode_plan.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

const std::vector<std::string> kLayoutParameters = {"pipeline", "tile_kv", "max_keys",
                                                    "buffers",  "lead",    "fetch"};

Config layout_config(std::span<const int64_t> v) {
  return {{{"pipeline", v[0]},
           {"tile_kv", v[1]},
           {"max_keys", v[2]},
           {"buffers", v[3]},
           {"lead", v[4]},
           {"fetch", v[5]},
           {"split_kv", 1},
           {"assignment", 0}}};
}

Constraint fits(const char* name, int64_t capacity, const AttentionShape& shape,
                const Machine& machine, int64_t DecodeLayout::*part) {
  const auto needed = [=](std::span<const int64_t> v) {
    return DecodeLayout(shape, DecodeConfig(layout_config(v)), machine).*part;
  };
  return {name, kLayoutParameters,
          [=](std::span<const int64_t> v) -> std::string {
            const int64_t bytes = needed(v);
            if (bytes <= capacity) return "";
            return fmt::format(
                "needs {} of {}, the machine has {}: {} too many; a smaller tile_kv, max_keys or "
                "buffers would fit",
                format_bytes(static_cast<double>(bytes)), name,
                format_bytes(static_cast<double>(capacity)),
                format_bytes(static_cast<double>(bytes - capacity)));
          },
          Resource{needed, capacity}};
}

}  // namespace

Space decode_space(const AttentionShape& shape, const Machine& machine) {
  std::vector<Parameter> parameters = {
      {"pipeline",
       "stages: 2 with QK on the vector cores, 3 with QK on the cube core, 0 is by rule; 4 is for "
       "other batches",
       {0, 2, 3, 4}},
      {"tile_kv", "keys of a tile", {32, 64, 128, 256}},
      {"max_keys", "keys of a task at most", {128, 256, 512, 1024, 2048, 3072, 4096, 8192, 16384}},
      {"buffers", "tiles of keys in UB (pipeline 2)", {2, 3, 4}},
      {"lead", "tasks that the scores of a vector core run ahead", {1, 2, 4}},
      {"fetch", "tasks whose q the vector cores bring to L2 ahead (pipeline 3)", {0, 4}},
      {"split_kv", "parts of a sequence's keys at most", {1, 4, 16, 64}},
      {"assignment", "of tasks to cores: 0 snake, 1 greedy", {0, 1}}};
  std::vector<Constraint> constraints;
  constraints.push_back(
      {"never_rescales", {"pipeline"}, [](std::span<const int64_t> v) -> std::string {
         if (v[0] != 4) return "";
         return "pipeline=4 rescales after each KV tile; a batch of decodes alone has its scores "
                "at "
                "once; give pipeline=2, 3 or 0";
       }});
  constraints.push_back(
      {"one_buffers", {"pipeline", "buffers"}, [](std::span<const int64_t> v) -> std::string {
         if (v[0] != 3 || v[1] == 2) return "";
         return fmt::format(
             "buffers={} is not for pipeline=3, which has no tiles of keys in UB; "
             "give buffers=2",
             v[1]);
       }});
  constraints.push_back(
      {"fetch", {"pipeline", "fetch"}, [](std::span<const int64_t> v) -> std::string {
         if (v[0] == 3 || v[1] == 0) return "";
         return fmt::format(
             "fetch={} is not for pipeline={}, whose vector cores read q for "
             "themselves, nor for the rule; give fetch=0",
             v[1], v[0]);
       }});
  constraints.push_back(
      {"task", {"tile_kv", "max_keys"}, [](std::span<const int64_t> v) -> std::string {
         if (v[0] <= v[1]) return "";
         return fmt::format(
             "a task of max_keys={} holds no tile of tile_kv={}; give a smaller "
             "tile_kv or a larger max_keys",
             v[1], v[0]);
       }});
  const auto& buffers = machine.buffers;
  constraints.push_back(fits("L1", buffers.l1_bytes, shape, machine, &DecodeLayout::l1_bytes));
  constraints.push_back(fits("L0A", buffers.l0a_bytes, shape, machine, &DecodeLayout::l0a_bytes));
  constraints.push_back(fits("L0B", buffers.l0b_bytes, shape, machine, &DecodeLayout::l0b_bytes));
  constraints.push_back(fits("L0C", buffers.l0c_bytes, shape, machine, &DecodeLayout::l0c_bytes));
  constraints.push_back(fits("UB", buffers.ub_bytes, shape, machine, &DecodeLayout::ub_bytes));
  return {std::move(parameters), std::move(constraints)};
}

double vector_cycles_a_key(const AttentionShape& shape, const Machine& machine) {
  const auto slope = [&](VectorOp op) { return machine.vector.cost_of(op, false).slope; };
  const auto repeats = [&](int64_t elements) {
    return static_cast<double>(elements * 4) / static_cast<double>(machine.vector.repeat_bytes);
  };
  const double all = repeats(shape.dim);
  const VectorOp widen = shape.type == DType::kF32 ? VectorOp::kCopy : VectorOp::kConvert;
  // Halves are added until a row fits one repeat, which is summed up.
  const double folds = std::max(0.0, all - 1);
  const auto heads = static_cast<double>(shape.heads / shape.kv_heads);
  return all * slope(widen) + heads * (std::max(1.0, all) * slope(VectorOp::kMul) +
                                       folds * slope(VectorOp::kAdd) + slope(VectorOp::kRowSum));
}

bool scores_on_vector_cores(const AttentionShape& shape, const Machine& machine) {
  const double bytes = 2.0 * static_cast<double>(shape.dim * bytes_of(shape.type));
  const double hbm_cycles =
      bytes * static_cast<double>(machine.cores.aic) / hbm_bytes_per_cycle(machine);
  return vector_cycles_a_key(shape, machine) <=
         hbm_cycles * static_cast<double>(machine.cores.aiv_per_aic);
}

namespace {

/// The default where some config fits.
std::optional<Config> first_fit(const AttentionShape& shape, std::span<const int64_t> keys,
                                const Machine& machine) {
  const bool keeps_up = scores_on_vector_cores(shape, machine);
  const int64_t longest = *std::max_element(keys.begin(), keys.end());
  const Space space = decode_space(shape, machine);
  for (const int64_t pipeline : {keeps_up ? 2 : 3, keeps_up ? 3 : 2}) {
    for (const int64_t tile : {128, 64, 32}) {
      for (const int64_t max_keys : {16384, 8192, 4096, 3072, 2048, 1024, 512, 256, 128}) {
        if (max_keys >= 2 * std::max<int64_t>(512, longest)) continue;
        for (const int64_t buffers : {3, 2}) {
          Config config{{{"pipeline", pipeline},
                         {"tile_kv", tile},
                         {"max_keys", max_keys},
                         {"buffers", buffers},
                         {"lead", pipeline == 3 ? 1 : 2},
                         {"fetch", pipeline == 3 ? 4 : 0},
                         {"split_kv", 64},
                         {"assignment", 0}}};
          if (space.violation(config).empty()) return config;
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<int64_t> decode_keys(std::span<const AttentionSequence> sequences) {
  std::vector<int64_t> keys;
  for (const AttentionSequence& sequence : sequences) keys.push_back(sequence.context + 1);
  return keys;
}

bool is_decode_launch(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                      const Machine& machine) {
  if (shape.latent || shape.v_dim > 0 || shape.tree_masks) return false;
  if (!decodes_only(sequences)) return false;
  return first_fit(shape, decode_keys(sequences), machine).has_value();
}

Config decode_default(const AttentionShape& shape, std::span<const int64_t> keys,
                      const Machine& machine) {
  if (const std::optional<Config> config = first_fit(shape, keys, machine)) return *config;
  throw Error(ErrorKind::kInfeasible,
              fmt::format("decode attention with {} heads, {} KV heads, dim {} and blocks of {} "
                          "tokens fits no tile on machine {}",
                          shape.heads, shape.kv_heads, shape.dim, shape.block_size, machine.name));
}

}  // namespace tilewright
