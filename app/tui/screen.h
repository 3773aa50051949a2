#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/canvas.h"
#include "app/tui/command_table.h"
#include "app/tui/state.h"
#include "app/tui/widgets.h"

namespace tilewright {

/// A framed part of a screen.
struct PaneInfo {
  std::string_view name;
  /// What stands in the frame instead of the name; may be null.
  std::string (*title)(const State& state) = nullptr;
  void (*draw)(const State& state, Canvas canvas) = nullptr;
  /// What its signs mean, for its foot, given its inside; may be null.
  std::string (*legend)(const State& state, const Rect& inside) = nullptr;
};

/// Where a pane is drawn, frame and all.
struct PaneBox {
  int pane = 0;
  Rect rect;
};

/// A screen of the workbench: its panes, where they stand, and what it does with keys and clicks
/// that no command takes.
struct ScreenInfo {
  Screen screen = Screen::kHome;
  std::string_view name;
  Place place = Place::kHome;
  std::span<const PaneInfo> panes;
  /// Panes within a body, disjoint, the focused one among them. What is not there is reached by
  /// moving the focus.
  std::vector<PaneBox> (*layout)(const State& state, const Rect& body) = nullptr;
  /// The screen is shown: ask for what it needs. May be null.
  void (*enter)(State& state, Effects& effects) = nullptr;
  /// After everything that happens while the screen is shown: brings up to date what is drawn from
  /// more than the state says at once. May be null.
  void (*settle)(State& state, Effects& effects) = nullptr;
  /// A key before commands see it, for fields that are being typed; true when taken. May be null.
  bool (*type)(State& state, Key key, Effects& effects) = nullptr;
  /// What was pasted, for fields that are being typed; true when taken. May be null.
  bool (*paste)(State& state, const std::u32string& text) = nullptr;
  /// What the keys do while they go to a field that is being typed, instead of the usual hints;
  /// empty when none is. May be null.
  std::vector<Hint> (*mode_hints)(const State& state) = nullptr;
  /// A click, drag or wheel in a pane; coordinates from its inner corner. May be null.
  void (*mouse)(State& state, int pane, const Rect& inner, const MouseEvent& event,
                Effects& effects) = nullptr;
  /// The command line that does what the screen shows; empty when there is none.
  std::string (*command_line)(const State& state) = nullptr;
  /// Facts for the status row, when there is nothing to say. May be null.
  std::string (*status)(const State& state) = nullptr;
};

/// Every screen in the order of its key, 1 to 9.
std::span<const ScreenInfo> all_screens();
const ScreenInfo& info_of(Screen screen);
/// Tells the screen in front that it is shown, where it wants to know.
void enter_screen(State& state, Effects& effects);

/// Shows a run of the database on the screen for runs of its kind, where there is one; else says
/// which command does.
void open_run(State& state, std::string_view kind, int64_t run, Effects& effects);

/// Columns, rows and the smallest size at which anything is shown.
constexpr int kLeastWidth = 60;
constexpr int kLeastHeight = 16;

/// Body of the screen: between the row of tabs and the rows of hints and status.
Rect body_of(int width, int height);
/// Whether there is a status row of its own.
bool has_status_row(int height);

/// The screen whose tab is at a column of the first row; null when there is none.
const ScreenInfo* tab_at(const State& state, int x);

/// The panes that are drawn now: the zoomed one, or the layout.
std::vector<PaneBox> visible_panes(const State& state);

/// The whole screen.
Grid draw(const State& state);

}  // namespace tilewright
