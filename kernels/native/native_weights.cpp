#include "kernels/native/native_weights.h"

#include <fmt/format.h>

#include <span>

#include "core/base/integers.h"

namespace tilewright {

namespace {

/// A linear layer as the checkpoint has it.
struct Linear {
  std::vector<float> weights;  ///< [out, in]
  std::vector<float> bias;     ///< of outputs, or empty
  int64_t inputs = 0;

  std::span<const float> row(int64_t output) const {
    return std::span(weights).subspan(static_cast<size_t>(output * inputs),
                                      static_cast<size_t>(inputs));
  }
};

Linear read_linear(const Checkpoint& checkpoint, const std::string& name, int64_t inputs,
                   bool has_bias) {
  Linear linear{checkpoint.read(name + ".weight"), {}, inputs};
  if (has_bias) linear.bias = checkpoint.read(name + ".bias");
  return linear;
}

/// Packs the rows `rows` of a linear layer from output `at` on.
void pack_rows(const Linear& linear, PartRange rows, PackedMatrix& packed, int64_t at) {
  for (int64_t i = 0; i < rows.count; ++i) {
    packed.set_row(at + i, linear.row(rows.first + i));
    if (!linear.bias.empty()) {
      packed.set_bias(at + i, linear.bias[static_cast<size_t>(rows.first + i)]);
    }
  }
}

/// All rows with the inputs `columns`; the bias, which counts once, where `with_bias`.
PackedMatrix pack_columns(const Linear& linear, PartRange columns, bool with_bias) {
  const int64_t outputs = std::ssize(linear.weights) / linear.inputs;
  PackedMatrix packed(outputs, columns.count);
  for (int64_t i = 0; i < outputs; ++i) {
    packed.set_row(i, linear.row(i).subspan(static_cast<size_t>(columns.first),
                                            static_cast<size_t>(columns.count)));
    if (with_bias && !linear.bias.empty()) packed.set_bias(i, linear.bias[static_cast<size_t>(i)]);
  }
  return packed;
}

/// Heads as rows or columns.
PartRange elements(PartRange heads, int64_t head_dim) {
  return {heads.first * head_dim, heads.count * head_dim};
}

class LayerLoader {
 public:
  LayerLoader(const Checkpoint& checkpoint, int64_t tp, int64_t layer)
      : checkpoint_(checkpoint),
        model_(checkpoint.model()),
        tp_(tp),
        prefix_(fmt::format("model.layers.{}.", layer)) {}

  NativeLayer load() {
    layer_.ranks.resize(static_cast<size_t>(tp_));
    layer_.attention_norm = read("input_layernorm.weight");
    layer_.ffn_norm = read("post_attention_layernorm.weight");
    if (model_.qk_norm) {
      layer_.query_norm = read("self_attn.q_norm.weight");
      layer_.key_norm = read("self_attn.k_norm.weight");
    }
    load_attention();
    if (model_.experts == 0) {
      load_ffn("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", model_.intermediate);
      return std::move(layer_);
    }
    layer_.router = PackedMatrix(model_.experts, model_.hidden);
    pack_rows(linear("block_sparse_moe.gate", model_.hidden, false), {0, model_.experts},
              layer_.router, 0);
    for (int64_t expert = 0; expert < model_.experts; ++expert) {
      const std::string name = fmt::format("block_sparse_moe.experts.{}.", expert);
      load_ffn(name + "w1", name + "w3", name + "w2", model_.expert_intermediate);
    }
    return std::move(layer_);
  }

 private:
  std::vector<float> read(const std::string& name) const {
    return checkpoint_.read(prefix_ + name);
  }
  Linear linear(const std::string& name, int64_t inputs, bool has_bias) const {
    return read_linear(checkpoint_, prefix_ + name, inputs, has_bias);
  }

  void load_attention() {
    const Linear query = linear("self_attn.q_proj", model_.hidden, model_.qkv_bias);
    const Linear key = linear("self_attn.k_proj", model_.hidden, model_.qkv_bias);
    const Linear value = linear("self_attn.v_proj", model_.hidden, model_.qkv_bias);
    const Linear output =
        linear("self_attn.o_proj", model_.heads * model_.head_dim, model_.output_bias);
    for (int64_t rank = 0; rank < tp_; ++rank) {
      const PartRange queries = elements(query_heads(model_, tp_, rank), model_.head_dim);
      const PartRange kv = elements(kv_heads(model_, tp_, rank), model_.head_dim);
      NativeRankLayer& held = layer_.ranks[static_cast<size_t>(rank)];
      held.qkv = PackedMatrix(queries.count + 2 * kv.count, model_.hidden);
      pack_rows(query, queries, held.qkv, 0);
      pack_rows(key, kv, held.qkv, queries.count);
      pack_rows(value, kv, held.qkv, queries.count + kv.count);
      held.output = pack_columns(output, queries, rank == 0);
    }
  }

  void load_ffn(const std::string& gate_name, const std::string& up_name,
                const std::string& down_name, int64_t width) {
    const Linear gate = linear(gate_name, model_.hidden, model_.ffn_bias);
    const Linear up = linear(up_name, model_.hidden, model_.ffn_bias);
    const Linear down = linear(down_name, width, model_.ffn_bias);
    for (int64_t rank = 0; rank < tp_; ++rank) {
      const PartRange rows = ffn_rows(width, tp_, rank);
      const int64_t padded = round_up(rows.count, kPanelWidth);
      NativeFfn ffn{PackedMatrix(2 * padded, model_.hidden), pack_columns(down, rows, rank == 0)};
      pack_rows(gate, rows, ffn.gate_up, 0);
      pack_rows(up, rows, ffn.gate_up, padded);
      layer_.ranks[static_cast<size_t>(rank)].ffns.push_back(std::move(ffn));
    }
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& model_;
  int64_t tp_;
  std::string prefix_;
  NativeLayer layer_;
};

}  // namespace

double native_weight_bytes(const ModelConfig& model) {
  double elements = model.tied_embeddings
                        ? static_cast<double>(model.vocab) * static_cast<double>(model.hidden)
                        : 0;
  for (const WeightSpec& spec : weight_specs(model)) {
    double product = 1;
    for (const int64_t size : spec.shape) product *= static_cast<double>(size);
    elements += product;
  }
  return elements * static_cast<double>(sizeof(float));
}

NativeWeights load_native_weights(const Checkpoint& checkpoint, int64_t tp) {
  const ModelConfig& model = checkpoint.model();
  NativeWeights weights;
  const Linear embedding{checkpoint.read("model.embed_tokens.weight"), {}, model.hidden};
  const Linear head =
      model.tied_embeddings ? embedding : read_linear(checkpoint, "lm_head", model.hidden, false);
  for (int64_t rank = 0; rank < tp; ++rank) {
    NativeVocabulary part;
    part.rows = vocab_rows(model, tp, rank);
    const auto begin = embedding.weights.begin() + part.rows.first * model.hidden;
    part.embedding.assign(begin, begin + part.rows.count * model.hidden);
    part.head = PackedMatrix(part.rows.count, model.hidden);
    pack_rows(head, part.rows, part.head, 0);
    weights.vocabulary.push_back(std::move(part));
  }
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    weights.layers.push_back(LayerLoader(checkpoint, tp, layer).load());
  }
  weights.final_norm = checkpoint.read("model.norm.weight");
  return weights;
}

}  // namespace tilewright
