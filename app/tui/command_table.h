#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/event.h"
#include "app/tui/state.h"

namespace tilewright {

/// Where a command applies.
enum class Place : uint8_t {
  kAnywhere,
  kHome,
  kLab,
  kTimeline,
  kTune,
  kFusion,
  kServe,
  kResults,
  kExport
};

/// Something that the workbench can do. The one table that dispatch, the hint row, the help page,
/// the palette, its completion and the manual come from.
struct WorkbenchCommand {
  std::string_view id = {};  ///< "lab.run": typed behind ':'
  Place place = Place::kAnywhere;
  std::string_view keys = {};  ///< names with blanks between them; empty: from the palette alone
  std::string_view hint = {};  ///< in the hint row or a pane's foot; empty: in neither
  std::string_view help = {};  ///< one line
  void (*act)(State& state, std::string_view argument, Effects& effects) = nullptr;
  /// Why it cannot be done now; empty when it can. No function: always.
  std::string (*obstacle)(const State& state) = nullptr;
  std::string_view argument = {};  ///< "FILE", "TEXT": asked for when a key starts the command
  /// What the argument may be, where there is a list.
  std::vector<std::string> (*choices)(const State& state) = nullptr;

  /// In whose foot the hint stands, and where its keys come before those of other commands; -1: the
  /// hint row, and no pane.
  int pane = -1;
  /// Whether the hint is of use now. No function: always.
  bool (*is_hinted)(const State& state) = nullptr;

  /// Its keys, in order.
  std::vector<Key> key_list() const;
};

/// Every command: those of the whole workbench, then screen by screen.
const std::vector<WorkbenchCommand>& workbench_commands();

/// The commands that apply on a screen: its own first, then those of the whole workbench.
std::vector<const WorkbenchCommand*> commands_on(Screen screen);

/// The command that a key starts now: one of the focused pane before others; null when there is
/// none.
const WorkbenchCommand* command_of(const State& state, Key key);

/// The command of that id among those of a screen; null when there is none.
const WorkbenchCommand* command_named(Screen screen, std::string_view id);

/// Why a command cannot be done now; empty when it can.
std::string obstacle_of(const WorkbenchCommand& command, const State& state);

/// Starts a command: does it, asks for its argument in the palette, or says why it cannot be done.
void start_command(State& state, const WorkbenchCommand& command, std::string_view argument,
                   Effects& effects);

/// Keys and help of all commands as Markdown: the chapter of the manual.
std::string command_manual();

}  // namespace tilewright
