#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/model/rope.h"
#include "core/serving/executor.h"
#include "kernels/attention/attention.h"
#include "kernels/simulated/launch_runner.h"
#include "kernels/simulated/simulated_weights.h"

namespace tilewright {

/// The device that a pass runs on, and the paged KV cache there.
struct PassSetup {
  Machine machine;
  DType type = DType::kF32;  ///< of weights, activations and KV
  int64_t kv_blocks = 0;
  int64_t block_size = 0;
  bool timed = true;
};

/// The forward pass of a model over the tokens of a batch, op by op as launches of our
/// kernels on the functional simulator, and the KV cache that it leaves behind.
///
/// Rows are rounded up to kRowMultiple as in timing mode; rows beyond the tokens hold whatever was
/// there. Two things that timing mode leaves out are launches of their own here:
///   kv_write  K and V go to the cache as attention reads it, rows [block][KV head][slot] of one
///             head each; rope stores them token by token first
///   permute   queries of a token stand side by side behind rope, those of a KV head do for
///             attention, and back again; none where that is the same
/// Experts run one after another, each on the rows that chose it; the host reads the choice, as it
/// gives any table of rows.
///
/// Rotation is that of Hugging Face (halves of a head are pairs), which is kernel rope's: rows of
/// the weights keep their order. It gets cosines and sines of a token's position from the host.
class SimulatedPass {
 public:
  SimulatedPass(const ModelConfig& model, SimulatedWeights weights, PassSetup setup);

  void copy_blocks(std::span<const BlockCopy> copies);

  /// Logits of the slices that sample: drafts + 1 rows of vocab each, in order. The batch's ids and
  /// blocks are in range.
  std::vector<float> run(const Batch& batch);

  /// Simulated times of all launches since the last call.
  std::vector<OpTime> take_times() { return runner_.take_times(); }

 private:
  struct LayerCache {
    GmBytes k, v;
  };
  using Sizes = std::map<std::string, int64_t>;

  void prepare(const Batch& batch);
  void prepare_attention(const Batch& batch);
  void prepare_positions(const Batch& batch);
  void run_layer(SimulatedLayer& layer, LayerCache& cache, GmBytes& next_norm);
  void norm_heads(SimulatedLayer& layer);
  void attend(LayerCache& cache);
  void run_ffn(const std::string& prefix, SimulatedFfn& ffn, GmBytes& in, int64_t rows);
  void run_experts(SimulatedLayer& layer);
  std::vector<float> project_to_vocabulary(const Batch& batch);

  ReadyLaunch& ready(const char* kernel, Sizes sizes);
  void gather(const char* op, GmBytes& table, int64_t cols, std::vector<int64_t> rows,
              GmBytes& out);
  void linear(const std::string& op, SimulatedLinear& linear, GmBytes& in, int64_t rows,
              GmBytes& out, DType out_type);
  void norm(const char* op, GmBytes& in, int64_t rows, int64_t cols, GmBytes& weight, GmBytes& out);
  void add_norm(GmBytes& addend, GmBytes& weight);
  void write_cache(const char* op, GmBytes& k, GmBytes& v, std::vector<int64_t> rows,
                   LayerCache& cache);
  int64_t cache_row(int32_t block, int64_t head, int64_t slot) const;
  size_t bytes(int64_t rows, int64_t cols) const;

  ModelConfig model_;
  SimulatedWeights weights_;
  PassSetup setup_;
  AttentionShape shape_;
  Rope rope_;
  LaunchRunner runner_;
  std::vector<LayerCache> caches_;

  // Of the batch at hand.
  int64_t tokens_ = 0, rows_ = 0;                 ///< rows: tokens rounded up
  std::vector<int64_t> cache_rows_;               ///< of each token's KV heads
  std::vector<int64_t> to_groups_, from_groups_;  ///< rows of the permutations; empty: the same
  ReadyLaunch attention_;
  GmBytes cos_sin_;

  // Activations: rows x columns.
  GmBytes hidden_, sum_, normed_, qkv_, q_, k_, v_, grouped_, attended_, output_, projected_, wide_,
      active_, routed_, route_weights_, chosen_;
};

}  // namespace tilewright
