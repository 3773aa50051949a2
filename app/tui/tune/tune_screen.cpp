#include "app/tui/tune/tune_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/layout.h"
#include "app/tui/shell_command.h"
#include "app/tui/tune/tune_compare.h"
#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_update.h"
#include "app/tui/tune/tune_views.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kTwoColumns = 100;
/// Below this height secondary panes wait for the focus.
constexpr int kRoomyHeight = 30;
constexpr int kFrame = 2;

constexpr std::array<PaneInfo, 7> kPanes = {{
    {"Session", tune_session_title, draw_tune_session},
    {"Convergence", tune_progress_title, draw_tune_progress, tune_progress_legend},
    {"Tile space", tune_space_title, draw_tune_space},
    {"Top configs", tune_top_title, draw_tune_top},
    {"What matters", tune_matters_title, draw_tune_matters},
    {"Log", tune_log_title, draw_tune_log},
    {"Compare", tune_compare_title, draw_tune_compare},
}};

/// Panes that take turns in one place: the focused one, else the first.
struct Slot {
  std::vector<int> panes;
  Share share;
};

void add_column(std::vector<PaneBox>& boxes, const State& state, const Rect& column,
                const std::vector<Slot>& slots) {
  std::vector<Share> shares;
  for (const Slot& slot : slots) shares.push_back(slot.share);
  const std::vector<Rect> rows = split_rows(column, shares);
  const int focused = state.pane().pane;
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool has_focused = std::ranges::find(slots[i].panes, focused) != slots[i].panes.end();
    boxes.push_back({has_focused ? focused : slots[i].panes.front(), rows[i]});
  }
}

std::vector<PaneBox> two_columns(const State& state, const Rect& body) {
  const bool is_roomy = state.height >= kRoomyHeight;
  const int most = body.height * 2 / 5;
  const int session = std::clamp(rows_of_session(state) + kFrame, 5, std::max(5, most));
  const std::vector<Rect> rows = split_rows(body, std::array{Share{session, 0}, Share{6, 1}});
  const std::vector<Rect> columns = split_columns(rows[1], std::array{Share{56, 3}, Share{40, 2}});
  std::vector<PaneBox> boxes = {{kTuneSession, rows[0]}};
  const bool compares = state.pane().pane == kTuneCompare ||
                        (shows_comparison(state.tune) && state.pane().pane != kTuneMatters);
  std::vector<int> side = {kTuneMatters, kTuneCompare};
  if (compares) std::ranges::reverse(side);
  if (is_roomy) {
    add_column(boxes, state, columns[0], {{{kTuneProgress}, {7, 2}}, {{kTuneSpace}, {8, 3}}});
    add_column(
        boxes, state, columns[1],
        {{{kTuneTop}, {6, 3}}, {side, compares ? Share{8, 4} : Share{5, 2}}, {{kTuneLog}, {4, 2}}});
    return boxes;
  }
  add_column(boxes, state, columns[0], {{{kTuneSpace, kTuneProgress}, {6, 1}}});
  side.push_back(kTuneLog);
  add_column(boxes, state, columns[1], {{{kTuneTop}, {3, 1}}, {side, {3, 1}}});
  return boxes;
}

/// The session in short above the pane of the ring, and the top configs below where there is room.
std::vector<PaneBox> one_column(const State& state, const Rect& body) {
  constexpr int kHead = 2 + kFrame;
  constexpr int kTopRowsShown = 3 + kFrame + 1;
  const TuneState& tune = state.tune;
  const bool is_long =
      tune.shows_form || !tune.view || tune.view->problems.size() > 1 || !tune.failure.empty();
  const bool has_session = state.pane().pane == kTuneSession;
  if (has_session && is_long) return {{kTuneSession, body}};
  const int pane = has_session ? static_cast<int>(kTuneSpace) : state.pane().pane;
  const bool is_low = body.height < 20;
  constexpr int kMostReason = 4;
  const int head =
      kHead +
      (has_session ? 1 : std::min(kMostReason, tune.shows_form ? 0 : rows_of_failure(state)));
  const bool has_top = !is_low && pane != kTuneTop;
  const std::vector<Rect> rows = split_rows(
      body,
      std::array{Share{is_low ? 3 : head, 0}, Share{5, 1}, Share{has_top ? kTopRowsShown : 0, 0}});
  std::vector<PaneBox> boxes = {{kTuneSession, rows[0]}, {pane, rows[1]}};
  if (has_top) boxes.push_back({kTuneTop, rows[2]});
  return boxes;
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  return body.width >= kTwoColumns ? two_columns(state, body) : one_column(state, body);
}

void enter(State& state, Effects& effects) {
  settle_tune(state, effects);
}

void end_typing(State& state, bool takes) {
  TuneState& tune = state.tune;
  const std::vector<TuneField> fields = fields_of(tune.form);
  const std::string name = fields[static_cast<size_t>(tune.field)].name;
  if (takes) set_field(tune.form, name, std::string(trim(tune.typing->utf8())));
  tune.typing.reset();
}

/// A text that is typed takes the keys; Esc leads back from the form to the session.
bool type(State& state, Key key, Effects&) {
  TuneState& tune = state.tune;
  if (tune.typing) {
    const bool is_end = key == keys::kEnter || key == keys::kTab || key == keys::kBackTab ||
                        key == keys::kDown || key == keys::kUp;
    if (key == keys::kEscape) {
      end_typing(state, false);
      return true;
    }
    if (is_end) {
      end_typing(state, true);
      return key == keys::kEnter;
    }
    tune.typing->take(key);
    return true;
  }
  const bool leaves = key == keys::kEscape && tune.shows_form && tune.view;
  if (leaves) tune.shows_form = false;
  return leaves;
}

std::vector<Hint> typing_hints(const State& state) {
  if (!state.tune.typing) return {};
  return {{"Enter", "set"}, {"Esc", "cancel"}, {"Tab", "set, next pane"}};
}

void click_in_space(State& state, const Rect& inner, const MouseEvent& event) {
  const SpaceWindow window = space_window(state, inner.width, inner.height);
  const int column = (event.x - window.left) / std::max(1, window.cell);
  const int row = event.y - window.top;
  if (event.x < window.left || column >= window.columns || row < 0 || row >= window.rows) return;
  state.tune.cursor = SpaceCursor{window.column + static_cast<size_t>(column),
                                  window.row + static_cast<size_t>(row)};
}

void click_in_session(State& state, const Rect& inner, const MouseEvent& event) {
  TuneState& tune = state.tune;
  if (tune.shows_form) {
    const int fields = static_cast<int>(fields_of(tune.form).size());
    const int row =
        first_row(tune.field, fields, std::max(0, inner.height - rows_below_form(state))) + event.y;
    // Above the fields is the frame, below them what the last run said.
    const bool is_field = event.y >= 0 && event.y < inner.height - rows_below_form(state);
    if (row < fields && is_field) tune.field = row;
    return;
  }
  const int list = first_problem_row(state, inner.height);
  if (list < 0 || event.y <= list) return;
  const int count = static_cast<int>(tune.view->problems.size());
  const int row = first_row(tune.problem.row, count, inner.height - list - 1) + event.y - list - 1;
  if (row < count) tune.problem.move_to(row, count);
}

void click(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects& effects) {
  using Kind = MouseEvent::Kind;
  if (event.kind == Kind::kWheelUp || event.kind == Kind::kWheelDown) {
    if (pane != state.pane().pane) return;
    const std::string_view id = event.kind == Kind::kWheelUp ? "up" : "down";
    start_command(state, *command_named(Screen::kTune, id), "", effects);
    return;
  }
  if (event.kind != Kind::kPress) return;
  if (state.tune.typing) end_typing(state, true);
  if (pane == kTuneSession) return click_in_session(state, inner, event);
  const TuneProblemView* problem = state.tune.shown();
  if (!problem) return;
  if (pane == kTuneSpace && plane_of(state.tune, *problem)) click_in_space(state, inner, event);
  if (pane != kTuneTop || event.y < 1) return;
  const int count = static_cast<int>(top_rows(*problem, kTopRows).size());
  const int row = first_row(state.tune.top.row, count, inner.height - 1) + event.y - 1;
  if (row < count) state.tune.top.move_to(row, count);
}

std::string command_line(const State& state) {
  const TuneState& tune = state.tune;
  if (!tune.shows_form && tune.view) {
    return with_machine(tune.view->command, tune.view->machine, state);
  }
  return wrong_with(tune.form).empty() ? command_line_of(tune.form) : "";
}

std::string status(const State& state) {
  const TuneState& tune = state.tune;
  if (tune.shows_form) return start_obstacle(state);
  if (!tune.view) return "";
  if (tune.view->log.empty()) return "";
  return printable(tune.view->log.back().text, 400);
}

}  // namespace

const ScreenInfo& tune_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kTune,
                                     .name = "Tune",
                                     .place = Place::kTune,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .enter = enter,
                                     .settle = settle_tune,
                                     .type = type,
                                     .mode_hints = typing_hints,
                                     .mouse = click,
                                     .command_line = command_line,
                                     .status = status};
  return kScreen;
}

}  // namespace tilewright
