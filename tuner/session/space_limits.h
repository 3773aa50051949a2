#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/space/space.h"

namespace tilewright {

/// What a user allows of a space beyond what is legal.
struct SpaceLimits {
  std::vector<std::pair<std::string, std::string>> pins;  ///< parameter, its one value
  std::vector<std::pair<std::string, std::string>>
      bans;                              ///< parameter, a value that it must not have
  std::vector<std::string> constraints;  ///< expressions that must hold

  bool empty() const { return pins.empty() && bans.empty() && constraints.empty(); }
  /// Adds those of `more`.
  void add(const SpaceLimits& more);
};

/// The space without the configs that the limits exclude; it may be left without any. Values of
/// parameters with labels are given by their labels. Error (usage) for a name or value that the
/// space has not, suggesting the nearest, and for a malformed expression.
Space limited(const Space& space, const SpaceLimits& limits);

/// Error (infeasible), saying what excludes all configs of the problem, when the space has none;
/// (failed) soon after `stop` says so.
void refuse_empty_space(const Space& space, const std::string& problem,
                        const std::function<bool()>& stop = {});

}  // namespace tilewright
