#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/base/random.h"

namespace tilewright {

/// Which of several ways to propose a config earns the next turn: drawn by weights that are what
/// each starts with, times its share of proposals that found a new best, where old ones count less
/// and less.
class Bandit {
 public:
  struct Arm {
    std::string_view name;
    double weight = 1;  ///< before any result
  };
  explicit Bandit(std::vector<Arm> arms);

  size_t draw(Random& random) const;
  std::string_view name(size_t arm) const { return arms_[arm].name; }
  /// A result of an arm; names of no arm are of no matter.
  void reward(std::string_view name, bool improved);
  double weight(size_t arm) const;

 private:
  std::vector<Arm> arms_;
  std::vector<double> gains_;
  std::vector<double> uses_;
};

}  // namespace tilewright
