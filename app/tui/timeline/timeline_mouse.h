#pragma once

#include "app/tui/event.h"
#include "app/tui/rect.h"
#include "app/tui/state.h"

namespace tilewright {

/// A click, drag or wheel in a pane of the Timeline; coordinates from its inner corner.
void timeline_mouse(State& state, int pane, const Rect& inner, const MouseEvent& event,
                    Effects& effects);

/// Moves the list of the Area or Path pane.
void scroll_tables(State& state, int step);

}  // namespace tilewright
