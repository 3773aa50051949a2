#pragma once

#include <cstdint>

#include "core/base/dtype.h"
#include "kernels/attention/attention.h"
#include "kernels/kernel.h"

namespace tilewright {

/// The machine that all benchmarks simulate.
inline const Machine& bench_machine() {
  static const Machine machine = load_machine("ascend-910b2");
  return machine;
}

inline Problem gemm_cube(int64_t size, const char* dtype) {
  return find_kernel("gemm").problem({.sizes = {{"m", size}, {"n", size}, {"k", size}},
                                      .dtype = dtype,
                                      .layout = "",
                                      .epilogue = ""});
}

/// The untuned launch of a size^3 GEMM.
inline Launch gemm_launch(int64_t size, const char* dtype) {
  const Kernel& gemm = find_kernel("gemm");
  const Problem problem = gemm_cube(size, dtype);
  return gemm.build(problem, gemm.default_config(problem, bench_machine()), bench_machine());
}

/// Decode attention of qwen2-7b (28 heads, 4 KV heads): 64 sequences with 1300 tokens of context.
inline Launch decode_launch() {
  const AttentionShape shape{DType::kBF16, 28, 4, 128, 128};
  const std::vector<AttentionSequence> sequences(64, {1, 1300});
  return build_attention_launch(shape, sequences, attention_default(shape, true, bench_machine()),
                                bench_machine());
}

}  // namespace tilewright
