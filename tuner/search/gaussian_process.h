#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tuner/search/candidate_pool.h"
#include "tuner/search/kernel.h"

namespace tilewright {

/// A Gaussian process over the configs of a pool, given samples. A sample is added in
/// O(samples x pool): each keeps its row of the solved covariance with the pool (Rasmussen and
/// Williams, algorithm 2.1, one row at a time). All in units of the process: a value less its mean,
/// divided by its deviation.
class GaussianProcess {
 public:
  /// `trend`: of each config of the pool, in the units of the process. The pool and the features of
  /// the kernel outlive it.
  GaussianProcess(const CandidatePool& pool, Covariance kernel, ProcessScale scale,
                  std::vector<float> trend);

  const Covariance& kernel() const { return kernel_; }
  const ProcessScale& scale() const { return scale_; }
  size_t samples() const { return values_.size(); }

  void add(const ProcessSample& sample);
  /// Gives samples other values: the last ones, `values.size()` of them. Configs stay as they are.
  void replace_last(std::span<const double> values);

  std::span<const float> mean() const { return mean_; }
  std::span<const float> variance() const { return variance_; }

  double to_process(double value) const { return (value - scale_.mean) / scale_.deviation; }
  double from_process(double value) const { return value * scale_.deviation + scale_.mean; }

 private:
  std::vector<float> correlations(std::span<const uint8_t> codes) const;
  double solve_value(size_t i) const;

  const CandidatePool* pool_;
  Covariance kernel_;
  ProcessScale scale_;
  std::vector<float> trend_;
  std::vector<std::vector<uint8_t>> codes_;
  std::vector<std::vector<double>> factor_;  ///< rows of the Cholesky factor
  std::vector<double> values_;               ///< in units of the process, less the trend
  std::vector<double> trends_;
  std::vector<double> solved_;            ///< factor^-1 values
  std::vector<std::vector<float>> rows_;  ///< factor^-1 covariance with the pool
  std::vector<float> mean_;
  std::vector<float> variance_;
};

}  // namespace tilewright
