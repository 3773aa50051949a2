#pragma once

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// The first minutes with the workbench: a real kernel runs, its breakdown is read, an advice is
/// followed, the difference is looked at, a search finds the fastest config, a model is tuned for
/// its traffic and replayed with the plan and without. Every number in it comes from the runs it
/// makes.
void start_tour(State& state, Effects& effects);

/// A key that goes on with the tour or ends it; false when it is for the screen.
bool update_tour(State& state, Key key, Effects& effects);

/// Rows that the tour takes from the bottom of the body; 0 where none can be spared and it stands
/// over the panes.
int tour_rows(const State& state);

/// The box with the words of the step.
void draw_tour(const State& state, Canvas screen);

}  // namespace tilewright
