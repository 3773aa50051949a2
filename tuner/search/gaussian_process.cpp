#include "tuner/search/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

GaussianProcess::GaussianProcess(const CandidatePool& pool, Kernel kernel, ProcessScale scale,
                                 std::vector<float> trend)
    : pool_(&pool),
      kernel_(std::move(kernel)),
      scale_(scale),
      trend_(std::move(trend)),
      mean_(trend_),
      variance_(pool.size(), 1.0F) {}

std::vector<float> GaussianProcess::correlations(std::span<const uint8_t> codes) const {
  const size_t count = pool_->size();
  const FeatureSet& features = kernel_.feature_set();
  std::vector<float> product(count, 1.0F);
  std::vector<float> sum(count, features.parameters() == 0 ? 1.0F : 0.0F);
  const auto share =
      static_cast<float>(1.0 / std::max<double>(1.0, static_cast<double>(features.parameters())));
  for (size_t f = 0; f < features.size(); ++f) {
    const uint8_t* others = pool_->codes(f).data();
    const float* row = kernel_.row(f, codes[f]).data();
    if (f < features.parameters()) {
      for (size_t i = 0; i < count; ++i) {
        const float alike = row[others[i]];
        product[i] *= alike;
        sum[i] += alike * share;
      }
    } else {
      for (size_t i = 0; i < count; ++i) product[i] *= row[others[i]];
    }
  }
  const auto additive = static_cast<float>(kernel_.additive());
  for (size_t i = 0; i < count; ++i) {
    product[i] = (1 - additive) * product[i] + additive * sum[i];
  }
  return product;
}

double GaussianProcess::solve_value(size_t i) const {
  double rest = values_[i];
  for (size_t k = 0; k < i; ++k) rest -= factor_[i][k] * solved_[k];
  return rest / factor_[i][i];
}

void GaussianProcess::add(const Sample& sample) {
  const size_t n = samples();
  std::vector<double> factor(n + 1);
  for (size_t j = 0; j < n; ++j) {
    double rest = kernel_(sample.codes, codes_[j]);
    for (size_t k = 0; k < j; ++k) rest -= factor[k] * factor_[j][k];
    factor[j] = rest / factor_[j][j];
  }
  double rest = 1 + kernel_.noise();
  for (size_t k = 0; k < n; ++k) rest -= factor[k] * factor[k];
  factor[n] = std::sqrt(std::max(rest, 1e-8));

  std::vector<float> row = correlations(sample.codes);
  const size_t count = pool_->size();
  for (size_t k = 0; k < n; ++k) {
    const auto weight = static_cast<float>(factor[k]);
    const float* other = rows_[k].data();
    for (size_t i = 0; i < count; ++i) row[i] -= weight * other[i];
  }
  const auto scale = static_cast<float>(1 / factor[n]);
  for (float& value : row) value *= scale;

  codes_.push_back(sample.codes);
  factor_.push_back(std::move(factor));
  trends_.push_back(sample.trend);
  values_.push_back(to_process(sample.value) - sample.trend);
  solved_.push_back(solve_value(n));
  const auto weight = static_cast<float>(solved_[n]);
  for (size_t i = 0; i < count; ++i) {
    mean_[i] += weight * row[i];
    variance_[i] -= row[i] * row[i];
  }
  rows_.push_back(std::move(row));
}

void GaussianProcess::replace_last(std::span<const double> values) {
  TW_CHECK(values.size() <= samples(), "only samples that are there get other values");
  const size_t first = samples() - values.size();
  for (size_t i = first; i < samples(); ++i) {
    values_[i] = to_process(values[i - first]) - trends_[i];
    solved_[i] = solve_value(i);
  }
  // From the start, in the order of add(): the same sums to the last bit.
  mean_ = trend_;
  for (size_t k = 0; k < samples(); ++k) {
    const auto weight = static_cast<float>(solved_[k]);
    const float* row = rows_[k].data();
    for (size_t i = 0; i < mean_.size(); ++i) mean_[i] += weight * row[i];
  }
}

}  // namespace tilewright
