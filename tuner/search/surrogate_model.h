#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tuner/search/candidate_pool.h"
#include "tuner/search/feasibility.h"
#include "tuner/search/features.h"
#include "tuner/search/gaussian_process.h"
#include "tuner/search/history.h"

namespace tilewright {

/// What a search knows of the configs it has not tried: their logarithmic times and whether they
/// work, learned from its history. How slow the slower half is matters little, and would decide the
/// length scales: what logarithms are above the median of the results is compressed, unless there
/// is an estimate. Brought up to date when it is asked something; then a function of the history
/// alone.
class SurrogateModel {
 public:
  /// The history outlives it.
  SurrogateModel(const SearchContext& context, const History& history, Roughness roughness);

  const FeatureSet& features() const { return features_; }

  /// Learns what the history was told since, and takes what is pending for what is expected of it.
  void update();

  // All of these after update(), with at least one config told that worked.

  /// The config with the greatest expected improvement over target(), of the logarithm of the time,
  /// times the probability that it works; of those that the history does not know. Empty when there
  /// is none.
  std::optional<int64_t> most_promising() const;
  /// The expected logarithm of the time less half a standard deviation; empty when the config was
  /// not looked at.
  std::optional<double> optimistic(int64_t rank) const;

 private:
  struct Row {
    int64_t rank = 0;
    bool works = true;
    double value = 0;
  };
  void refit(size_t count);
  /// Decides which times are compressed, and worst_, from the results chosen for the fit.
  void fit_compression(const std::vector<size_t>& chosen);
  double compressed(double log_time) const;
  /// The best time, but none that no config can be expected to reach: where one surprising result
  /// is far better than all that is expected, the improvement over it would be that of the least
  /// known config, wherever it is, and what is likely to be good would not be tried.
  double target() const;
  void make_base(size_t count);
  std::vector<ProcessSample> kernel_samples() const;
  void start_process(const Covariance& kernel, ProcessScale scale);
  void narrow(const Covariance& kernel, ProcessScale scale,
              const std::vector<ProcessSample>& samples);
  void add(const Row& row);
  /// Rows that are still those of the history, of those since the fit; their values are updated.
  bool follow_told();
  Row row_of(const Observation& observation) const;
  std::vector<size_t> chosen(size_t count) const;
  ProcessSample sample(const Row& row) const;
  double offset(int64_t rank) const;
  void fit_offset(const std::vector<size_t>& chosen);
  double mean(size_t slot) const;
  double deviation(size_t slot) const;

  double estimate(int64_t rank) const;

  SearchContext context_;
  const History* history_;
  Roughness roughness_;
  FeatureSet features_;
  FeasibilityModel feasibility_;
  std::optional<CandidatePool> base_;
  std::optional<CandidatePool> pool_;  ///< of base_, what is predicted
  std::optional<GaussianProcess> process_;
  size_t fitted_ = 0;        ///< the count of observations that the kernel was fitted to
  std::vector<Row> rows_;    ///< samples of the process: chosen, told since, pending
  size_t chosen_count_ = 0;  ///< of rows_
  size_t told_count_ = 0;    ///< of the history, in rows_
  double compression_start_ = 0;
  double worst_ = 0;  ///< value of configs that do not work
  double estimate_slope_ = 0;
  double estimate_center_ = 0;
  std::vector<double> offsets_;  ///< by slot; empty without estimate
  std::vector<float> works_;     ///< by slot: the probability that it works
};

/// The count of observations to which models are fitted once there are `count`: grows by a fifth,
/// at most by 64. 0 for fewer than the first.
size_t fitting_point(size_t count);

}  // namespace tilewright
