#include "tuner/session/winner_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

/// `today`: fingerprint of the run's machine.
std::string why_stale(const Run& run, const Winner& winner, const PlanCurrency& currency,
                      const std::string& today) {
  const int revision = currency.revision_of(winner.kernel);
  if (revision != winner.kernel_revision) {
    return fmt::format(
        "tuned with revision {} of {}, {}", winner.kernel_revision, printable(winner.kernel),
        revision < 0 ? "which no longer exists" : fmt::format("current is {}", revision));
  }
  if (!currency.is_current(winner.evaluator)) {
    return fmt::format("timed by {}, which is not current", printable(winner.evaluator, 160));
  }
  if (!today.empty() && today != run.machine_fingerprint) {
    return fmt::format("tuned for {} {}, which is {} now", printable(run.machine_name),
                       printable(run.machine_fingerprint), today);
  }
  return "";
}

ListedWinner listed(const Run& run, const Winner& winner, const PlanCurrency& currency,
                    const std::string& today) {
  ListedWinner row{winner};
  if (row.reason = why_no_plan(winner); !row.reason.empty()) {
    row.state = WinnerState::kNoPlan;
  } else if (row.reason = why_stale(run, winner, currency, today); !row.reason.empty()) {
    row.state = WinnerState::kStale;
  } else if (winner.baseline_us > 0 && winner.gain() <= 1) {
    row.state = WinnerState::kNoGain;
    row.reason = "no config was faster than the default";
  } else if (!winner.complete) {
    row.state = WinnerState::kUnfinished;
    row.reason = fmt::format("its search was stopped after {} configs",
                             winner.evaluations + winner.cache_hits);
  }
  return row;
}

}  // namespace

std::string_view name_of(WinnerState state) {
  switch (state) {
    case WinnerState::kFresh:
      return "fresh";
    case WinnerState::kUnfinished:
      return "unfinished";
    case WinnerState::kNoGain:
      return "no gain";
    case WinnerState::kStale:
      return "stale";
    case WinnerState::kNoPlan:
      return "no plan";
  }
  TW_CHECK(false, "a state outside its enumeration");
  return "";
}

std::vector<ListedWinner> list_winners(const Run& run, std::span<const Winner> winners,
                                       const PlanCurrency& currency) {
  const std::string today = currency.fingerprint_of(run);
  std::vector<ListedWinner> list;
  for (const Winner& winner : winners) list.push_back(listed(run, winner, currency, today));
  return list;
}

std::vector<size_t> parse_numbers(std::string_view text, size_t count) {
  const auto number = [&](std::string_view part) {
    const int64_t value = parse_int(trim(part), "the list of numbers");
    if (value < 1 || value > static_cast<int64_t>(count)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("there is no number {}: they go from 1 to {}", value, count));
    }
    return static_cast<size_t>(value) - 1;
  };
  std::vector<bool> has(count);
  for (const std::string_view part : split(text, ',')) {
    const size_t dash = part.find('-', 1);
    const size_t first = number(part.substr(0, dash));
    const size_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (last < first) {
      throw Error(ErrorKind::kUsage, fmt::format("'{}' goes backwards", printable(part)));
    }
    std::fill(has.begin() + static_cast<std::ptrdiff_t>(first),
              has.begin() + static_cast<std::ptrdiff_t>(last) + 1, true);
  }
  std::vector<size_t> places;
  for (size_t i = 0; i < count; ++i) {
    if (has[i]) places.push_back(i);
  }
  return places;
}

std::string numbers_text(std::span<const size_t> places) {
  std::string text;
  for (size_t i = 0; i < places.size();) {
    size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1) ++end;
    if (!text.empty()) text += ",";
    text += std::to_string(places[i] + 1);
    if (end - i > 1) text += fmt::format("{}{}", end - i > 2 ? "-" : ",", places[end - 1] + 1);
    i = end;
  }
  return text;
}

}  // namespace tilewright
