#include "core/model/ops.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

/// Builds the sections of one rank's step.
class StepBuilder {
 public:
  StepBuilder(const ModelConfig& model, const RankLayout& layout, int64_t tokens)
      : model_(model), layout_(layout), tokens_(tokens) {}

  std::vector<OpSection> build(int64_t sampled) {
    const auto [first, count] = stage_layers(model_, layout_.parallel.pp, layout_.stage);
    const bool is_last = layout_.stage == layout_.parallel.pp - 1;
    begin();
    const int64_t dense_before = model_.experts > 0 ? model_.dense_layers : model_.layers;
    const int64_t dense = std::clamp<int64_t>(dense_before - first, 0, count);
    // The last layer of a stage that sends its results on leaves the norm to the next one.
    const int64_t whole_dense = dense - (!is_last && dense == count ? 1 : 0);
    const int64_t whole_routed = count - dense - (!is_last && dense < count ? 1 : 0);
    layers(whole_dense, false, true);
    layers(whole_routed, true, true);
    if (!is_last) layers(1, dense < count, false);
    end(is_last, sampled);
    return std::move(sections_);
  }

 private:
  int64_t tp() const { return layout_.parallel.tp; }

  void add(ModelOp op) { sections_.back().ops.push_back(std::move(op)); }

  void rows(std::string name, OpKind kind, int64_t rows, int64_t columns, int64_t groups = 0) {
    ModelOp op;
    op.name = std::move(name);
    op.kind = kind;
    op.rows = rows;
    op.columns = columns;
    op.groups = groups;
    add(std::move(op));
  }

  void gemm(std::string name, int64_t m, int64_t n, int64_t k, int64_t groups = 0) {
    ModelOp op;
    op.name = std::move(name);
    op.kind = groups > 0 ? OpKind::kGroupedGemm : OpKind::kGemm;
    op.rows = m;
    op.columns = n;
    op.depth = k;
    op.groups = groups;
    add(std::move(op));
  }

  /// A linear of a layer: in i8 where the layout says so, behind the quantisation of what it reads
  /// unless another linear has read the same.
  void linear(const std::string& name, int64_t m, int64_t n, int64_t k, int64_t groups = 0,
              bool reads_new = true) {
    if (layout_.quantized && reads_new) rows(name + "_quantize", OpKind::kQuantize, m, k);
    gemm(name, m, n, k, groups);
    sections_.back().ops.back().quantized = layout_.quantized;
  }

  void all_reduce(const std::string& name) {
    if (tp() > 1) rows(name, OpKind::kAllReduce, tokens_, model_.hidden);
  }

  void rope(int64_t heads, int64_t columns) {
    rows("rope", OpKind::kRope, tokens_, columns);
    sections_.back().ops.back().heads = heads;
  }

  void begin() {
    sections_.push_back({});
    if (layout_.stage > 0) {
      rows("add_rms_norm", OpKind::kAddRmsNorm, tokens_, model_.hidden);
      return;
    }
    rows("embedding", OpKind::kGather, tokens_, model_.hidden);
    all_reduce("embedding_all_reduce");
    rows("rms_norm", OpKind::kRmsNorm, tokens_, model_.hidden);
  }

  void layers(int64_t count, bool routed, bool norm_after) {
    if (count == 0) return;
    sections_.push_back({count, {}});
    if (model_.is_mla()) {
      latent_attention();
    } else {
      attention();
    }
    all_reduce("all_reduce");
    rows("add_rms_norm", OpKind::kAddRmsNorm, tokens_, model_.hidden);
    if (routed) {
      experts();
    } else {
      ffn("", tokens_, model_.intermediate, 0);
    }
    all_reduce("all_reduce");
    if (norm_after) rows("add_rms_norm", OpKind::kAddRmsNorm, tokens_, model_.hidden);
  }

  void attention() {
    const int64_t heads = query_heads(model_, tp(), 0).count;
    const int64_t shared = kv_heads(model_, tp(), 0).count;
    linear("qkv", tokens_, (heads + 2 * shared) * model_.head_dim, model_.hidden);
    if (model_.qk_norm)
      rows("qk_norm", OpKind::kRmsNorm, tokens_ * (heads + shared), model_.head_dim);
    rope(heads + shared, model_.head_dim);
    rows("attention", OpKind::kAttention, 0, 0);
    linear("o_proj", tokens_, model_.hidden, heads * model_.head_dim);
  }

  void latent_attention() {
    const int64_t heads = query_heads(model_, tp(), 0).count;
    const int64_t query_width = heads * model_.head_dim;
    const int64_t latent = model_.kv_lora_rank + model_.qk_rope_dim;
    if (model_.q_lora_rank > 0) {
      linear("q_a_proj", tokens_, model_.q_lora_rank, model_.hidden);
      rows("q_a_norm", OpKind::kRmsNorm, tokens_, model_.q_lora_rank);
      linear("q_b_proj", tokens_, query_width, model_.q_lora_rank);
    } else {
      linear("q_proj", tokens_, query_width, model_.hidden);
    }
    linear("kv_a_proj", tokens_, latent, model_.hidden, 0, false);
    rows("kv_a_norm", OpKind::kRmsNorm, tokens_, model_.kv_lora_rank);
    rope(heads + 1, model_.qk_rope_dim);
    rows("kv_write", OpKind::kGather, tokens_, latent);
    gemm("q_absorb", tokens_ * heads, model_.kv_lora_rank, model_.qk_nope_dim, heads);
    rows("attention", OpKind::kAttention, 0, 0);
    gemm("v_absorb", tokens_ * heads, model_.v_head_dim, model_.kv_lora_rank, heads);
    linear("o_proj", tokens_, model_.hidden, heads * model_.v_head_dim);
  }

  void ffn(const std::string& prefix, int64_t count, int64_t width, int64_t groups) {
    const int64_t inner = ffn_rows(width, tp(), 0).count;
    linear(prefix + "gate_up", count, 2 * inner, model_.hidden, groups);
    rows(prefix + "silu_mul", OpKind::kSiluMul, count, inner);
    linear(prefix + "down", count, model_.hidden, inner, groups);
  }

  void experts() {
    const int64_t chosen = model_.experts_per_token;
    const int64_t routed_rows = tokens_ * chosen;
    gemm("router", tokens_, model_.experts, model_.hidden);
    rows("router_top_k", OpKind::kRouter, tokens_, model_.experts, chosen);
    rows("expert_permute", OpKind::kGather, routed_rows, model_.hidden);
    ffn("expert_", routed_rows, model_.expert_intermediate, model_.experts);
    rows("expert_unpermute", OpKind::kUnpermute, tokens_, model_.hidden, chosen);
    if (model_.shared_experts == 0) return;
    ffn("shared_", tokens_, model_.shared_experts * model_.expert_intermediate, 0);
    rows("expert_add", OpKind::kAdd, tokens_, model_.hidden);
  }

  void end(bool is_last, int64_t sampled) {
    sections_.push_back({});
    if (is_last) {
      if (sampled == 0) return;
      const int64_t columns = vocab_rows(model_, tp(), 0).count;
      gemm("lm_head", sampled, columns, model_.hidden);
      if (tp() > 1) rows("all_gather", OpKind::kAllGather, sampled, columns);
      rows("sample", OpKind::kSample, sampled, model_.vocab);
      return;
    }
    const int64_t share = ceil_div(model_.hidden, tp());
    for (int tensor = 0; tensor < 2; ++tensor) {
      rows("send", OpKind::kSend, tokens_, share);
      if (tp() > 1) rows("stage_all_gather", OpKind::kAllGather, tokens_, share);
    }
  }

  const ModelConfig& model_;
  const RankLayout& layout_;
  int64_t tokens_ = 0;
  std::vector<OpSection> sections_;
};

}  // namespace

std::vector<OpSection> decoder_sections(const ModelConfig& model, int64_t tokens, int64_t sampled,
                                        const RankLayout& layout) {
  TW_CHECK(tokens >= 1, "a step computes at least one token");
  TW_CHECK(sampled >= 0 && sampled <= tokens, "a sampled position is one of the step's tokens");
  return StepBuilder(model, layout, tokens).build(sampled);
}

std::optional<OpFusion> fusion_of(const ModelOp& gemm, const ModelOp& next) {
  if (gemm.kind != OpKind::kGemm || !gemm.epilogue.empty() || gemm.rows != next.rows) {
    return std::nullopt;
  }
  OpFusion fusion{gemm.name + "+" + next.name, gemm, {}};
  fusion.gemm.name = fusion.name;
  if (next.kind == OpKind::kSiluMul && gemm.columns == 2 * next.columns) {
    fusion.gemm.columns = next.columns;
    fusion.gemm.epilogue = "silu_mul";
    return fusion;
  }
  if (next.kind == OpKind::kAddRmsNorm && gemm.columns == next.columns) {
    fusion.gemm.epilogue = "residual";
    ModelOp norm = next;
    norm.name = "rms_norm";
    norm.kind = OpKind::kRmsNorm;
    fusion.rest.push_back(std::move(norm));
    return fusion;
  }
  return std::nullopt;
}

std::vector<OpSection> with_fusions(std::vector<OpSection> sections,
                                    const std::function<bool(const OpFusion&)>& is_chosen) {
  for (OpSection& section : sections) {
    std::vector<ModelOp> ops;
    for (size_t i = 0; i < section.ops.size(); ++i) {
      const bool is_last = i + 1 == section.ops.size();
      std::optional<OpFusion> fusion =
          is_last ? std::nullopt : fusion_of(section.ops[i], section.ops[i + 1]);
      if (!fusion || !is_chosen(*fusion)) {
        ops.push_back(std::move(section.ops[i]));
        continue;
      }
      ops.push_back(std::move(fusion->gemm));
      for (ModelOp& rest : fusion->rest) ops.push_back(std::move(rest));
      ++i;
    }
    section.ops = std::move(ops);
  }
  return sections;
}

std::vector<ModelOp> decoder_ops(const ModelConfig& model, int64_t tokens, int64_t sampled,
                                 const RankLayout& layout) {
  std::vector<ModelOp> merged;
  for (const OpSection& section : decoder_sections(model, tokens, sampled, layout)) {
    for (const ModelOp& op : section.ops) {
      const auto known = std::ranges::find(merged, op.name, &ModelOp::name);
      if (known != merged.end()) {
        known->repeat += section.repeat;
      } else {
        merged.push_back(op);
        merged.back().repeat = section.repeat;
      }
    }
  }
  return merged;
}

int64_t rank_weight_bytes(const ModelConfig& model, const RankLayout& layout) {
  int64_t bytes = 0;
  for (const ModelOp& op : decoder_ops(model, 1, 1, layout)) {
    if (op.kind != OpKind::kGemm && op.kind != OpKind::kGroupedGemm) continue;
    const int64_t width = op.quantized ? 1 : bytes_of(model.dtype);
    bytes += std::max<int64_t>(1, op.groups) * op.columns * op.depth * op.repeat * width;
  }
  const int64_t table =
      vocab_rows(model, layout.parallel.tp, 0).count * model.hidden * bytes_of(model.dtype);
  const bool shares_head = model.tied_embeddings && layout.parallel.pp == 1;
  return bytes + (layout.stage == 0 && !shares_head ? table : 0);
}

int64_t rank_kv_bytes_per_token(const ModelConfig& model, const RankLayout& layout) {
  const int64_t layers = stage_layers(model, layout.parallel.pp, layout.stage).count;
  const int64_t elements = model.is_mla() ? model.kv_lora_rank + model.qk_rope_dim
                                          : kv_heads(model, layout.parallel.tp, 0).count *
                                                (model.head_dim + model.v_head_dim);
  return layers * elements * bytes_of(model.dtype);
}

}  // namespace tilewright
