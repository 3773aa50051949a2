#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tuner/fusion/clusters.h"
#include "tuner/fusion/fusion_cost.h"

namespace tilewright {

/// us that joining clusters saves: what they take apart less what they take as one. Below 0 where
/// they cannot be one kernel.
using JoinGain = std::function<double(const std::vector<std::vector<int32_t>>& apart,
                                      const std::vector<int32_t>& joined)>;

/// Hashes of the kernels that a search has asked for: what its budget counts, since equal ones cost
/// nothing, whatever was planned before.
using SeenKernels = std::unordered_set<uint64_t>;

/// A gain by the latency evaluator.
JoinGain estimated_gain(RegionCost& cost, SeenKernels& seen);
/// A gain by the simulator where it times all parts, else by the latency evaluator.
JoinGain simulated_gain(RegionCost& cost, SeenKernels& seen);

/// Improves clusters step by step: the cut or the merge that saves most first, until none saves
/// anything. Deterministic.
class LocalSearch {
 public:
  /// Bounds the time that kernels of thousands of ops take.
  static constexpr int64_t kMostJudgedOps = 2'000'000;

  /// Ends when `seen`, to which the gain adds, holds so many kernels, when its candidates have had
  /// kMostJudgedOps together, or when `is_over` (none: never) says so.
  LocalSearch(Clusters clusters, JoinGain gain, const SeenKernels& seen, int64_t budget,
              std::function<bool()> is_over = {});

  /// Merges neighbours (one reads the other, or both read one array), the best first.
  void merge_neighbours();
  /// Merges clusters that do not depend on each other and are near in the order (remote packing).
  void pack();
  /// Cuts clusters in two where that saves, and the parts again. True when something was cut.
  bool cut();

  const Clusters& clusters() const { return clusters_; }
  int64_t candidates() const { return candidates_; }
  bool is_exhausted() const {
    return std::ssize(*seen_) >= budget_ || judged_ops_ >= kMostJudgedOps ||
           (is_over_ && is_over_());
  }

 private:
  using Pair = std::pair<int32_t, int32_t>;

  double gain_of(int32_t a, int32_t b);
  void add_pair(int32_t a, int32_t b);
  void forget(int32_t cluster);
  void merge_all();
  void add_neighbours(int32_t cluster);
  void cut_further(std::vector<int32_t> group, Groups& groups);

  Clusters clusters_;
  JoinGain gain_;
  const SeenKernels* seen_;
  int64_t budget_ = 0;
  std::function<bool()> is_over_;
  int64_t candidates_ = 0;
  int64_t judged_ops_ = 0;  ///< of all candidates
  std::set<std::pair<double, Pair>> queue_;                     // (-gain, clusters)
  std::vector<std::vector<std::pair<int32_t, double>>> pairs_;  // by cluster: (other, gain)
};

}  // namespace tilewright
