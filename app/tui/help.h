#pragma once

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// A key while the help page is open.
void update_help(State& state, Key key);

/// Keys and commands of the screen, over it.
void draw_help(const State& state, Canvas screen);

}  // namespace tilewright
