#include "kernels/simulated/simulated_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "kernels/gemm/gemm_shape.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

GmBytes plain_bytes(DType type, int64_t rows, const std::vector<float>& values) {
  const auto cols = static_cast<int64_t>(values.size()) / rows;
  return write_tensor({"", type, Layout::kNd, rows, cols, 1, cols}, values);
}

class Loader {
 public:
  Loader(const ModelConfig& model, const WeightSource& source, DType type)
      : model_(model), source_(source), type_(type) {}

  SimulatedWeights load() {
    SimulatedWeights weights;
    const std::vector<float> embedding =
        read("model.embed_tokens.weight", model_.vocab * model_.hidden);
    weights.embedding = plain_bytes(type_, model_.vocab, embedding);
    for (int64_t layer = 0; layer < model_.layers; ++layer) {
      prefix_ = fmt::format("model.layers.{}.", layer);
      weights.layers.push_back(load_layer());
    }
    prefix_.clear();
    weights.final_norm = norm("model.norm", model_.hidden);
    weights.head = model_.tied_embeddings
                       ? packed({{embedding, {}}}, model_.hidden)
                       : linear({{"lm_head", model_.vocab, false}}, model_.hidden);
    return weights;
  }

 private:
  /// A projection of the checkpoint.
  struct Part {
    std::string name;
    int64_t outputs;
    bool has_bias;
  };
  struct Elements {
    std::vector<float> weights;
    std::vector<float> bias;
  };

  std::vector<float> read(const std::string& name, int64_t elements) const {
    std::vector<float> values = source_(prefix_ + name);
    if (std::ssize(values) == elements) return values;
    throw Error(ErrorKind::kFailed, fmt::format("tensor {}{} has {} elements, the model needs {}",
                                                prefix_, name, values.size(), elements));
  }

  GmBytes norm(const std::string& name, int64_t elements) const {
    return plain_bytes(type_, 1, read(name + ".weight", elements));
  }

  SimulatedLayer load_layer() const {
    const int64_t dim = model_.head_dim;
    const int64_t queries = model_.heads * dim;
    const int64_t keys = model_.kv_heads * dim;
    SimulatedLayer layer;
    layer.attention_norm = norm("input_layernorm", model_.hidden);
    layer.ffn_norm = norm("post_attention_layernorm", model_.hidden);
    if (model_.qk_norm) {
      layer.query_norm = norm("self_attn.q_norm", dim);
      layer.key_norm = norm("self_attn.k_norm", dim);
    }
    layer.qkv = linear({{"self_attn.q_proj", queries, model_.qkv_bias},
                        {"self_attn.k_proj", keys, model_.qkv_bias},
                        {"self_attn.v_proj", keys, model_.qkv_bias}},
                       model_.hidden);
    layer.output = linear({{"self_attn.o_proj", model_.hidden, model_.output_bias}}, queries);
    if (model_.experts == 0) {
      layer.ffns = {ffn("mlp.", {"gate_proj", "up_proj", "down_proj"}, model_.intermediate)};
      return layer;
    }
    layer.router = linear({{"block_sparse_moe.gate", model_.experts, false}}, model_.hidden);
    for (int64_t expert = 0; expert < model_.experts; ++expert) {
      layer.ffns.push_back(ffn(fmt::format("block_sparse_moe.experts.{}.", expert),
                               {"w1", "w3", "w2"}, model_.expert_intermediate));
    }
    return layer;
  }

  /// `names` of gate, up and down projection.
  SimulatedFfn ffn(const std::string& prefix, const std::array<const char*, 3>& names,
                   int64_t width) const {
    return {linear({{prefix + names[0], width, model_.ffn_bias},
                    {prefix + names[1], width, model_.ffn_bias}},
                   model_.hidden),
            linear({{prefix + names[2], model_.hidden, model_.ffn_bias}}, width)};
  }

  /// Projections of the same inputs side by side.
  SimulatedLinear linear(std::initializer_list<Part> parts, int64_t inputs) const {
    std::vector<Elements> elements;
    for (const Part& part : parts) {
      elements.push_back({read(part.name + ".weight", part.outputs * inputs), {}});
      if (part.has_bias) elements.back().bias = read(part.name + ".bias", part.outputs);
    }
    return packed(elements, inputs);
  }

  SimulatedLinear packed(const std::vector<Elements>& parts, int64_t inputs) const {
    SimulatedLinear linear;
    linear.inputs = inputs;
    std::vector<float> bias;
    for (const Elements& part : parts) {
      linear.outputs += std::ssize(part.weights) / inputs;
      bias.insert(bias.end(), part.bias.begin(), part.bias.end());
    }
    if (!bias.empty()) linear.bias = plain_bytes(DType::kF32, std::ssize(bias), bias);
    const GemmShape shape = gemm_shape(linear.problem(1, type_, type_));
    const int64_t rows = shape.stored_k();
    const int64_t cols = shape.stored_n();
    std::vector<float> transposed(static_cast<size_t>(rows * cols));
    int64_t output = 0;
    for (const Elements& part : parts) {
      for (auto row = part.weights.begin(); row != part.weights.end(); row += inputs, ++output) {
        for (int64_t i = 0; i < inputs; ++i)
          transposed[static_cast<size_t>(i * cols + output)] = row[i];
      }
    }
    linear.weights = write_tensor({"b", type_, Layout::kZn, rows, cols, rows, cols}, transposed);
    return linear;
  }

  const ModelConfig& model_;
  const WeightSource& source_;
  DType type_;
  std::string prefix_;
};

}  // namespace

Problem SimulatedLinear::problem(int64_t rows, DType type, DType out) const {
  ProblemRequest request;
  request.sizes = {{"m", rows}, {"n", outputs}, {"k", inputs}};
  request.dtype = std::string(name_of(type));
  request.out_dtype = std::string(name_of(out));
  request.layout = "nz";
  if (!bias.empty()) request.epilogue = "bias";
  return find_kernel("gemm").problem(request);
}

SimulatedWeights load_simulated_weights(const ModelConfig& model, const WeightSource& source,
                                        DType type) {
  return Loader(model, source, type).load();
}

}  // namespace tilewright
