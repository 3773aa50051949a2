#pragma once

#include <cstdint>
#include <vector>

#include "core/model/model_config.h"
#include "kernels/native/native_weights.h"

namespace tilewright {

/// sum[r] += rows of `part`, `part_stride` apart, for all rows: an all-reduce in order of rank.
void add_rows(const std::vector<float>& part, int64_t part_stride, int64_t rows, int64_t width,
              std::vector<float>& sum);

/// The FFN of a layer: gated and dense, or a mixture of experts, over all ranks.
class NativeFfnRunner {
 public:
  explicit NativeFfnRunner(const ModelConfig& model) : model_(model) {}

  /// Adds the FFN's result for `rows` (tokens * hidden) to `sum`.
  void run(const NativeLayer& layer, const RowsView& rows, std::vector<float>& sum);

 private:
  /// An expert's token and the weight of its answer.
  struct Choice {
    int64_t row;
    float weight;
  };

  /// down(silu(gate(x)) * up(x)) into part_.
  void run_one(const NativeFfn& ffn, const RowsView& rows);
  /// Softmax over all experts, then the largest (equal ones by index), their weights scaled to sum
  /// up to 1: as Mixtral does.
  void route(const NativeLayer& layer, const RowsView& rows);
  void run_experts(const NativeRankLayer& rank, const RowsView& rows);

  ModelConfig model_;
  std::vector<std::vector<Choice>> choices_;  ///< by expert
  std::vector<float> router_logits_;
  std::vector<float> gathered_;
  std::vector<float> gate_up_;
  std::vector<float> activated_;
  std::vector<float> part_;
  std::vector<float> mixed_;  ///< of one rank
};

}  // namespace tilewright
