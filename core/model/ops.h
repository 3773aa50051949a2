#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/model/model_config.h"

namespace tilewright {

/// What an op of the decoder does. Sizes are in elements; rows are tokens unless said otherwise.
enum class OpKind {
  kEmbedding,   ///< gather `rows` rows of `columns`
  kRmsNorm,     ///< rows x columns
  kAddRmsNorm,  ///< residual add, then norm: rows x columns
  kGemm,        ///< m=rows, n=columns, k=depth
  kRope,        ///< rotates `heads` heads of `columns` elements in `rows` tokens and writes new KV
  kAttention,   ///< over the batch's slices; see ModelConfig for heads
  kSiluMul,     ///< rows x columns outputs from rows x 2*columns inputs
  kRouter,      ///< top-k choice of experts: rows x columns (experts)
  kPermute,     ///< gathers `rows` rows of `columns` (tokens to experts and back)
  kSample,      ///< argmax over rows x columns (sequences x vocabulary)
};

/// One op of a step, executed `repeat` times with the same sizes (once a layer, say).
struct ModelOp {
  std::string
      name;  ///< "qkv", "o_proj", "gate_up", "down", "lm_head", "attention", "rms_norm", ...
  OpKind kind = OpKind::kGemm;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;  ///< k of a GEMM; 0 elsewhere
  int64_t heads = 0;  ///< of kRope (query and key heads together); 0 elsewhere
  int64_t repeat = 1;
};

/// The ops of one decoder step on `tokens` (>= 1) tokens of which `sampled` yield an output token,
/// in order of execution within a layer; ops of all layers are merged by `repeat`. Attention
/// carries no sizes: they depend on each sequence's context.
///
/// GEMM sizes (XY-Serve, table of linears): qkv n=(heads+2*kv_heads)*head_dim k=hidden; o_proj
/// n=hidden k=heads*head_dim; gate_up n=2*inter k=hidden; down n=hidden k=inter; lm_head n=vocab.
///
/// Norms: the first layer's input norm is "rms_norm"; every other one, the final one included, is
/// fused with the residual add before it ("add_rms_norm"). Qwen3 adds "qk_norm", whose rows are
/// tokens*(heads+kv_heads) of head_dim columns. Without sampled tokens lm_head and sample are
/// absent.
///
/// Experts of a mixture run one after another, each with an even share of the tokens*top_k rows
/// (rounded up); min(experts, tokens*top_k) of them have work. Their ops are "router",
/// "router_top_k", "expert_permute", "expert_gate_up", "expert_silu_mul", "expert_down" and
/// "expert_unpermute" (the weighted sum); shared experts are one FFN of their joint width
/// ("shared_gate_up", ...).
///
/// Latent attention always runs in its absorbed form, for prefill as for decode: the per-head
/// products q_nope * W_uk ("q_absorb": n=kv_lora_rank k=qk_nope_dim) and out * W_uv ("v_absorb":
/// n=v_head_dim k=kv_lora_rank) are GEMMs repeated layers*heads times, and attention works on the
/// cached latent of kv_lora_rank + qk_rope_dim. Before them come "q_proj" (or "q_a_proj",
/// "q_a_norm", "q_b_proj"), "kv_a_proj", "kv_a_norm", and "rope" over heads+1 heads of qk_rope_dim.
std::vector<ModelOp> decoder_ops(const ModelConfig& model, int64_t tokens, int64_t sampled);

}  // namespace tilewright
