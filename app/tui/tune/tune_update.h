#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/tui/effects.h"
#include "app/tui/state.h"

namespace tilewright {

/// What the Tune screen does: sessions are begun, steered and read.

/// Whether a session is at work in this program.
bool is_tuning(const State& state);
/// Whether the session that is shown is the one that can be steered.
bool shows_own(const State& state);
/// Why the session that is shown cannot be steered; empty when it can.
std::string no_steering(const State& state);

/// Why what the form says cannot be started; empty when it can.
std::string start_obstacle(const State& state);
void start_tuning(State& state, Effects& effects);
/// Goes on with the run that is shown.
void resume_tuning(State& state, Effects& effects);
std::string resume_obstacle(const State& state);

/// Back from another run to the session that is at work.
void show_own(State& state, Effects& effects);

void steer(State& state, Effects& effects, TuneCommand command);
void toggle_pause(State& state, Effects& effects);
void stop_tuning(State& state, Effects& effects);
/// The next limit of the row 1, 2, 5, 10, ... in a direction.
void step_budget(State& state, Effects& effects, int step);

/// Pins or bans the value of the space's cursor, across or down, or "NAME=VALUE".
void limit_value(State& state, Effects& effects, bool is_pin, bool is_across,
                 std::string_view assignment);

/// The config that the focused pane has chosen; nothing where there is none.
std::optional<TimedConfig> chosen_config(const State& state);
/// Opens it.
void open_chosen(State& state, Effects& effects);
std::string nothing_chosen(const State& state);

/// Another parameter on an axis, and axes that change places.
void next_axis(State& state, bool is_across);
void swap_axes(State& state);
void move_in_space(State& state, int columns, int rows);

/// Asks for what the panes need beyond the view: what matters, what fits, and why not.
void settle_tune(State& state, Effects& effects);

}  // namespace tilewright
