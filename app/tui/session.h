#pragma once

#include <string>
#include <string_view>

#include "app/tui/state.h"

namespace tilewright {

/// What comes back when a session is opened again: screen, look, filter, the Lab's form, its last
/// runs and the pinned one, as JSON. Results are not in it: they are simulated again.
std::string session_text(const State& state);

/// "Lab: gemm m=1000 n=4096 k=4096", for lists of sessions.
std::string session_summary(const State& state);

/// Brings a session back and asks for what it showed. Error (failed) for a text that is no session;
/// the state is then as it was.
void restore_session(State& state, std::string_view text, Effects& effects);

}  // namespace tilewright
