#include "tuner/session/family_table.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// The best way to serve all members before a border.
struct Path {
  int64_t ranges = std::numeric_limits<int64_t>::max();
  double regret = 0;   ///< sum over the members
  FamilyRange last{};  ///< its last range; not set when `ranges` is 0 or it left a member out
  size_t from = 0;     ///< the border before that
  bool skips = false;  ///< the member before the border is left out

  bool better_than(const Path& other) const {
    return std::pair(ranges, regret) < std::pair(other.ranges, other.regret);
  }
};

/// Follows every candidate from a border as far as it is good enough.
void extend(const FamilyTimes& times, double max_regret, size_t first, std::vector<Path>& paths) {
  for (size_t candidate = 0; candidate < times.time_us.size(); ++candidate) {
    double regret = paths[first].regret;
    for (size_t last = first; last < times.members(); ++last) {
      const double own = times.regret(candidate, last);
      if (own > max_regret) break;
      regret += own;
      const Path path{paths[first].ranges + 1, regret, {first, last, candidate}, first, false};
      if (path.better_than(paths[last + 1])) paths[last + 1] = path;
    }
  }
}

}  // namespace

double FamilyTimes::best_us(size_t member) const {
  double best = 0;
  for (const std::vector<double>& times : time_us) {
    const double time = times[member];
    if (time > 0 && (best == 0 || time < best)) best = time;
  }
  return best;
}

double FamilyTimes::regret(size_t candidate, size_t member) const {
  const double time = time_us[candidate][member];
  const double limit = member < limit_us.size() ? limit_us[member] : 0;
  if (time <= 0 || (limit > 0 && time > limit)) return std::numeric_limits<double>::infinity();
  return time / best_us(member) - 1;
}

std::vector<FamilyRange> smallest_table(const FamilyTimes& times, double max_regret) {
  std::vector<Path> paths(times.members() + 1);
  paths[0].ranges = 0;
  for (size_t border = 0; border < times.members(); ++border) {
    if (times.best_us(border) > 0) {
      extend(times, max_regret, border, paths);
    } else if (paths[border].better_than(paths[border + 1])) {
      paths[border + 1] = {paths[border].ranges, paths[border].regret, {}, border, true};
    }
  }
  std::vector<FamilyRange> table;
  for (size_t border = times.members(); border > 0; border = paths[border].from) {
    TW_CHECK(paths[border].ranges < std::numeric_limits<int64_t>::max(),
             "the best of every member is good enough");
    if (!paths[border].skips) table.push_back(paths[border].last);
  }
  std::ranges::reverse(table);
  return table;
}

}  // namespace tilewright
