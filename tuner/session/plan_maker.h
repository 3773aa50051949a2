#pragma once

#include <span>
#include <string>

#include "core/plan/plan.h"
#include "db/store.h"

namespace tilewright {

/// The plan of a tuning run: one table for each kernel, types, layouts, n, k and epilogue, its
/// ranges from the winners at each m; and a fusion for each ops that a fused launch won for. Tables
/// stand in the order of their first winner. Errors: (not found) when there are no winners,
/// (failed) for a winner whose problem is not sized by m, n and k, for two winners at one m, or
/// when two tables could not be told apart by a reader of the plan. Stale winners are the caller's
/// to refuse.
Plan make_plan(const Run& run, std::span<const Winner> winners);

/// Why no plan can hold a winner: its problem is not sized by m, n and k, or its config has other
/// values than whole numbers. Empty when one can.
std::string why_no_plan(const Winner& winner);

}  // namespace tilewright
