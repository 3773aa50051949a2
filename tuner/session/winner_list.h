#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/store.h"

namespace tilewright {

/// What is current, as far as plans care.
struct PlanCurrency {
  /// Revision of a kernel; -1 when there is no such kernel any more.
  std::function<int(std::string_view kernel)> revision_of;
  /// Whether results of this evaluator are still what it would say today.
  std::function<bool(std::string_view evaluator)> is_current;
  /// What the fingerprint of a run's machine would be today; empty where nothing can be said of it.
  std::function<std::string(const Run& run)> fingerprint_of;
};

enum class WinnerState : uint8_t {
  kFresh,
  kUnfinished,  ///< its search was stopped before it ended
  kNoGain,      ///< no faster than the kernel's default
  kStale,       ///< its key no longer matches kernel, evaluator or machine
  kNoPlan,      ///< no plan can hold it
};
/// "fresh", "unfinished", "no gain", "stale", "no plan".
std::string_view name_of(WinnerState state);

/// A winner as it is offered for export.
struct ListedWinner {
  Winner winner;
  WinnerState state = WinnerState::kFresh;
  std::string reason = {};  ///< of the state, in words; empty of a fresh one
  int64_t trial = 0;        ///< which of the run's tries found it, from 1; 0: not known

  /// Whether a plan may have it.
  bool can_be_exported() const {
    return state != WinnerState::kStale && state != WinnerState::kNoPlan;
  }
};

/// The winners of a run with their states, in the given order. A winner without a gain over the
/// default is to be exported all the same: its rows would else get the config of larger problems.
std::vector<ListedWinner> list_winners(const Run& run, std::span<const Winner> winners,
                                       const PlanCurrency& currency);

/// "1-4,6" as places from 0, ascending and distinct. Error (usage) for what is no such list, and
/// for numbers beyond `count`.
std::vector<size_t> parse_numbers(std::string_view text, size_t count);
/// The shortest text that parse_numbers() reads back; `places` ascend.
std::string numbers_text(std::span<const size_t> places);

}  // namespace tilewright
