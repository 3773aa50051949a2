#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/kernel.h"
#include "simulator/profile.h"
#include "simulator/roofline.h"

namespace tilewright {

/// Share of the time that a change must be estimated to save before it is worth a run: less is
/// within what the estimates miss.
constexpr double kLeastGain = 0.005;

/// What to change so that a launch takes less time, and what that would bring.
struct Advice {
  std::string rule;      ///< name of the rule that found it
  std::string problem;   ///< what costs time, one sentence with numbers
  std::string evidence;  ///< the measured numbers behind it
  /// Rules and problems that the same change mends: "balance_waves: cores stand still ...".
  std::vector<std::string> also;
  std::string change;  ///< "tile_k 64 -> 128"; empty where no request can mend it
  /// The request with the change made; the measured one where there is none.
  Problem changed_problem;
  Config changed_config;
  bool is_feasible = false;
  std::string obstacle;       ///< what refuses the change, empty when feasible
  double estimated_us = 0;    ///< of the changed launch, never simulated; now's where not feasible
  double estimated_gain = 0;  ///< share of the time saved; negative when it would take longer

  /// Whether it can be done and is estimated to save time.
  bool pays() const { return is_feasible && estimated_gain >= kLeastGain; }
};

/// A kind of advice.
struct AdviceRule {
  std::string_view name;     ///< snake_case
  std::string_view meaning;  ///< one line
};

/// Every rule, in the order in which advice of equal gain is ranked.
std::span<const AdviceRule> advice_rules();

/// Advice on a launch that was timed in detail: `profile` and `roofline` of
/// kernel.build(problem, config, machine), whose config is legal. What pays comes first, most gain
/// first; then what would not pay; then what cannot be done. A rule speaks only where the
/// profile shows its problem. Estimates are first-order (docs/model.md, "Advice"): no launch is
/// simulated. Deterministic.
std::vector<Advice> advise(const Kernel& kernel, const Problem& problem, const Config& config,
                           const Machine& machine, const LaunchProfile& profile,
                           const Roofline& roofline);

/// An advice that was followed, timed in detail.
struct AppliedAdvice {
  double before_us = 0;
  double estimated_us = 0;
  double real_us = 0;
  double estimated_gain = 0;
  double real_gain = 0;  ///< share of the time saved; negative when it takes longer
};

/// The estimate of an advice beside what its launch really took.
AppliedAdvice compare(const Advice& advice, double before_us, double real_us);

/// Times the changed launch of an advice that pays in detail. Error (infeasible) as require_pays().
AppliedAdvice apply(const Advice& advice, const Machine& machine, double before_us);

/// Why an advice is not worth following: its obstacle, or "would not pay (est. +8.3 %)". Empty when
/// it pays.
std::string reason_against(const Advice& advice);
/// Error (infeasible) with the reason against an advice that does not pay.
void require_pays(const Advice& advice);

}  // namespace tilewright
