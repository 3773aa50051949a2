#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/model/model_config.h"
#include "core/space/problem.h"
#include "kernels/simulated/launch_runner.h"

namespace tilewright {

/// The elements of a tensor of a checkpoint, by its Hugging Face name; matrices are [out, in].
using WeightSource = std::function<std::vector<float>(const std::string& name)>;

/// A linear layer as kernel `gemm` reads it: B = W^T in the fractal format, padded with zeros to
/// whole fractals; the bias in f32.
struct SimulatedLinear {
  int64_t inputs = 0;
  int64_t outputs = 0;
  GmBytes weights;
  GmBytes bias;  ///< empty: none

  /// The product for `rows` rows, with the result in `out`.
  Problem problem(int64_t rows, DType type, DType out) const;
};

/// A gated FFN, or one expert.
struct SimulatedFfn {
  SimulatedLinear gate_up;  ///< gates, then ups
  SimulatedLinear down;
};

struct SimulatedLayer {
  GmBytes attention_norm, ffn_norm;
  GmBytes query_norm, key_norm;  ///< of one head; empty: none
  SimulatedLinear qkv;           ///< query heads, then keys, then values
  SimulatedLinear output;
  SimulatedLinear router;          ///< of experts
  std::vector<SimulatedFfn> ffns;  ///< the FFN, or the experts
};

/// A model's weights in the device's memory, all in one type (biases in f32).
struct SimulatedWeights {
  GmBytes embedding;
  std::vector<SimulatedLayer> layers;
  GmBytes final_norm;
  SimulatedLinear head;
};

/// Error (failed) for a tensor that has not as many elements as the model says.
SimulatedWeights load_simulated_weights(const ModelConfig& model, const WeightSource& source,
                                        DType type);

}  // namespace tilewright
