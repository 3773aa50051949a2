#include "tuner/search/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

GaussianProcess::GaussianProcess(const CandidatePool& pool, Covariance kernel, ProcessScale scale,
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
  const size_t depth = features.parameters();
  if (depth == 0) return std::vector<float>(count, 1.0F);
  struct Column {
    const uint8_t* others;
    const float* row;
  };
  std::vector<std::vector<Column>> columns(depth);
  for (size_t d = 0; d < depth; ++d) {
    for (const size_t f : features.decided()[d]) {
      columns[d].push_back({pool_->codes(f).data(), kernel_.row(f, codes[f]).data()});
    }
  }
  // What the slot before shares with this one need not be multiplied again.
  std::vector<float> product(depth + 1, static_cast<float>(1 - kernel_.additive()));
  std::vector<float> sum(depth + 1, 0.0F);
  const auto share = static_cast<float>(kernel_.additive() / static_cast<double>(depth));
  std::vector<float> result(count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t d = pool_->first_change()[i]; d < depth; ++d) {
      float alike = product[d];
      for (const Column& column : columns[d]) alike *= column.row[column.others[i]];
      product[d + 1] = alike;
      sum[d + 1] = sum[d] + columns[d].front().row[columns[d].front().others[i]];
    }
    result[i] = product[depth] + share * sum[depth];
  }
  return result;
}

double GaussianProcess::solve_value(size_t i) const {
  double rest = values_[i];
  for (size_t k = 0; k < i; ++k) rest -= factor_[i][k] * solved_[k];
  return rest / factor_[i][i];
}

void GaussianProcess::add(const ProcessSample& sample) {
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
  constexpr size_t kBlock = 2048;  // stays in the first cache while the rows pass
  for (size_t from = 0; from < count; from += kBlock) {
    const size_t to = std::min(count, from + kBlock);
    for (size_t k = 0; k < n; ++k) {
      const auto weight = static_cast<float>(factor[k]);
      const float* other = rows_[k].data();
      for (size_t i = from; i < to; ++i) row[i] -= weight * other[i];
    }
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
