#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tuner/search/features.h"

namespace tilewright {

/// A config as a model sees it: what it takes in each feature, and its time.
struct ProcessSample {
  std::vector<uint8_t> codes;  ///< of each feature
  double trend = 0;            ///< expected value before any data, in standard deviations
  double value = 0;
};

/// How times are expected to change between neighbouring values of an ordered parameter: by slopes
/// (Matern 3/2 on the coordinates) or by jumps (exponential). Kernels have both, and which of them
/// decides is not known before the search.
enum class Roughness { kSmooth, kRough };

/// How alike the times of two configs are expected to be: a mixture of a product over all features
/// and a mean over the parameters alone (main effects). Values of a feature that is not ordered
/// differ all by the same.
class Covariance {
 public:
  /// What is true of most spaces, before any data.
  Covariance(const FeatureSet& features, Roughness roughness);

  size_t features() const { return lengths_.size(); }
  const FeatureSet& feature_set() const { return *features_; }
  double length(size_t feature) const { return lengths_[feature]; }
  double additive() const { return additive_; }
  double noise() const { return noise_; }

  /// Logarithm of the correlation of two codes of a feature at a length scale.
  double log_correlation(size_t feature, size_t a, size_t b, double length) const;

  void set_length(size_t feature, double length);
  void set_additive(double share) { additive_ = share; }
  void set_noise(double variance) { noise_ = variance; }

  /// Correlation of one feature: row of the code, by the other code.
  std::span<const float> row(size_t feature, uint8_t code) const;
  /// Of two configs, by their codes; 1 of a config with itself.
  double operator()(std::span<const uint8_t> a, std::span<const uint8_t> b) const;

 private:
  const FeatureSet* features_;
  Roughness roughness_;
  std::vector<double> lengths_;
  double additive_ = 0.3;
  double noise_ = 1e-3;
  std::vector<std::vector<float>> tables_;  ///< by feature: [code][code]
};

/// Length scales, additive share and noise for the samples: the most probable under a prior around
/// those of a Covariance before any data, by coordinate search on the marginal likelihood with mean
/// and variance profiled out (Rasmussen and Williams, "Gaussian Processes for Machine Learning",
/// sections 2.7 and 5.4).
Covariance fitted_kernel(const FeatureSet& features, Roughness roughness,
                         std::span<const ProcessSample> samples);

/// The mean and variance (of the process, not of the data) that make the samples most probable, and
/// how probable that is.
struct ProcessScale {
  double mean = 0;
  double deviation = 1;
  double log_likelihood = 0;
};
ProcessScale process_scale(const Covariance& kernel, std::span<const ProcessSample> samples);

}  // namespace tilewright
