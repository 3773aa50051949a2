#pragma once

#include <string>
#include <string_view>

#include "app/tui/state.h"

namespace tilewright {

/// Runs of the Lab: started, shown, compared.

/// What a run looks at besides the time.
struct RunExtras {
  bool checks = false;
  bool finds_hazards = false;
};
/// Simulates what the form says.
void run_form(State& state, Effects& effects, const RunExtras& extras = {});

/// The machine in use when it has that name, else the preset; Error (not found).
MachineRef machine_named(const State& state, std::string_view name);

/// Why the form cannot be run now; empty when it can.
std::string run_obstacle(const State& state);

/// Shows a run of this session again and puts its request into the form.
void show_run(State& state, int number);
/// The run of the history's cursor; 0 when there is none.
int chosen_run(const LabState& lab);

/// Makes the shown run the baseline, or ends that it is one.
void pin_shown(State& state);

/// The advice that is chosen; null when there is none.
const Advice* chosen_advice(const LabState& lab);
/// Puts the chosen advice into the form and runs it.
void follow_advice(State& state, Effects& effects);

}  // namespace tilewright
