#pragma once

#include <string>
#include <variant>
#include <vector>

#include "app/tui/jobs.h"

namespace tilewright {

/// What reducers ask the outside world for: they change the state and nothing else.
struct SubmitEffect {
  int64_t id = 0;
  std::string title;
  JobRequest request;
};
struct CancelEffect {
  int64_t id = 0;
};
/// A command for a job that is not over.
struct SteerEffect {
  int64_t id = 0;
  JobCommand command;
};
/// To the clipboard of the user's terminal.
struct CopyEffect {
  std::string text;
};
/// The screen as text to a file.
struct ScreenDumpEffect {
  std::string path;
};
/// Keeps the session and opens another one, which may be new.
struct SessionEffect {
  std::string name;
};
struct SuspendEffect {};
/// Draw everything again, also what is thought to be there.
struct RedrawEffect {};
/// Theme, glyphs or mouse changed: the terminal must know.
struct AppearanceEffect {};
struct QuitEffect {};

using Effect =
    std::variant<SubmitEffect, CancelEffect, SteerEffect, CopyEffect, ScreenDumpEffect,
                 SessionEffect, SuspendEffect, RedrawEffect, AppearanceEffect, QuitEffect>;
using Effects = std::vector<Effect>;

}  // namespace tilewright
