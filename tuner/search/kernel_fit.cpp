#include <algorithm>
#include <array>
#include <cmath>

#include "tuner/search/kernel.h"

namespace tilewright {

namespace {

/// The likelihood of samples under kernels that differ in one thing at a time.
class Likelihood {
 public:
  Likelihood(const Covariance& kernel, std::span<const ProcessSample> samples)
      : shape_(&kernel), samples_(samples), additive_(kernel.additive()), noise_(kernel.noise()) {
    const size_t n = samples.size();
    const double count = static_cast<double>(n);
    double mean = 0;
    double square = 0;
    for (const ProcessSample& sample : samples) mean += sample.value / count;
    for (const ProcessSample& sample : samples) square += std::pow(sample.value - mean, 2) / count;
    spread_ = std::sqrt(std::max(square, 1e-12));
    product_.resize(n * n);
    sum_.resize(n * n);
    work_.resize(n * n);
    for (size_t f = 0; f < kernel.features(); ++f) {
      lengths_.push_back(kernel.length(f));
      tables_.push_back(logs(f, lengths_[f]));
    }
    recompute();
  }

  double length(size_t feature) const { return lengths_[feature]; }
  double additive() const { return additive_; }
  double noise() const { return noise_; }

  void set_length(size_t feature, double length) {
    std::vector<double> table = logs(feature, length);
    std::vector<double>& old = tables_[feature];
    for (size_t i = 0; i < table.size(); ++i) old[i] = table[i] - old[i];
    accumulate(feature, old, product_);
    if (feature < shape_->feature_set().parameters()) {
      // A sum of exponentials: the old ones are had back from the difference.
      for (size_t i = 0; i < table.size(); ++i) {
        old[i] = std::exp(table[i]) - std::exp(table[i] - old[i]);
      }
      accumulate(feature, old, sum_);
    }
    old = std::move(table);
    lengths_[feature] = length;
  }
  void set_additive(double share) { additive_ = share; }
  void set_noise(double variance) { noise_ = variance; }

  /// Rounding of the running sums is swept out.
  void recompute() {
    std::ranges::fill(product_, 0.0);
    std::ranges::fill(sum_, 0.0);
    for (size_t f = 0; f < lengths_.size(); ++f) {
      accumulate(f, tables_[f], product_);
      if (f >= shape_->feature_set().parameters()) continue;
      std::vector<double> alike = tables_[f];
      for (double& value : alike) value = std::exp(value);
      accumulate(f, alike, sum_);
    }
  }

  ProcessScale scale() {
    const size_t n = samples_.size();
    const auto parameters = static_cast<double>(shape_->feature_set().parameters());
    for (size_t j = 0; j < n; ++j) {
      work_[j * n + j] = 1 + noise_;
      for (size_t i = j + 1; i < n; ++i) {
        work_[j * n + i] = (1 - additive_) * std::exp(product_[j * n + i]) +
                           (parameters > 0 ? additive_ * sum_[j * n + i] / parameters : additive_);
      }
    }
    return solved();
  }

 private:
  /// Of a feature, by pair of codes.
  std::vector<double> logs(size_t feature, double length) const {
    const size_t count = shape_->feature_set()[feature].coordinates.size();
    std::vector<double> table(count * count);
    for (size_t a = 0; a < count; ++a) {
      for (size_t b = 0; b < a; ++b) {
        table[a * count + b] = shape_->log_correlation(feature, a, b, length);
        table[b * count + a] = table[a * count + b];
      }
    }
    return table;
  }

  void accumulate(size_t feature, const std::vector<double>& table, std::vector<double>& into) {
    const size_t n = samples_.size();
    const size_t count = shape_->feature_set()[feature].coordinates.size();
    codes_.resize(n);
    for (size_t i = 0; i < n; ++i) codes_[i] = samples_[i].codes[feature];
    for (size_t j = 0; j < n; ++j) {
      const double* row = table.data() + codes_[j] * count;
      for (size_t i = j + 1; i < n; ++i) into[j * n + i] += row[codes_[i]];
    }
  }

  /// Cholesky of work_ in place, column by column so that the inner loop is of independent sums,
  /// and the solves for the samples and for ones.
  ProcessScale solved() {
    const size_t n = samples_.size();
    ones_.assign(n, 1.0);
    values_.resize(n);
    for (size_t i = 0; i < n; ++i) values_[i] = samples_[i].value - spread_ * samples_[i].trend;
    double log_determinant = 0;
    double ones_ones = 0;
    double ones_values = 0;
    double values_values = 0;
    for (size_t k = 0; k < n; ++k) {
      double* column = work_.data() + k * n;
      const double pivot = std::sqrt(std::max(column[k], 1e-10));
      for (size_t i = k + 1; i < n; ++i) column[i] /= pivot;
      log_determinant += std::log(pivot);
      const double one = ones_[k] / pivot;
      const double value = values_[k] / pivot;
      for (size_t i = k + 1; i < n; ++i) {
        ones_[i] -= column[i] * one;
        values_[i] -= column[i] * value;
      }
      ones_ones += one * one;
      ones_values += one * value;
      values_values += value * value;
      for (size_t j = k + 1; j < n; ++j) {
        double* other = work_.data() + j * n;
        const double weight = column[j];
        for (size_t i = j; i < n; ++i) other[i] -= weight * column[i];
      }
    }
    const double mean = ones_values / ones_ones;
    const double count = static_cast<double>(n);
    const double variance =
        std::max((values_values - mean * ones_values) / count, 1e-12 * spread_ * spread_ + 1e-18);
    return {mean, std::sqrt(variance), -0.5 * count * std::log(variance) - log_determinant};
  }

  const Covariance* shape_;
  std::span<const ProcessSample> samples_;
  std::vector<double> lengths_;
  double additive_;
  double noise_;
  double spread_ = 1;
  std::vector<std::vector<double>> tables_;  ///< by feature: logarithms by pair of codes
  // Matrices by columns, of which the part below the diagonal counts.
  std::vector<double> product_;  ///< logarithms
  std::vector<double> sum_;
  std::vector<double> work_;
  std::vector<size_t> codes_;
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
  CoordinateSearch(const Covariance& start, std::span<const ProcessSample> samples)
      : start_(start), likelihood_(start_, samples), best_(posterior()) {}

  bool pass() {
    bool changed = false;
    for (size_t f = 0; f < start_.features(); ++f) changed |= improve_length(f);
    changed |= improve_noise();
    changed |= improve_additive();
    likelihood_.recompute();
    return changed;
  }
  Covariance kernel() const {
    Covariance found = start_;
    for (size_t f = 0; f < start_.features(); ++f) {
      if (likelihood_.length(f) != start_.length(f)) found.set_length(f, likelihood_.length(f));
    }
    found.set_noise(likelihood_.noise());
    found.set_additive(likelihood_.additive());
    return found;
  }

 private:
  bool improve_length(size_t feature) {
    constexpr double kStep = 1.8;
    const double length = likelihood_.length(feature);
    for (const double factor : {1 / kStep, kStep}) {
      likelihood_.set_length(feature, length * factor);
      if (accept()) return true;
    }
    likelihood_.set_length(feature, length);
    return false;
  }

  bool improve_noise() {
    const double noise = likelihood_.noise();
    for (const double factor : {0.4, 2.5}) {
      likelihood_.set_noise(std::clamp(noise * factor, 1e-6, 0.3));
      if (accept()) return true;
    }
    likelihood_.set_noise(noise);
    return false;
  }

  bool improve_additive() {
    const double additive = likelihood_.additive();
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
    constexpr double kLengthSpread = 0.5;  // of logarithms: a tenth are 1.9 times the usual or more
    double value = likelihood_.scale().log_likelihood;
    for (size_t f = 0; f < start_.features(); ++f) {
      value += log_normal_prior(likelihood_.length(f), start_.length(f), kLengthSpread);
    }
    value += log_normal_prior(likelihood_.noise(), start_.noise(), 1.5);
    value += log_normal_prior(odds(likelihood_.additive()), odds(start_.additive()), 1.5);
    return value;
  }

  Covariance start_;
  Likelihood likelihood_;
  double best_;
};

}  // namespace

Covariance fitted_kernel(const FeatureSet& features, Roughness roughness,
                         std::span<const ProcessSample> samples) {
  constexpr int kPasses = 3;
  CoordinateSearch search(Covariance(features, roughness), samples);
  for (int pass = 0; pass < kPasses && search.pass(); ++pass) {
  }
  return search.kernel();
}

ProcessScale process_scale(const Covariance& kernel, std::span<const ProcessSample> samples) {
  return Likelihood(kernel, samples).scale();
}

}  // namespace tilewright
