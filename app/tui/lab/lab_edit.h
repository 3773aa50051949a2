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

/// A key for a number that is being typed, or one that begins it; false when it is neither. Keys
/// that end the typing and mean something else besides are not taken.
bool type_number(State& state, Key key);

/// "tile_m 128". Error (usage) for an unknown field or a value that it cannot take.
void set_field_by_name(State& state, std::string_view assignment);
/// Every "NAME VALUE" that would be a step of a field.
std::vector<std::string> possible_assignments(const State& state);

}  // namespace tilewright
