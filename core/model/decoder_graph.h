#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/op_graph.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"

namespace tilewright {

/// A decoder layer as a graph of tensor ops, for whoever plans which of them share a kernel.
struct DecoderGraph {
  OpGraph graph;
  /// The ops of decoder_sections() that it is made of, in order; an op that comes again in a layer
  /// has another name here ("add_rms_norm_2").
  std::vector<ModelOp> ops = {};
};

/// The layer that a stage executes most often, on `tokens` tokens: from the normalised input and
/// the residual (parameters "x" and "residual") to those of the next layer. Norms (f32 inside, as
/// Hugging Face computes them), SiLU, residual adds, quantisation by token and plain GEMMs are ops
/// of elements, reduces and dots; all else (attention, rotation with its KV writes, experts,
/// quantised GEMMs, collectives) is a custom call that nothing joins. Each tensor op is called as
/// the model op that it is part of, and of several by a part's name behind a dot: "silu_mul.up".
DecoderGraph decoder_graph(const ModelConfig& model, int64_t tokens, const RankLayout& layout = {});

/// "silu_mul" of "silu_mul.up".
std::string_view model_op_of(std::string_view tensor_op);

}  // namespace tilewright
