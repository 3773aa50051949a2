#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/model/model_config.h"
#include "core/model/parallel.h"

namespace tilewright {

/// What an op of the decoder does. Sizes are in elements; rows are tokens unless said otherwise.
enum class OpKind {
  kGather,       ///< moves `rows` rows of `columns` by a list of places: embedding, permutation
  kRmsNorm,      ///< rows x columns
  kAddRmsNorm,   ///< residual add, then norm: rows x columns
  kGemm,         ///< m=rows, n=columns, k=depth
  kGroupedGemm,  ///< the same for `groups` matrices that share out `rows` rows
  kRope,         ///< rotates `heads` heads of `columns` elements in `rows` tokens and writes new KV
  kAttention,    ///< over the batch's slices; see ModelConfig for heads
  kSiluMul,      ///< rows x columns outputs from rows x 2*columns inputs
  kRouter,       ///< choice of `groups` of `columns` experts for each of `rows` tokens
  kUnpermute,    ///< sums `groups` rows of `columns` for each of `rows` tokens
  kAdd,          ///< sum of two tensors of rows x columns
  kQuantize,     ///< to i8 by token: rows x columns
  kSample,       ///< argmax over rows x columns (sequences x vocabulary)
  kAllReduce,    ///< over the ranks: rows x columns
  kAllGather,    ///< over the ranks: rows x columns of each
  kSend,         ///< rows x columns to a chip of the next stage
};

/// One op of a step, executed `repeat` times with the same sizes (once a layer, say).
struct ModelOp {
  std::string name;  ///< "qkv", "o_proj", "gate_up", "down", "lm_head", "attention", ...
  OpKind kind = OpKind::kGemm;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;       ///< k of a GEMM; 0 elsewhere
  int64_t heads = 0;       ///< of kRope (query and key heads together); 0 elsewhere
  int64_t groups = 0;      ///< of kGroupedGemm, kRouter, kUnpermute; 0 elsewhere
  bool quantized = false;  ///< a GEMM of i8 with scales of tokens and columns
  int64_t repeat = 1;
  /// Of a GEMM that does the next op's work as its epilogue, as kernel `gemm` calls that
  /// ("silu_mul", "residual"); `columns` are then those of the result. Empty elsewhere.
  std::string epilogue = {};
};

/// Which part of a model a chip computes, and in which numbers.
struct RankLayout {
  Parallel parallel = {};
  int64_t stage = 0;       ///< of the pipeline
  bool quantized = false;  ///< W8A8: linears of layers in i8, what they read quantised by token
};

/// Ops that follow each other and are executed `repeat` times as a whole (the layers of one kind).
struct OpSection {
  int64_t repeat = 1;
  std::vector<ModelOp> ops;
};

/// The ops of one decoder step on `tokens` tokens of which `sampled` yield an output token, as the
/// fullest rank of a stage executes them. Attention carries no sizes: they depend on each
/// sequence's context.
///
/// GEMM sizes (XY-Serve, table of linears): qkv n=(heads+2*kv_heads)*head_dim k=hidden; o_proj
/// n=hidden k=heads*head_dim; gate_up n=2*inter k=hidden; down n=hidden k=inter; lm_head n=vocab.
/// Tensor parallelism splits them as core/model/parallel.h says, with an all-reduce after o_proj
/// and down and after the embedding, and an all-gather of logits. A stage sends its hidden states
/// and residuals on, each rank its share, which the ranks of the next stage gather (vLLM's
/// send_tensor_dict). Latent attention is computed in its absorbed form: products of each head are
/// one grouped GEMM. Routed experts are one grouped GEMM of tokens * top_k rows.
std::vector<OpSection> decoder_sections(const ModelConfig& model, int64_t tokens, int64_t sampled,
                                        const RankLayout& layout);

/// A GEMM that does the work of the op behind it, in one launch (GEMM epilogue fusion).
struct OpFusion {
  std::string name;  ///< of both: "gate_up+silu_mul"
  ModelOp gemm;
  std::vector<ModelOp> rest = {};  ///< what is left of the second: a norm behind a residual add
};

/// Whether an op and the next one can be one launch: a GEMM with SiLU and product, or with a
/// residual add, behind which the norm stays a launch of its own.
std::optional<OpFusion> fusion_of(const ModelOp& gemm, const ModelOp& next);

/// The sections with those fusions that `is_chosen` wants.
std::vector<OpSection> with_fusions(std::vector<OpSection> sections,
                                    const std::function<bool(const OpFusion&)>& is_chosen);

/// decoder_sections() with ops of equal name merged by `repeat`, in order of their first execution.
std::vector<ModelOp> decoder_ops(const ModelConfig& model, int64_t tokens, int64_t sampled,
                                 const RankLayout& layout = {});

/// Bytes of the weights that the fullest rank of a stage holds; norms, biases and scales left out.
int64_t rank_weight_bytes(const ModelConfig& model, const RankLayout& layout);

/// KV cache bytes of one token in the layers of a stage, for one rank.
int64_t rank_kv_bytes_per_token(const ModelConfig& model, const RankLayout& layout);

}  // namespace tilewright
