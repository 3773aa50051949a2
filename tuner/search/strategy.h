#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/space_index.h"

namespace tilewright {

/// The result of a config, by its rank in the space.
struct Observation {
  int64_t rank = 0;
  AttemptStatus status = AttemptStatus::kOk;
  double time_us = 0;  ///< 0 when not ok
};

/// What a search knows before the first config is tried.
struct SearchContext {
  const SpaceIndex* space = nullptr;  ///< outlives the strategy; at least one config
  uint64_t seed = 0;
  int64_t budget = 0;  ///< configs that will be tried, those already told included; 0: not known
  /// First-order time of a config in any unit, to rank by; empty where there is none.
  std::function<double(int64_t rank)> estimate = {};
  /// Configs of this space that failed or worked for other problems or on other machines: what a
  /// feasibility model learns from. Their times say nothing here.
  std::vector<Observation> elsewhere = {};
};

/// A config to try next.
struct Proposal {
  int64_t rank = 0;
  std::string_view proposer;  ///< which part of the strategy proposed it: a literal
};

/// Decides which configs of a space to try next. Asked for a batch, then told the results of it in
/// the order asked; also told of configs that it did not propose (the baseline, seeds, those of an
/// earlier session). What a strategy proposes is a function of its context, of what it was told,
/// and of what it has proposed since: so a session goes on by telling a fresh strategy everything
/// that the interrupted one was told.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// At most `at_most` different configs to try next, none that it was told or that is still
  /// without its result; fewer only when that is all that is left, none when nothing is.
  virtual std::vector<Proposal> ask(size_t at_most) = 0;

  /// `proposer`: of the proposal, or whatever the session calls its own ("baseline", "seed").
  virtual void tell(const Observation& observation, std::string_view proposer) = 0;
};

/// Names for make_strategy, sorted.
std::vector<std::string> strategy_names();

/// Error (usage) for an unknown name, suggesting the nearest.
void check_strategy(std::string_view name);

/// docs/tuner.md, "Strategies", says what each does. Error as check_strategy().
std::unique_ptr<Strategy> make_strategy(std::string_view name, SearchContext context);

}  // namespace tilewright
