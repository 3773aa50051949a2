#pragma once

#include <string>
#include <vector>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// A row of the palette's list: a command, or a value for its argument.
struct PaletteEntry {
  std::string line;  ///< what Tab completes to
  std::string help;
  std::string keys;
};

/// What the line could become, best match first: commands whose id holds its letters in order, or
/// the arguments of a command that is already named.
std::vector<PaletteEntry> palette_entries(const State& state);

/// A key while the palette is open.
void update_palette(State& state, Key key, Effects& effects);

/// The palette over the screen.
void draw_palette(const State& state, Canvas screen);

/// What stands behind the command of the line that is being typed; empty without one.
std::string typed_argument(const State& state);

}  // namespace tilewright
