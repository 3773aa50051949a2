#pragma once

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// A key while the list of messages is open.
void update_messages(State& state, Key key);

/// What was said so far with time and severity, over the screen: the newest first, each in full.
void draw_messages(const State& state, Canvas screen);

}  // namespace tilewright
