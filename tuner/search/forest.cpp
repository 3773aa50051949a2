#include "tuner/search/forest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tilewright {

namespace {

constexpr int kTrees = 50;
constexpr size_t kLeaf = 1;

double mean_of(std::span<ProcessSample*> samples) {
  double sum = 0;
  for (const ProcessSample* sample : samples) sum += sample->value;
  return sum / static_cast<double>(samples.size());
}

}  // namespace

Forest::Forest(const FeatureSet& features, std::span<const ProcessSample> samples, uint64_t seed)
    : features_(features.size()) {
  // Neighbouring features are alike, and one after the other would be few of the kinds.
  while (features_ > 0 && std::gcd(stride_, features_) != 1) ++stride_;
  std::vector<ProcessSample> copy(samples.begin(), samples.end());
  Random random(seed);
  for (int tree = 0; tree < kTrees; ++tree) {
    std::vector<ProcessSample*> all;
    for (ProcessSample& sample : copy) all.push_back(&sample);
    roots_.push_back(grow(all, random));
  }
}

Forest::Cut Forest::best_cut(std::span<ProcessSample*> samples, Random& random) const {
  // Half of those in which the samples differ, from a random one on.
  const size_t tries = std::max<size_t>(1, (features_ + 1) / 2);
  const size_t start = features_ == 0 ? 0 : random.below(features_);
  Cut best;
  size_t tried = 0;
  for (size_t i = 0; i < features_ && tried < tries; ++i) {
    const size_t feature = (start + i * stride_) % features_;
    const auto code = [&](const ProcessSample* sample) { return sample->codes[feature]; };
    const auto [low, high] = std::ranges::minmax_element(samples, {}, code);
    if (code(*low) == code(*high)) continue;
    ++tried;
    const auto cut = static_cast<uint8_t>(
        code(*low) + random.below(static_cast<uint64_t>(code(*high) - code(*low))));
    double left = 0;
    double right = 0;
    double left_count = 0;
    for (const ProcessSample* sample : samples) {
      const bool goes_left = code(sample) <= cut;
      (goes_left ? left : right) += sample->value;
      left_count += goes_left ? 1 : 0;
    }
    // What the variance falls by, up to what is the same for all cuts.
    const double right_count = static_cast<double>(samples.size()) - left_count;
    const double gain =
        std::pow(left / left_count - right / right_count, 2) * left_count * right_count;
    if (gain > best.gain) best = {feature, cut, gain};
  }
  return best;
}

int32_t Forest::grow(std::span<ProcessSample*> samples, Random& random) {
  const auto index = static_cast<int32_t>(nodes_.size());
  nodes_.emplace_back();
  nodes_.back().value = samples.empty() ? 0 : mean_of(samples);
  if (samples.size() <= kLeaf) return index;
  const Cut cut = best_cut(samples, random);
  if (cut.gain < 0) return index;
  const auto right = std::stable_partition(
      samples.begin(), samples.end(),
      [&](const ProcessSample* sample) { return sample->codes[cut.feature] <= cut.code; });
  const auto left_count = static_cast<size_t>(right - samples.begin());
  const int32_t left = grow(samples.first(left_count), random);
  const int32_t other = grow(samples.subspan(left_count), random);
  Node& node = nodes_[static_cast<size_t>(index)];
  node.feature = static_cast<int32_t>(cut.feature);
  node.cut = cut.code;
  node.left = left;
  node.right = other;
  return index;
}

Forest::Prediction Forest::predict(std::span<const uint8_t> codes) const {
  double sum = 0;
  double squares = 0;
  for (const int32_t root : roots_) {
    const Node* node = &nodes_[static_cast<size_t>(root)];
    while (node->feature >= 0) {
      const bool left = codes[static_cast<size_t>(node->feature)] <= node->cut;
      node = &nodes_[static_cast<size_t>(left ? node->left : node->right)];
    }
    sum += node->value;
    squares += node->value * node->value;
  }
  const auto trees = static_cast<double>(roots_.size());
  const double mean = sum / trees;
  return {mean, std::sqrt(std::max(0.0, squares / trees - mean * mean))};
}

}  // namespace tilewright
