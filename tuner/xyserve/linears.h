#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/model_config.h"
#include "core/space/problem.h"

namespace tilewright {

/// A linear layer of a model as one rank of its tensor parallelism computes it.
struct Linear {
  std::string model;
  int64_t ranks = 1;
  std::string op;  ///< "qkv", "o_proj", "gate_up", "down"
  int64_t n = 0;
  int64_t k = 0;
};

/// What one of `ranks` ranks holds of a dense model: its share of heads, KV heads and inner columns
/// of the FFN. TW_CHECK: `ranks` divides all three.
ModelConfig rank_of_model(ModelConfig model, int64_t ranks);

/// The linears of the four models of XY-Serve's evaluation of SmoothGEMM: llama-2-7b, llama-2-13b
/// on 2 ranks, qwen2.5-32b on 4, qwen2.5-72b on 8.
std::vector<Linear> xyserve_linears();

/// The problem of kernel `gemm`, `gemm_library`, ... for m rows of a linear: f16, weights in
/// `layout` ("nd" or "nz").
Problem linear_problem(const Linear& linear, int64_t m, const std::string& kernel,
                       const std::string& layout);

}  // namespace tilewright
