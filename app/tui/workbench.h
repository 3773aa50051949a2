#pragma once

#include <optional>
#include <string>

#include "app/tui/state.h"

namespace tilewright {

/// How the workbench starts.
struct WorkbenchOptions {
  std::string db;
  MachineRef machine;
  bool has_color = true;
  ColorDepth most_colors = ColorDepth::k256;
  std::optional<GlyphSet> glyphs;  ///< none: what the locale can show
  Theme theme = Theme::kDark;
  bool mouse = true;
  int frames_per_second = 10;
};

/// Runs the workbench on the terminal of stdin and stdout until the user leaves or a signal says
/// so. Returns the exit status: 0, or 128 + the signal. Throws Error where there is no terminal.
int run_workbench(const WorkbenchOptions& options);

}  // namespace tilewright
