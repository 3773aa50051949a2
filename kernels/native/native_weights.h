#pragma once

#include <cstdint>
#include <vector>

#include "core/model/checkpoint.h"
#include "core/model/parallel.h"
#include "kernels/native/panel_product.h"

namespace tilewright {

/// A gated FFN, or one expert, as one rank holds it: gate and up projection one below the other,
/// each padded to whole panels.
struct NativeFfn {
  PackedMatrix gate_up;
  PackedMatrix down;
};

/// What one rank holds of one layer.
struct NativeRankLayer {
  PackedMatrix qkv;  ///< query heads, then keys, then values
  PackedMatrix output;
  std::vector<NativeFfn> ffns;  ///< the FFN, or the experts
};

struct NativeLayer {
  std::vector<float> attention_norm;
  std::vector<float> ffn_norm;
  std::vector<float> query_norm;  ///< of one head; empty: none
  std::vector<float> key_norm;
  PackedMatrix router;  ///< of experts
  std::vector<NativeRankLayer> ranks;
};

/// The rows of embedding and head that one rank holds.
struct NativeVocabulary {
  PartRange rows;
  std::vector<float> embedding;  ///< rows.count * hidden
  PackedMatrix head;
};

/// A model's weights in f32, spread over tp ranks.
struct NativeWeights {
  std::vector<NativeLayer> layers;
  std::vector<float> final_norm;
  std::vector<NativeVocabulary> vocabulary;  ///< by rank
};

/// Bytes that load_native_weights() will need.
double native_weight_bytes(const ModelConfig& model);

/// Reads and packs a checkpoint, tensor by tensor. Errors as Checkpoint::read().
NativeWeights load_native_weights(const Checkpoint& checkpoint, int64_t tp);

}  // namespace tilewright
