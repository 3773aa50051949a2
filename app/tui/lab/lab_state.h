#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/home/home_state.h"
#include "app/tui/lab/lab_form.h"
#include "tuner/advice/advice.h"

namespace tilewright {

struct KernelOutcome;

/// The parts of the Lab.
enum class LabPane : int { kForm, kTime, kEngines, kRoofline, kAdvice, kHistory };

/// What the pane about time shows.
enum class TimeView : uint8_t { kPath, kCores, kWaits, kDiff };

/// A run of this session.
struct LabRun {
  int number = 0;                                ///< of the session, from 1 on
  std::shared_ptr<const KernelOutcome> outcome;  ///< shared with what else shows it

  /// "run 12", as the database knows it; "try 3 (not kept)" where it does not.
  std::string name() const;
  /// The same for lists: "12", "try 3".
  std::string short_name() const;
};

/// An advice that is being followed: what it promised, and the run that will tell.
struct FollowedAdvice {
  int64_t job = 0;
  Advice advice;
  double before_us = 0;
};

struct LabState {
  /// The document, and what it means. Without a machine until the Lab is first shown.
  LabForm form;
  LabCheck check;
  std::vector<LabField> fields;
  std::vector<LabForm> undo;  ///< older versions of the form, the last change at the end

  int field = 0;                      ///< that the cursor is on
  std::optional<std::string> typing;  ///< a number that replaces the field's value
  std::optional<LabCheck> preview;    ///< what the number that is being typed would mean

  std::vector<LabRun> runs;  ///< of this session, oldest first
  int shown = 0;             ///< number of the run that is shown; 0: none yet
  int before = 0;            ///< of the one that was shown before it
  int pinned = 0;            ///< of the baseline; 0: none
  int next_number = 1;
  ListCursor history;  ///< newest first
  ListCursor advice;
  int scroll = 0;  ///< first row of the pane about time
  TimeView view = TimeView::kPath;

  int64_t job = 0;  ///< that simulates; 0: none
  std::optional<FollowedAdvice> followed;
  std::optional<AppliedAdvice> applied;  ///< what the last advice brought
  std::string applied_change;
  int applied_run = 0;  ///< number of the run that it made

  const LabRun* run_of(int number) const;
  const LabRun* shown_run() const { return run_of(shown); }
  const LabRun* pinned_run() const { return run_of(pinned); }
};

}  // namespace tilewright
