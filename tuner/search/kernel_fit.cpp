#include <algorithm>
#include <array>
#include <cmath>

#include "tuner/search/kernel.h"

namespace tilewright {

namespace {

/// The likelihood of samples under kernels that differ in one thing at a time.
class Likelihood {
 public:
  Likelihood(const Kernel& kernel, std::span<const Sample> samples)
      : kernel_(kernel), samples_(samples), product_(pairs()), sum_(pairs()), work_(pairs()) {
    const double count = static_cast<double>(samples.size());
    double mean = 0;
    double square = 0;
    for (const Sample& sample : samples) mean += sample.value / count;
    for (const Sample& sample : samples) square += std::pow(sample.value - mean, 2) / count;
    spread_ = std::sqrt(std::max(square, 1e-12));
    recompute();
  }

  const Kernel& kernel() const { return kernel_; }

  void set_length(size_t feature, double length) {
    divide(feature);
    kernel_.set_length(feature, length);
    multiply(feature);
  }
  void set_additive(double share) { kernel_.set_additive(share); }
  void set_noise(double variance) { kernel_.set_noise(variance); }

  /// Rounding of the running products is swept out.
  void recompute() {
    std::ranges::fill(product_, 0.0);
    std::ranges::fill(sum_, 0.0);
    for (size_t f = 0; f < kernel_.features(); ++f) multiply(f);
  }

  ProcessScale scale() {
    const size_t n = samples_.size();
    const auto parameters = static_cast<double>(kernel_.feature_set().parameters());
    const double additive = kernel_.additive();
    for (size_t i = 0, at = 0; i < n; ++i) {
      for (size_t j = 0; j < i; ++j, ++at) {
        work_[at] = (1 - additive) * std::exp(product_[at]) +
                    (parameters > 0 ? additive * sum_[at] / parameters : additive);
      }
      work_[at++] = 1 + kernel_.noise();
    }
    return solved();
  }

 private:
  size_t pairs() const { return samples_.size() * (samples_.size() + 1) / 2; }

  void multiply(size_t feature) { change(feature, 1); }
  void divide(size_t feature) { change(feature, -1); }
  void change(size_t feature, double sign) {
    const bool own = feature < kernel_.feature_set().parameters();
    const size_t count = kernel_.feature_set()[feature].coordinates.size();
    logs_.resize(count * count);
    for (size_t a = 0; a < count; ++a) {
      const std::span<const float> row = kernel_.row(feature, static_cast<uint8_t>(a));
      for (size_t b = 0; b < count; ++b) {
        logs_[a * count + b] = std::log(static_cast<double>(row[b]) + 1e-30);
      }
    }
    for (size_t i = 0, at = 0; i < samples_.size(); ++i) {
      const size_t code = samples_[i].codes[feature];
      const std::span<const float> row = kernel_.row(feature, static_cast<uint8_t>(code));
      for (size_t j = 0; j <= i; ++j, ++at) {
        const size_t other = samples_[j].codes[feature];
        product_[at] += sign * logs_[code * count + other];
        if (own) sum_[at] += sign * static_cast<double>(row[other]);
      }
    }
  }

  /// Cholesky of work_ in place, and the solves for the samples and for ones.
  ProcessScale solved() {
    const size_t n = samples_.size();
    double log_determinant = 0;
    double ones_ones = 0;
    double ones_values = 0;
    double values_values = 0;
    ones_.resize(n);
    values_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      double* row = work_.data() + i * (i + 1) / 2;
      for (size_t j = 0; j <= i; ++j) {
        const double* other = work_.data() + j * (j + 1) / 2;
        double rest = row[j];
        for (size_t k = 0; k < j; ++k) rest -= row[k] * other[k];
        row[j] = i == j ? std::sqrt(std::max(rest, 1e-10)) : rest / other[j];
      }
      log_determinant += std::log(row[i]);
      double one = 1;
      double value = samples_[i].value - spread_ * samples_[i].trend;
      for (size_t k = 0; k < i; ++k) {
        one -= row[k] * ones_[k];
        value -= row[k] * values_[k];
      }
      ones_[i] = one / row[i];
      values_[i] = value / row[i];
      ones_ones += ones_[i] * ones_[i];
      ones_values += ones_[i] * values_[i];
      values_values += values_[i] * values_[i];
    }
    const double mean = ones_values / ones_ones;
    const double count = static_cast<double>(n);
    const double variance =
        std::max((values_values - mean * ones_values) / count, 1e-12 * spread_ * spread_ + 1e-18);
    return {mean, std::sqrt(variance), -0.5 * count * std::log(variance) - log_determinant};
  }

  Kernel kernel_;
  std::span<const Sample> samples_;
  double spread_ = 1;
  std::vector<double> product_;  ///< logarithms, lower triangle by rows
  std::vector<double> sum_;
  std::vector<double> work_;
  std::vector<double> logs_;
  std::vector<double> ones_;
  std::vector<double> values_;
};

double log_normal_prior(double value, double center, double deviation) {
  const double z = std::log(value / center) / deviation;
  return -0.5 * z * z;
}

double odds(double share) {
  return share / (1 - share);
}

/// One pass over everything that can be changed; false when nothing was.
class CoordinateSearch {
 public:
  CoordinateSearch(const Kernel& start, std::span<const Sample> samples)
      : start_(start), likelihood_(start_, samples), best_(posterior()) {}

  bool pass() {
    bool changed = false;
    for (size_t f = 0; f < start_.features(); ++f) changed |= improve_length(f);
    changed |= improve_noise();
    changed |= improve_additive();
    likelihood_.recompute();
    return changed;
  }
  const Kernel& kernel() const { return likelihood_.kernel(); }

 private:
  bool improve_length(size_t feature) {
    constexpr double kStep = 1.8;
    const double length = kernel().length(feature);
    for (const double factor : {1 / kStep, kStep}) {
      likelihood_.set_length(feature, length * factor);
      if (accept()) return true;
    }
    likelihood_.set_length(feature, length);
    return false;
  }

  bool improve_noise() {
    const double noise = kernel().noise();
    for (const double factor : {0.4, 2.5}) {
      likelihood_.set_noise(std::clamp(noise * factor, 1e-6, 0.3));
      if (accept()) return true;
    }
    likelihood_.set_noise(noise);
    return false;
  }

  bool improve_additive() {
    const double additive = kernel().additive();
    for (const double factor : {0.5, 2.0}) {
      const double changed = odds(additive) * factor;
      likelihood_.set_additive(changed / (1 + changed));
      if (accept()) return true;
    }
    likelihood_.set_additive(additive);
    return false;
  }

  bool accept() {
    const double value = posterior();
    if (value <= best_ + 1e-9) return false;
    best_ = value;
    return true;
  }

  double posterior() {
    double value = likelihood_.scale().log_likelihood;
    for (size_t f = 0; f < start_.features(); ++f) {
      value += log_normal_prior(kernel().length(f), start_.length(f), 1.0);
    }
    value += log_normal_prior(kernel().noise(), start_.noise(), 1.5);
    value += log_normal_prior(odds(kernel().additive()), odds(start_.additive()), 1.5);
    return value;
  }

  Kernel start_;
  Likelihood likelihood_;
  double best_;
};

}  // namespace

Kernel fitted_kernel(const FeatureSet& features, Roughness roughness,
                     std::span<const Sample> samples) {
  constexpr int kPasses = 3;
  CoordinateSearch search(Kernel(features, roughness), samples);
  for (int pass = 0; pass < kPasses && search.pass(); ++pass) {
  }
  return search.kernel();
}

ProcessScale process_scale(const Kernel& kernel, std::span<const Sample> samples) {
  return Likelihood(kernel, samples).scale();
}

}  // namespace tilewright
