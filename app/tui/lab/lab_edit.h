#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/tui/state.h"

namespace tilewright {

/// The form of the Lab as a document that is edited. Every change works out anew what the form
/// means, and can be undone.

/// Fills the form in when it is still empty.
void begin_form(State& state);

/// Makes another form the one that is edited. The old one can be had back, if they differ.
void replace_form(State& state, LabForm form);
void undo_form(State& state);

/// The field that the cursor is on.
const LabField& chosen_field(const LabState& lab);
void move_field(State& state, int step);
void step_field(State& state, int step);

/// Why no number can be typed into the field of the cursor; empty when it can.
std::string typing_obstacle(const State& state);
/// Begins to type a number into the field of the cursor.
void begin_typing(State& state);
void stop_typing(LabState& lab);
/// A key while a number is typed. Keys that end it and mean something else besides are not taken:
/// false.
bool type_number(State& state, Key key);

/// "tile_m 128" or "tile_m = 128". Error (usage) for an unknown field or a value that it cannot
/// take.
void set_field_by_name(State& state, std::string_view assignment);
/// What completes such a line: each field with its value, or when its name is typed the values that
/// it steps through.
std::vector<std::string> possible_assignments(const State& state, std::string_view typed);

}  // namespace tilewright
