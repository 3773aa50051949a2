#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/random.h"
#include "tuner/search/kernel.h"

namespace tilewright {

/// Extremely randomised trees on the codes of features (Geurts, Ernst and Wehenkel, 2006): each
/// node tries a few features with one random cut each and keeps the one that leaves least variance.
class Forest {
 public:
  Forest(const FeatureSet& features, std::span<const ProcessSample> samples, uint64_t seed);

  struct Prediction {
    double mean = 0;
    double deviation = 0;  ///< between the trees
  };
  Prediction predict(std::span<const uint8_t> codes) const;

 private:
  struct Node {
    int32_t feature = -1;  ///< -1: a leaf
    uint8_t cut = 0;       ///< codes up to it go left
    int32_t left = 0;
    int32_t right = 0;
    double value = 0;  ///< of a leaf
  };
  struct Cut {
    size_t feature = 0;
    uint8_t code = 0;
    double gain = -1;
  };
  int32_t grow(std::span<ProcessSample*> samples, Random& random);
  Cut best_cut(std::span<ProcessSample*> samples, Random& random) const;

  size_t features_;
  size_t stride_ = 7;  ///< between the features that a node tries; coprime to their count
  std::vector<Node> nodes_;
  std::vector<int32_t> roots_;
};

}  // namespace tilewright
