#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/space/problem.h"
#include "kernels/gemm/task_table.h"

namespace tilewright {

/// What happens to the sums of a GEMM, in this order:
///   + bias      of each column: f32, with i8 operands i32
///   * scales    dequantisation of i8: f32 of each column ("dequant"), and of each row as well
///               ("dequant_token"); all positive
///   activation  relu; gelu (tanh form); silu_mul: silu(gate) * up, where B is k x 2n with the
///               columns of gate before those of up
///   + residual  a tensor like C
/// As text the names of the parts in that order, joined by '+': "bias+dequant+gelu"; or "none".
struct Epilogue {
  enum class Activation : uint8_t { kNone, kRelu, kGelu, kSiluMul };

  bool bias = false;
  bool column_scales = false;
  bool row_scales = false;  ///< never without column_scales
  Activation activation = Activation::kNone;
  bool residual = false;

  std::string text() const;
  /// Whether the vector cores have work that the fixpipe cannot do.
  bool needs_vectors() const;

  friend bool operator==(const Epilogue&, const Epilogue&) = default;
};

/// Reads the parts in any order. Error (usage) lists the known parts, and refuses two activations
/// and a part twice.
Epilogue parse_epilogue(std::string_view text);

/// Every epilogue as text, the plain one first.
std::vector<std::string> epilogue_texts();

/// A GEMM as its launch sees it: plain, or grouped for experts, each with its own rows of A and C
/// and its own B.
struct GemmShape {
  DType type = DType::kF16;
  DType out = DType::kF16;
  bool fractal = false;  ///< B's layout
  int64_t m = 0;         ///< rows of A and C that are there, of all experts
  int64_t n = 0;         ///< columns of C
  int64_t k = 0;
  std::vector<int64_t> expert_rows;  ///< adding up to m; one entry in a plain GEMM
  Epilogue epilogue;

  /// Matrices that B holds side by side: two with silu_mul.
  int64_t sides() const { return epilogue.activation == Epilogue::Activation::kSiluMul ? 2 : 1; }
  /// Rows of B that an expert takes up and columns that a side takes up: weights in the fractal
  /// format are padded to whole fractals, offline.
  int64_t stored_k() const;
  int64_t stored_n() const;
  /// Granule of a tile's columns: fractals of L0C and, of i8, of L1.
  int64_t column_unit() const;
  TaskGrid grid(int64_t tile_m, int64_t tile_n, int64_t parts) const;
};

/// The shape of a problem of `gemm`, `gemm_padded` or `grouped_gemm`.
GemmShape gemm_shape(const Problem& problem);

/// Rows of each of `experts` experts: `rows` shared out by weights 1 / rank^(skew / 100), where the
/// ranks are a fixed permutation; what is left over goes to the largest remainders. A skew of 0 is
/// even, of 100 Zipf's law.
std::vector<int64_t> rows_of_experts(int64_t experts, int64_t rows, int64_t skew);

}  // namespace tilewright
