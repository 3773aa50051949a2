#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/machine/machine.h"
#include "core/plan/plan.h"
#include "db/store.h"

namespace tilewright {

enum class CheckStatus : uint8_t {
  kOk,
  kFailed,
  kNotRun,
  kNote,  ///< says something that neither allows nor forbids
};
/// "ok", "failed", "not run", "note".
std::string_view name_of(CheckStatus status);

/// What somebody who exports winners wants to know, and how it came out, in a sentence.
struct PlanCheck {
  std::string_view name;
  CheckStatus status = CheckStatus::kNotRun;
  std::string text = {};
};

/// Hears how far a check is, 0 to 1; may throw to end it.
using CheckProgress = std::function<void(double)>;

/// Every config is in its problem's space on the machine.
PlanCheck check_fit(std::span<const Winner> winners, const Machine& machine,
                    const CheckProgress& progress);

/// No rows of a matrix have two winners, and the ranges that follow leave no gap.
PlanCheck check_ranges(const Run& run, std::span<const Winner> winners);

/// What of a plan another one, read from its text, has not as it was: the first difference, named
/// with both values, and how many there are besides; empty where they are the same.
std::string plan_difference(const Plan& written, const Plan& read);

/// The plan can be made, read back as it is, and a look-up in it at the rows of each winner gives
/// its config.
PlanCheck check_tables(const Run& run, std::span<const Winner> winners);

/// The configs compute what their kernels' references say, each at a size of a few tiles: the
/// smallest that has the config in its space. Equal configs of equal kinds of problems are computed
/// once.
PlanCheck check_numerics(std::span<const Winner> winners, const Machine& machine,
                         const CheckProgress& progress);

}  // namespace tilewright
