#include "core/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tilewright {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;

double llama3_frequency(const ModelConfig& model, double frequency) {
  const auto original = static_cast<double>(model.rope_original_positions);
  const double turns = original * frequency / kTurn;  // within the original length
  const double low = model.rope_low_freq_factor;
  const double high = model.rope_high_freq_factor;
  if (turns < low) return frequency / model.rope_factor;
  if (turns > high) return frequency;
  const double smooth = (turns - low) / (high - low);
  return (1 - smooth) * frequency / model.rope_factor + smooth * frequency;
}

/// The dimension whose wavelength makes so many turns within the original length.
double yarn_dimension(const ModelConfig& model, double width, double turns) {
  const auto original = static_cast<double>(model.rope_original_positions);
  return width * std::log(original / (turns * kTurn)) / (2 * std::log(model.rope_theta));
}

void scale_yarn(const ModelConfig& model, double width, std::vector<double>& frequencies) {
  double low = yarn_dimension(model, width, model.rope_beta_fast);
  double high = yarn_dimension(model, width, model.rope_beta_slow);
  if (model.rope_truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, width - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / model.rope_factor * ramp + frequencies[i] * (1 - ramp);
  }
}

}  // namespace

Rope rope_of(const ModelConfig& model) {
  const auto width = static_cast<double>(model.is_mla() ? model.qk_rope_dim : model.head_dim);
  Rope rope;
  for (double i = 0; i + 1 < width; i += 2) {
    rope.frequencies.push_back(std::pow(model.rope_theta, -i / width));
  }
  if (model.rope_scaling == "linear") {
    for (double& frequency : rope.frequencies) frequency /= model.rope_factor;
  } else if (model.rope_scaling == "llama3") {
    for (double& frequency : rope.frequencies) frequency = llama3_frequency(model, frequency);
  } else if (model.rope_scaling == "yarn") {
    scale_yarn(model, width, rope.frequencies);
    rope.scale = model.rope_attention_factor;
  }
  return rope;
}

}  // namespace tilewright
