#pragma once

#include <optional>
#include <string>

#include "app/cli/settings.h"
#include "app/tui/state.h"

namespace tilewright {

/// How the workbench starts.
struct WorkbenchOptions {
  std::string db;
  std::string not_kept;  ///< why nothing can be written to it; empty: it can
  Globals globals;       ///< what commands that run in it are told
  MachineRef machine;
  bool machine_is_given = false;  ///< by the user: then the session's gives way
  std::string session = "main";
  bool is_fresh = false;  ///< what the session was left at does not come back
  bool has_color = true;
  ColorDepth most_colors = ColorDepth::k256;
  std::optional<GlyphSet> glyphs;  ///< none: what the locale can show
  std::optional<Theme> theme;      ///< none: the session's
  std::optional<bool> mouse;       ///< none: the session's
  int frames_per_second = 10;
};

/// How it ended.
struct WorkbenchEnd {
  int status = 0;       ///< 0, or 128 + the signal
  std::string warning;  ///< why the session was not kept; empty when it was
  /// A worker is at something that cannot be stopped and loses nothing with the process, which
  /// should end at once.
  bool is_busy = false;
};

/// Runs the workbench on the terminal of stdin and stdout until the user leaves or a signal says
/// so. Throws Error where there is no terminal.
WorkbenchEnd run_workbench(const WorkbenchOptions& options);

}  // namespace tilewright
