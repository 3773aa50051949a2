#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/space/space.h"

namespace tilewright {

/// One view of a config that a model compares configs by: a parameter, the odd part of one, or the
/// product of two. Its values are numbered by small codes.
struct Feature {
  enum class Kind {
    kParameter,  ///< the value of a parameter
    kOddPart,    ///< what is left of a value after division by the powers of two in it
    kProduct,    ///< of two parameters, such as the threads of a block
  };
  Kind kind = Kind::kParameter;
  size_t first = 0;         ///< parameter
  size_t second = 0;        ///< parameter of a product
  size_t second_count = 1;  ///< of its values
  bool ordered = true;
  /// By code, ascending from 0 to 1; meaningless when not ordered.
  std::vector<double> coordinates;
  /// By place of the first parameter, times the count of the second, plus its place.
  std::vector<uint8_t> code_of;
};

/// The features of a space. Parameters with one value have none; those that are names have no odd
/// parts and products.
///
/// Why these: times of kernels follow magnitudes on a scale between linear and logarithmic; they
/// jump between values that are divisible by a warp, a line or a fractal and values that are not
/// (the odd part tells); and what a machine sees is often a product (threads, bytes of a tile).
class FeatureSet {
 public:
  explicit FeatureSet(const Space& space);

  size_t size() const { return features_.size(); }
  const Feature& operator[](size_t index) const { return features_[index]; }
  /// Those that are parameters come first.
  size_t parameters() const { return parameters_; }
  /// By parameter that has a feature: the features that are decided once this parameter and those
  /// before it are.
  std::span<const std::vector<size_t>> decided() const { return decided_; }

  /// Writes the code of each feature; `places` as of SpaceIndex.
  void codes(std::span<const int> places, std::span<uint8_t> out) const;

  /// How far the values of a config are from powers of two: the sum of log2 of the odd parts, each
  /// counted up to 2. 0 for a config of powers of two.
  double oddness(std::span<const int> places) const;

 private:
  void add_parameter(const Space& space, size_t parameter);
  void add_odd_part(const Space& space, size_t parameter);
  void add_product(const Space& space, size_t first, size_t second);
  void add(Feature feature, const std::vector<double>& value_of);

  std::vector<Feature> features_;
  size_t parameters_ = 0;
  std::vector<std::vector<size_t>> decided_;
  std::vector<std::vector<double>> oddness_of_;  ///< by parameter, by place; empty: never odd
};

}  // namespace tilewright
