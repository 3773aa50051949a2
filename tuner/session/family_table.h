#pragma once

#include <cstddef>
#include <vector>

namespace tilewright {

/// How fast candidate configs are at the members of a family: problems that differ in one size,
/// ascending.
struct FamilyTimes {
  /// By candidate, then member; 0 where it does not work or was not measured.
  std::vector<std::vector<double>> time_us;
  /// By member: what no config may be slower than, the untuned default; 0 or none: anything may.
  std::vector<double> limit_us = {};

  size_t members() const { return time_us.empty() ? 0 : time_us.front().size(); }
  /// The least of a member; 0 when nothing works.
  double best_us(size_t member) const;
  /// How much slower than the best a candidate is, as a fraction; infinite where it has no time or
  /// is slower than the limit.
  double regret(size_t candidate, size_t member) const;
};

/// One config for the members `first` to `last`.
struct FamilyRange {
  size_t first = 0;
  size_t last = 0;
  size_t candidate = 0;
};

/// The table with the fewest ranges in which no member is slower than its best by more than
/// `max_regret`; of those the one with the least sum of regrets, then the one that takes earlier
/// candidates. Members for which nothing works are left out. Exact: a shortest path over the
/// borders between members. The limit of a member is not below its best.
std::vector<FamilyRange> smallest_table(const FamilyTimes& times, double max_regret);

}  // namespace tilewright
