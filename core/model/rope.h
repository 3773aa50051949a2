#pragma once

#include <vector>

#include "core/model/model_config.h"

namespace tilewright {

/// Rotary positions (Su et al. 2021) as Hugging Face computes them: element i of the first half of
/// a head is rotated with element i of the second half by position * frequencies[i] radians, and
/// the result is scaled.
struct Rope {
  std::vector<double> frequencies;  ///< rotated width / 2
  double scale = 1;
};

/// theta^(-2i/d), then scaled as the model says: "linear" divides by the factor; "llama3" divides
/// long wavelengths and blends towards short ones; "yarn" blends along dimensions (Peng et al.
/// 2023). "dynamic" changes nothing up to max_position_embeddings, which is the longest sequence
/// that is served.
Rope rope_of(const ModelConfig& model);

}  // namespace tilewright
