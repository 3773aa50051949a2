#include "core/model/model_config.h"

namespace tilewright {

namespace {

/// Gate, up and down projection of a gated FFN.
int64_t ffn_parameters(int64_t hidden, int64_t intermediate) {
  return 3 * hidden * intermediate;
}

int64_t attention_parameters(const ModelConfig& model) {
  const int64_t output = model.heads * model.v_head_dim * model.hidden;
  if (!model.is_mla()) {
    return model.hidden * (model.heads + model.kv_heads) * model.head_dim +
           model.hidden * model.kv_heads * model.v_head_dim + output;
  }
  const int64_t query_width = model.heads * (model.qk_nope_dim + model.qk_rope_dim);
  const int64_t query = model.q_lora_rank > 0 ? model.q_lora_rank * (model.hidden + query_width)
                                              : model.hidden * query_width;
  const int64_t latent = model.hidden * (model.kv_lora_rank + model.qk_rope_dim);
  const int64_t expand = model.kv_lora_rank * model.heads * (model.qk_nope_dim + model.v_head_dim);
  return query + latent + expand + output;
}

/// All layers and the embeddings, with `experts` of the routed experts counted in each layer.
int64_t parameters_with(const ModelConfig& model, int64_t experts) {
  const int64_t embeddings = model.vocab * model.hidden * (model.tied_embeddings ? 1 : 2);
  const int64_t attention = model.layers * attention_parameters(model);
  const int64_t dense_layers = model.experts > 0 ? model.dense_layers : model.layers;
  const int64_t dense = dense_layers * ffn_parameters(model.hidden, model.intermediate);
  const int64_t router = model.hidden * model.experts;
  const int64_t mixture = (model.layers - dense_layers) *
                          (router + (experts + model.shared_experts) *
                                        ffn_parameters(model.hidden, model.expert_intermediate));
  return embeddings + attention + dense + mixture;
}

}  // namespace

int64_t ModelConfig::window_of(int64_t layer) const {
  const bool windowed = windowed_layers.empty() || windowed_layers[static_cast<size_t>(layer)];
  return windowed ? sliding_window : 0;
}

int64_t ModelConfig::parameters() const {
  return parameters_with(*this, experts);
}

int64_t ModelConfig::active_parameters() const {
  return parameters_with(*this, experts_per_token);
}

int64_t ModelConfig::kv_bytes_per_token() const {
  const int64_t per_layer =
      is_mla() ? kv_lora_rank + qk_rope_dim : kv_heads * (head_dim + v_head_dim);
  return layers * per_layer * bytes_of(dtype);
}

int64_t ModelConfig::weight_bytes() const {
  return parameters() * bytes_of(dtype);
}

}  // namespace tilewright
