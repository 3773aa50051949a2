#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "core/model/model_config.h"

namespace tilewright {

/// A decoder in f64 as its publishers describe it: one token after the other, every layer written
/// out with loops, no KV cache, no batch. Independent of the executor under test.
class PlainModel {
 public:
  using Vector = std::vector<double>;
  using Weights = std::map<std::string, std::vector<float>>;

  PlainModel(const ModelConfig& model, const Weights& weights) : model_(model), weights_(weights) {}

  /// Logits after the last of `ids`.
  Vector logits(const std::vector<int32_t>& ids) const {
    std::vector<Vector> stream;
    for (const int32_t id : ids) {
      const auto& table = weights_.at("model.embed_tokens.weight");
      const auto begin = table.begin() + id * model_.hidden;
      stream.emplace_back(begin, begin + model_.hidden);
    }
    for (int64_t layer = 0; layer < model_.layers; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".";
      const std::vector<Vector> attended = attention(stream, name, model_.window_of(layer));
      for (size_t t = 0; t < stream.size(); ++t) {
        add(stream[t], attended[t], 1);
        const Vector x = norm(stream[t], name + "post_attention_layernorm.weight");
        add(stream[t], model_.experts > 0 ? mixture(x, name) : dense(x, name), 1);
      }
    }
    const char* head = model_.tied_embeddings ? "model.embed_tokens" : "lm_head";
    return linear(norm(stream.back(), "model.norm.weight"), head);
  }

 private:
  static void add(Vector& to, const Vector& from, double factor) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += factor * from[i];
  }

  Vector linear(const Vector& x, const std::string& name) const {
    const std::vector<float>& weight = weights_.at(name + ".weight");
    const size_t outputs = weight.size() / x.size();
    Vector y(outputs);
    for (size_t o = 0; o < outputs; ++o) {
      for (size_t i = 0; i < x.size(); ++i) {
        y[o] += x[i] * static_cast<double>(weight[o * x.size() + i]);
      }
      const auto bias = weights_.find(name + ".bias");
      if (bias != weights_.end()) y[o] += static_cast<double>(bias->second[o]);
    }
    return y;
  }

  Vector norm(const Vector& x, const std::string& name) const {
    double squares = 0;
    for (const double value : x) squares += value * value;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + model_.norm_eps);
    Vector y(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      y[i] = x[i] * scale * static_cast<double>(weights_.at(name)[i]);
    }
    return y;
  }

  /// Radians per position of pair `i`, written along the wavelength as the publishers do.
  double frequency(double i) const {
    const auto width = static_cast<double>(model_.head_dim);
    const double plain = 1 / std::pow(model_.rope_theta, 2 * i / width);
    const auto original = static_cast<double>(model_.rope_original_positions);
    const double factor = model_.rope_factor;
    if (model_.rope_scaling == "linear") return plain / factor;
    if (model_.rope_scaling == "llama3") {
      const double wavelength = 2 * std::numbers::pi / plain;
      if (wavelength < original / model_.rope_high_freq_factor) return plain;
      if (wavelength > original / model_.rope_low_freq_factor) return plain / factor;
      const double smooth = (original / wavelength - model_.rope_low_freq_factor) /
                            (model_.rope_high_freq_factor - model_.rope_low_freq_factor);
      return (1 - smooth) * plain / factor + smooth * plain;
    }
    if (model_.rope_scaling == "yarn") {
      const auto dimension = [&](double rotations) {
        return width * std::log(original / (rotations * 2 * std::numbers::pi)) /
               (2 * std::log(model_.rope_theta));
      };
      const double low = std::max(std::floor(dimension(model_.rope_beta_fast)), 0.0);
      const double high = std::min(std::ceil(dimension(model_.rope_beta_slow)), width - 1);
      const double keep = 1 - std::min(std::max((i - low) / (high - low), 0.0), 1.0);
      return plain / factor * (1 - keep) + plain * keep;
    }
    return plain;
  }

  Vector rotated(const Vector& head, size_t position) const {
    Vector y(head.size());
    const size_t half = head.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * frequency(static_cast<double>(i));
      const double scale = model_.rope_attention_factor;
      y[i] = scale * (head[i] * std::cos(angle) - head[half + i] * std::sin(angle));
      y[half + i] = scale * (head[half + i] * std::cos(angle) + head[i] * std::sin(angle));
    }
    return y;
  }

  /// The heads of a projection, normed and rotated where a position is given.
  std::vector<Vector> heads(const Vector& x, const std::string& projection,
                            const std::string& norm_name, int64_t position) const {
    const Vector all = linear(x, projection);
    std::vector<Vector> result;
    for (size_t at = 0; at < all.size(); at += static_cast<size_t>(model_.head_dim)) {
      const auto begin = all.begin() + static_cast<int64_t>(at);
      Vector head(begin, begin + model_.head_dim);
      if (!norm_name.empty() && model_.qk_norm) head = norm(head, norm_name);
      if (position >= 0) head = rotated(head, static_cast<size_t>(position));
      result.push_back(head);
    }
    return result;
  }

  std::vector<Vector> attention(const std::vector<Vector>& stream, const std::string& name,
                                int64_t window) const {
    const std::string self = name + "self_attn.";
    std::vector<std::vector<Vector>> keys, values;
    std::vector<Vector> result;
    const auto group = static_cast<size_t>(model_.heads / model_.kv_heads);
    for (size_t t = 0; t < stream.size(); ++t) {
      const Vector x = norm(stream[t], name + "input_layernorm.weight");
      const auto position = static_cast<int64_t>(t);
      keys.push_back(heads(x, self + "k_proj", self + "k_norm.weight", position));
      values.push_back(heads(x, self + "v_proj", "", -1));
      Vector joined;
      const auto queries = heads(x, self + "q_proj", self + "q_norm.weight", position);
      for (size_t h = 0; h < queries.size(); ++h) {
        const size_t first =
            window > 0 && position >= window ? t + 1 - static_cast<size_t>(window) : 0;
        Vector sum(static_cast<size_t>(model_.head_dim));
        double total = 0;
        for (size_t s = first; s <= t; ++s) {
          double score = 0;
          for (size_t d = 0; d < sum.size(); ++d) score += queries[h][d] * keys[s][h / group][d];
          const double power = std::exp(score / std::sqrt(static_cast<double>(model_.head_dim)));
          add(sum, values[s][h / group], power);
          total += power;
        }
        for (const double value : sum) joined.push_back(value / total);
      }
      result.push_back(linear(joined, self + "o_proj"));
    }
    return result;
  }

  Vector gated(const Vector& x, const std::string& gate, const std::string& up,
               const std::string& down) const {
    Vector hidden = linear(x, gate);
    const Vector other = linear(x, up);
    for (size_t i = 0; i < hidden.size(); ++i) {
      hidden[i] = hidden[i] / (1 + std::exp(-hidden[i])) * other[i];
    }
    return linear(hidden, down);
  }

  Vector dense(const Vector& x, const std::string& name) const {
    return gated(x, name + "mlp.gate_proj", name + "mlp.up_proj", name + "mlp.down_proj");
  }

  Vector mixture(const Vector& x, const std::string& name) const {
    const Vector scores = linear(x, name + "block_sparse_moe.gate");
    double all = 0;
    std::vector<std::pair<double, size_t>> chances;
    for (const double score : scores) all += std::exp(score);
    for (size_t e = 0; e < scores.size(); ++e) chances.emplace_back(std::exp(scores[e]) / all, e);
    std::sort(chances.rbegin(), chances.rend());
    chances.resize(static_cast<size_t>(model_.experts_per_token));
    double kept = 0;
    for (const auto& [chance, expert] : chances) kept += chance;
    Vector y(x.size());
    for (const auto& [chance, expert] : chances) {
      const std::string path = name + "block_sparse_moe.experts." + std::to_string(expert) + ".";
      add(y, gated(x, path + "w1", path + "w3", path + "w2"), chance / kept);
    }
    return y;
  }

  ModelConfig model_;
  Weights weights_;
};

}  // namespace tilewright
