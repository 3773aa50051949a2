#pragma once

#include <cstdint>
#include <string_view>

namespace tilewright {

/// Which kernels a step becomes.
enum class Lowering : uint8_t {
  /// XY-Serve: prefills, decodes and verifications in one launch of the meta-attention, SmoothGEMM
  /// with the plan's configs.
  kXyserve,
  /// A vendor's library: a launch of attention_library for each stage, gemm_library; grouped GEMMs
  /// as above, since it has none.
  kLibrary,
};
std::string_view name_of(Lowering lowering);
/// "xyserve" or "library"; Error (usage) suggests the nearest name.
Lowering parse_lowering(std::string_view name);

/// Numbers of a layer's linears.
enum class Quantization : uint8_t {
  kNone,
  kW8A8,  ///< i8 weights, activations quantised by token, dequantised by the GEMM's epilogue
};
std::string_view name_of(Quantization quantization);
/// "none" or "w8a8"; Error (usage) suggests the nearest name.
Quantization parse_quantization(std::string_view name);

}  // namespace tilewright
