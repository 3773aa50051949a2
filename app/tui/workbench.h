#pragma once

#include <string>

#include "app/tui/state.h"

namespace tilewright {

/// How the workbench starts.
struct WorkbenchOptions {
  std::string db;
  MachineRef machine;
  bool has_color = true;
  std::string color_depth;  ///< "", or fewer colours than the terminal has
  std::string glyphs;       ///< "": what the locale can show
  std::string theme = "dark";
  bool mouse = true;
  int frames_per_second = 10;
};

/// Runs the workbench on the terminal of stdin and stdout until the user leaves or a signal says
/// so. Returns the exit status: 0, or 128 + the signal. Throws Error where there is no terminal.
int run_workbench(const WorkbenchOptions& options);

}  // namespace tilewright
