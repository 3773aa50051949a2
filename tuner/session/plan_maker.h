#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan/plan.h"
#include "db/store.h"

namespace tilewright {

/// What is current, as far as plans care.
struct PlanCurrency {
  /// Revision of a kernel; -1 when there is no such kernel any more.
  std::function<int(std::string_view kernel)> revision_of;
  /// Whether results of this evaluator are still what it would say today.
  std::function<bool(std::string_view evaluator)> is_current;
};

/// One line for each winner that its key no longer matches, with what it was made with and what is
/// current.
std::vector<std::string> stale_winners(std::span<const Winner> winners,
                                       const PlanCurrency& currency);

/// The plan of a tuning run: one table for each kernel, types, layouts, n, k and epilogue, its
/// ranges from the winners at each m. Tables stand in the order of their first winner. Errors: (not
/// found) when there are no winners, (failed) for a winner whose problem is not sized by m, n and
/// k, or when two tables could not be told apart by a reader of the plan. Stale winners are the
/// caller's to refuse.
Plan make_plan(const Run& run, std::span<const Winner> winners);

}  // namespace tilewright
