#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"

namespace tilewright {

/// The architecture of a decoder-only language model, as far as its time, memory and numerics need
/// it. Read from a Hugging Face config.json.
struct ModelConfig {
  std::string name;          ///< canonical name or the file's path
  std::string architecture;  ///< "LlamaForCausalLM", ...
  DType dtype = DType::kBF16;
  int64_t hidden = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;      ///< of queries and keys
  int64_t intermediate = 0;  ///< of the dense FFN
  int64_t vocab = 0;
  int64_t max_positions = 0;
  double rope_theta = 10000;
  std::string rope_scaling = "none";  ///< "none", "llama3", "yarn", "linear", "dynamic"
  double rope_factor = 1;
  /// Longest sequence before scaling, of "llama3" and "yarn"; 0: they do not apply.
  int64_t rope_original_positions = 0;
  double rope_low_freq_factor = 0;   ///< of "llama3"
  double rope_high_freq_factor = 0;  ///< of "llama3"
  double rope_beta_fast = 32;        ///< of "yarn"
  double rope_beta_slow = 1;         ///< of "yarn"
  bool rope_truncate = true;         ///< of "yarn": its ramp begins and ends at whole dimensions
  double rope_attention_factor = 1;  ///< of "yarn": queries and keys are scaled by it
  double norm_eps = 1e-6;
  bool tied_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;    ///< of the attention's output projection
  bool ffn_bias = false;       ///< of gate, up and down projection
  bool qk_norm = false;        ///< per-head RMSNorm of queries and keys (Qwen3)
  int64_t sliding_window = 0;  ///< tokens that a token sees, itself included; 0: none in use
  /// Whether the window holds in a layer; empty: in all.
  std::vector<bool> windowed_layers = {};

  /// Mixture of experts; experts == 0 for a dense model.
  int64_t experts = 0;
  int64_t experts_per_token = 0;
  int64_t shared_experts = 0;
  int64_t expert_intermediate = 0;
  int64_t dense_layers = 0;  ///< leading layers with a dense FFN instead of experts

  /// Multi-head latent attention; kv_lora_rank == 0 for ordinary heads.
  int64_t kv_lora_rank = 0;
  int64_t q_lora_rank = 0;  ///< 0: queries are projected directly
  int64_t qk_nope_dim = 0;
  int64_t qk_rope_dim = 0;
  int64_t v_head_dim = 0;  ///< equals head_dim for ordinary heads

  bool is_mla() const { return kv_lora_rank > 0; }
  /// Tokens that a token of this layer sees, itself included; 0: all.
  int64_t window_of(int64_t layer) const;

  /// Weights, embeddings and head included; norms and biases left out.
  int64_t parameters() const;
  /// Weights that one token touches (experts: the chosen and the shared ones).
  int64_t active_parameters() const;
  /// KV cache bytes of one token over all layers at `dtype` width.
  int64_t kv_bytes_per_token() const;
  int64_t weight_bytes() const;

  bool operator==(const ModelConfig&) const = default;
};

/// Reads a config.json text (comments allowed); `where` names it in errors and becomes the name.
/// Error (failed) gives file and key. What the files leave unsaid: no rope_theta means 10000, no
/// num_key_value_heads means as many as heads, no dtype means bf16; null counts as absent; Qwen2
/// has QKV biases, Qwen3 a norm of queries and keys; attention_bias adds one to the output
/// projection too; transformers 5 writes rope_parameters and dtype; sliding_window counts only
/// where use_sliding_window (Qwen: default false) lets it, and in Qwen's layers from
/// max_window_layers on (default 28) or those that layer_types calls sliding_attention. YaRN's
/// factor is `factor`, as vLLM and transformers 5 have it.
ModelConfig parse_model_config(std::string_view text, const std::string& where);

/// A canonical name ("qwen2-7b"), or the path of a config.json or of a folder that holds one. Error
/// (not found) suggests the nearest name.
ModelConfig load_model(const std::string& name_or_path);

/// Names of the built-in models, sorted.
std::vector<std::string> model_names();

}  // namespace tilewright
