#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "kernels/simulated/simulated_executor.h"
#include "tests/kernels/plain_model.h"
#include "tests/random_checkpoint.h"

namespace tilewright {

constexpr int64_t kVocabulary = 83;

inline const Machine& simulated_machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

inline std::string config_of(const std::string& architecture, const std::string& more = "",
                             const char* kv_heads = "2") {
  return R"({"architectures": [")" + architecture + R"("], "hidden_size": 40,
    "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": )" +
         kv_heads + R"(,
    "intermediate_size": 56, "vocab_size": 83, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "head_dim": 16, "rope_theta": 100)" +
         more + "}";
}

/// Prompts of one token, of whole blocks and of ragged ones.
inline const std::vector<std::vector<int32_t>>& prompts() {
  static const std::vector<std::vector<int32_t>> all = [] {
    std::vector<std::vector<int32_t>> list;
    Random random(99);
    for (const int64_t length : {1, 5, 16, 41}) {
      std::vector<int32_t> ids;
      for (int64_t i = 0; i < length; ++i)
        ids.push_back(static_cast<int32_t>(random.below(kVocabulary)));
      list.push_back(ids);
    }
    return list;
  }();
  return all;
}

/// A checkpoint in a folder, and what the plain model says about it.
struct SimulatedFixture {
  explicit SimulatedFixture(const CheckpointRecipe& recipe)
      : weights(write_checkpoint(folder, recipe)), checkpoint(folder.path()) {}

  SimulatedExecutor executor(const SimulatedOptions& options) const {
    return SimulatedExecutor(checkpoint, simulated_machine(), options);
  }

  TempFolder folder;
  PlainModel::Weights weights;
  Checkpoint checkpoint;
};

struct Architecture {
  const char* name;
  CheckpointRecipe recipe;
};

/// In f32.
inline const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all = [] {
    const std::string f32 = R"(, "torch_dtype": "float32")";
    const std::string llama3 = R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8,
      "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64})";
    return std::vector<Architecture>{
        {"Llama", {config_of("LlamaForCausalLM", f32), "F32", 1, 1}},
        {"LlamaWithBiases",
         {config_of("LlamaForCausalLM", R"(, "attention_bias": true, "mlp_bias": true)" + f32),
          "F32", 1, 2}},
        {"LlamaShardedTied",
         {config_of("LlamaForCausalLM", R"(, "tie_word_embeddings": true)" + llama3 + f32), "F32",
          3, 3}},
        {"Qwen2", {config_of("Qwen2ForCausalLM", f32), "F32", 1, 4}},
        {"Qwen3", {config_of("Qwen3ForCausalLM", f32), "F32", 1, 6}},
        {"MixtralTop2",
         {config_of("MixtralForCausalLM",
                    R"(, "num_local_experts": 4, "num_experts_per_tok": 2)" + f32),
          "F32", 1, 8}},
        {"MistralOneKvHead", {config_of("MistralForCausalLM", f32, "1"), "F32", 1, 7}}};
  }();
  return all;
}

/// Logits of about unit size in f32: a few hundred roundings.
constexpr double kTolerance = 1e-4;

}  // namespace tilewright
