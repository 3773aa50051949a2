#include "core/model/ops.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

namespace {

int64_t divide_up(int64_t value, int64_t by) {
  return (value + by - 1) / by;
}

/// Appends ops of one step; those with nothing to do (no rows, never executed) are left out.
class OpList {
 public:
  void gemm(std::string name, int64_t m, int64_t n, int64_t k, int64_t repeat) {
    add({.name = std::move(name),
         .kind = OpKind::kGemm,
         .rows = m,
         .columns = n,
         .depth = k,
         .repeat = repeat});
  }

  void rows(std::string name, OpKind kind, int64_t rows, int64_t columns, int64_t repeat) {
    add({.name = std::move(name),
         .kind = kind,
         .rows = rows,
         .columns = columns,
         .repeat = repeat});
  }

  void rope(int64_t rows, int64_t heads, int64_t columns, int64_t repeat) {
    add({.name = "rope",
         .kind = OpKind::kRope,
         .rows = rows,
         .columns = columns,
         .heads = heads,
         .repeat = repeat});
  }

  void add(ModelOp op) {
    if (op.repeat > 0) ops_.push_back(std::move(op));
  }

  std::vector<ModelOp> take() { return std::move(ops_); }

 private:
  std::vector<ModelOp> ops_;
};

void add_attention(OpList& ops, const ModelConfig& model, int64_t tokens) {
  const int64_t layers = model.layers;
  ops.gemm("qkv", tokens, (model.heads + 2 * model.kv_heads) * model.head_dim, model.hidden,
           layers);
  if (model.qk_norm) {
    ops.rows("qk_norm", OpKind::kRmsNorm, tokens * (model.heads + model.kv_heads), model.head_dim,
             layers);
  }
  ops.rope(tokens, model.heads + model.kv_heads, model.head_dim, layers);
  ops.add({.name = "attention", .kind = OpKind::kAttention, .repeat = layers});
  ops.gemm("o_proj", tokens, model.hidden, model.heads * model.head_dim, layers);
}

void add_latent_attention(OpList& ops, const ModelConfig& model, int64_t tokens) {
  const int64_t layers = model.layers;
  const int64_t query_width = model.heads * model.head_dim;
  if (model.q_lora_rank > 0) {
    ops.gemm("q_a_proj", tokens, model.q_lora_rank, model.hidden, layers);
    ops.rows("q_a_norm", OpKind::kRmsNorm, tokens, model.q_lora_rank, layers);
    ops.gemm("q_b_proj", tokens, query_width, model.q_lora_rank, layers);
  } else {
    ops.gemm("q_proj", tokens, query_width, model.hidden, layers);
  }
  ops.gemm("kv_a_proj", tokens, model.kv_lora_rank + model.qk_rope_dim, model.hidden, layers);
  ops.rows("kv_a_norm", OpKind::kRmsNorm, tokens, model.kv_lora_rank, layers);
  ops.rope(tokens, model.heads + 1, model.qk_rope_dim, layers);
  ops.gemm("q_absorb", tokens, model.kv_lora_rank, model.qk_nope_dim, layers * model.heads);
  ops.add({.name = "attention", .kind = OpKind::kAttention, .repeat = layers});
  ops.gemm("v_absorb", tokens, model.v_head_dim, model.kv_lora_rank, layers * model.heads);
  ops.gemm("o_proj", tokens, model.hidden, model.heads * model.v_head_dim, layers);
}

void add_ffn(OpList& ops, const std::string& prefix, int64_t rows, int64_t hidden,
             int64_t intermediate, int64_t repeat) {
  ops.gemm(prefix + "gate_up", rows, 2 * intermediate, hidden, repeat);
  ops.rows(prefix + "silu_mul", OpKind::kSiluMul, rows, intermediate, repeat);
  ops.gemm(prefix + "down", rows, hidden, intermediate, repeat);
}

void add_experts(OpList& ops, const ModelConfig& model, int64_t tokens, int64_t layers) {
  const int64_t routed_rows = tokens * model.experts_per_token;
  const int64_t busy_experts = std::min(model.experts, routed_rows);
  ops.gemm("router", tokens, model.experts, model.hidden, layers);
  ops.rows("router_top_k", OpKind::kRouter, tokens, model.experts, layers);
  ops.rows("expert_permute", OpKind::kPermute, routed_rows, model.hidden, layers);
  add_ffn(ops, "expert_", divide_up(routed_rows, busy_experts), model.hidden,
          model.expert_intermediate, layers * busy_experts);
  ops.rows("expert_unpermute", OpKind::kPermute, routed_rows, model.hidden, layers);
  if (model.shared_experts > 0) {
    add_ffn(ops, "shared_", tokens, model.hidden, model.shared_experts * model.expert_intermediate,
            layers);
  }
}

}  // namespace

std::vector<ModelOp> decoder_ops(const ModelConfig& model, int64_t tokens, int64_t sampled) {
  TW_CHECK(tokens >= 1, "a step computes at least one token");
  TW_CHECK(sampled >= 0 && sampled <= tokens, "a sampled position is one of the step's tokens");
  OpList ops;
  ops.rows("embedding", OpKind::kEmbedding, tokens, model.hidden, 1);
  ops.rows("rms_norm", OpKind::kRmsNorm, tokens, model.hidden, 1);
  if (model.is_mla()) {
    add_latent_attention(ops, model, tokens);
  } else {
    add_attention(ops, model, tokens);
  }
  // Two norms a layer and the final one, of which the first has no residual to add.
  ops.rows("add_rms_norm", OpKind::kAddRmsNorm, tokens, model.hidden, 2 * model.layers);
  const int64_t dense_layers = model.experts > 0 ? model.dense_layers : model.layers;
  add_ffn(ops, "", tokens, model.hidden, model.intermediate, dense_layers);
  if (model.layers > dense_layers) {
    add_experts(ops, model, tokens, model.layers - dense_layers);
  }
  if (sampled > 0) {
    ops.gemm("lm_head", sampled, model.vocab, model.hidden, 1);
    ops.rows("sample", OpKind::kSample, sampled, model.vocab, 1);
  }
  return ops.take();
}

}  // namespace tilewright
