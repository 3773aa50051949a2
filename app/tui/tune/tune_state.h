#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/settings.h"
#include "app/tui/home/home_state.h"
#include "app/tui/line_edit.h"
#include "app/tui/tune/tune_fit.h"
#include "app/tui/tune/tune_form.h"
#include "app/tui/tune/tune_view.h"

namespace tilewright {

struct TuneMatters;
struct ComparedConfigs;

/// The parts of the Tune screen.
enum TunePane : int {
  kTuneSession,
  kTuneProgress,
  kTuneSpace,
  kTuneTop,
  kTuneMatters,
  kTuneLog,
  kTuneCompare
};

/// The cell of the tile space that is chosen, by the places of its values.
struct SpaceCursor {
  size_t column = 0;
  size_t row = 0;

  friend bool operator==(const SpaceCursor&, const SpaceCursor&) = default;
};

/// A config that was tried, with its time.
struct TimedConfig {
  Config config;
  double time_us = 0;
  bool is_exact = true;  ///< else only a cheaper evaluator timed it
};

/// Configs of a problem that are marked to be compared: A, then B.
struct TuneMarks {
  std::string problem;
  std::vector<TimedConfig> configs;
};

struct TuneState {
  Globals globals;  ///< of the program: seed, threads, folders
  TuneForm form;
  bool shows_form = true;          ///< instead of the session
  int field = 0;                   ///< of the form's cursor
  std::optional<LineEdit> typing;  ///< a text that replaces the field's value

  // Shared with the workers that made them; never changed.
  std::shared_ptr<const TuneView> view;
  std::shared_ptr<const TuneMatters> matters;
  std::shared_ptr<const TuneFit> fit;
  std::shared_ptr<const CellReason> reason;

  /// Why the session that is shown, or was to be, came to no end; empty: it did not fail.
  std::string failure;

  int64_t job = 0;         ///< that tunes; it is at work while State knows it
  int64_t watch_job = 0;   ///< that reads a run
  int64_t wanted_run = 0;  ///< by `watch_job`
  int64_t matters_job = 0;
  int64_t fit_job = 0;
  int64_t reason_job = 0;

  TuneMarks marks;
  int64_t compare_job = 0;
  std::shared_ptr<const ComparedConfigs> compared;  ///< the marked ones; shared with the worker
  std::string not_compared;  ///< why the marked ones cannot be simulated; empty: they can
  ListCursor compared_row;

  ListCursor problem;  ///< that is shown, of the session
  ListCursor top;
  ListCursor log;      ///< newest first
  std::string across;  ///< parameters of the tile space; empty: the usual ones
  std::string down;
  /// A parameter and the value that the tile space is looked at with.
  std::optional<std::pair<std::string, int64_t>> held;
  std::optional<SpaceCursor> cursor;  ///< none: on the best config
  bool is_linear = false;             ///< the scale of the times

  /// The problem that the panes are of; null: none yet.
  const TuneProblemView* shown() const;
  const std::shared_ptr<const TuneProblemView>* shown_place() const;
};

}  // namespace tilewright
