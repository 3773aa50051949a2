#include "app/tui/lab/lab_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_run.h"
#include "app/tui/lab/lab_views.h"
#include "app/tui/layout.h"

namespace tilewright {

namespace {

constexpr int kForm = static_cast<int>(LabPane::kForm);
constexpr int kTime = static_cast<int>(LabPane::kTime);
constexpr int kEngines = static_cast<int>(LabPane::kEngines);
constexpr int kRoofline = static_cast<int>(LabPane::kRoofline);
constexpr int kAdvice = static_cast<int>(LabPane::kAdvice);
constexpr int kHistory = static_cast<int>(LabPane::kHistory);

constexpr int kTwoColumns = 100;
constexpr int kThreeColumns = 120;
/// Below this height secondary panes wait for the focus.
constexpr int kRoomyHeight = 30;
constexpr int kFrame = 2;

// --- layout

/// Places of a column from top to bottom, each with the panes that take turns in it: the focused
/// one, else the first.
struct Slot {
  std::vector<int> panes;
  Share share;
};

void add_column(std::vector<PaneBox>& boxes, const State& state, const Rect& column,
                const std::vector<Slot>& slots) {
  std::vector<Share> shares;
  for (const Slot& slot : slots) shares.push_back(slot.share);
  const std::vector<Rect> rows = split_rows(column, shares);
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool has_focused =
        std::ranges::find(slots[i].panes, state.pane().pane) != slots[i].panes.end();
    boxes.push_back({has_focused ? state.pane().pane : slots[i].panes.front(), rows[i]});
  }
}

/// The form with the history below it where there is room for both.
std::vector<Slot> form_column(const State& state, int height) {
  constexpr int kLeastHistory = 5;
  const int form = rows_of_form(state.lab) + kFrame;
  const int room = height - kLeastHistory;
  if (state.height < kRoomyHeight || form - kMostFindings > room) {
    return {{{kForm, kHistory}, {1, 1}}};
  }
  return {{{kForm}, {std::min(form, room), 0}}, {{kHistory}, {kLeastHistory, 1}}};
}

/// Of the pane of engines: heading, pipes, four rates and the hits, within reason.
int rows_of_engines(const State& state) {
  const LabRun* run = state.lab.shown_run();
  const int pipes = run ? static_cast<int>(run->outcome->profile.pipes.size()) : 5;
  return std::min(pipes + 6 + kFrame, state.height / 2);
}

std::vector<PaneBox> three_columns(const State& state, const Rect& body) {
  const std::vector<Rect> columns =
      split_columns(body, std::array{Share{38, 2}, Share{45, 3}, Share{37, 2}});
  std::vector<PaneBox> boxes;
  add_column(boxes, state, columns[0], form_column(state, body.height));
  if (state.height < kRoomyHeight) {
    add_column(boxes, state, columns[1], {{{kTime, kRoofline}, {1, 1}}});
    add_column(boxes, state, columns[2], {{{kEngines}, {1, 1}}, {{kAdvice}, {1, 1}}});
    return boxes;
  }
  add_column(boxes, state, columns[1], {{{kRoofline}, {14, 3}}, {{kTime}, {8, 2}}});
  add_column(boxes, state, columns[2],
             {{{kEngines}, {rows_of_engines(state), 0}}, {{kAdvice}, {8, 1}}});
  return boxes;
}

std::vector<PaneBox> two_columns(const State& state, const Rect& body) {
  const std::vector<Rect> columns = split_columns(body, std::array{Share{40, 1}, Share{56, 2}});
  std::vector<PaneBox> boxes;
  add_column(boxes, state, columns[0], form_column(state, body.height));
  if (state.height < kRoomyHeight) {
    add_column(boxes, state, columns[1],
               {{{kTime, kEngines, kRoofline}, {9, 2}}, {{kAdvice}, {6, 1}}});
    return boxes;
  }
  add_column(boxes, state, columns[1],
             {{{kTime}, {9, 1}},
              {{kEngines, kRoofline}, {rows_of_engines(state), 0}},
              {{kAdvice}, {6, 1}}});
  return boxes;
}

/// The form in short above the pane of the ring, or the form alone.
std::vector<PaneBox> one_column(const State& state, const Rect& body) {
  constexpr int kHead = 4 + kFrame;
  constexpr int kLowHead = 3 + kFrame;
  constexpr int kAdviceRows = 6;
  const int pane = state.pane().pane;
  if (pane == kForm) return {{kForm, body}};
  const bool is_low = body.height < 20;
  const bool has_advice = pane == kTime && !is_low && state.lab.shown_run() != nullptr;
  const std::vector<Rect> rows =
      split_rows(body, std::array{Share{is_low ? kLowHead : kHead, 0}, Share{4, 1},
                                  Share{has_advice ? kAdviceRows : 0, 0}});
  std::vector<PaneBox> boxes = {{kForm, rows[0]}, {pane, rows[1]}};
  if (has_advice) boxes.push_back({kAdvice, rows[2]});
  return boxes;
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  if (body.width >= kThreeColumns) return three_columns(state, body);
  return body.width >= kTwoColumns ? two_columns(state, body) : one_column(state, body);
}

// --- titles

std::string form_title(const State& state) {
  const LabState& lab = state.lab;
  const bool is_short = state.width < kTwoColumns && state.pane().pane != kForm;
  if (!is_short || !lab.check.has_problem) return "Kernel";
  return fmt::format("{} {} {}", lab.form.kernel, short_problem(lab.check.problem), lab.form.dtype);
}

std::string of_run(const State& state, std::string_view name) {
  const LabState& lab = state.lab;
  const LabRun* run = lab.shown_run();
  if (!run) return std::string(name);
  // A result of something else than the form says must not be taken for its own.
  const KernelRequest& request = run->outcome->request;
  const bool is_old = !lab.check.has_problem || request.problem != lab.check.problem ||
                      request.config != lab.form.config ||
                      request.machine->argument != lab.form.machine->argument;
  return fmt::format("{}  {}{}", name, run->name(), is_old ? ", edited" : "");
}

std::string time_title(const State& state) {
  switch (state.lab.view) {
    case TimeView::kPath:
      return of_run(state, "Critical path");
    case TimeView::kCores:
      return of_run(state, "Mean core");
    case TimeView::kWaits:
      return of_run(state, "Waits, instructions");
    case TimeView::kDiff:
      return of_run(state, "Diff to pin");
  }
  return "";
}

std::string advice_title(const State& state) {
  const LabRun* run = state.lab.shown_run();
  if (!run || run->outcome->advice.empty()) return "Advice";
  return fmt::format("Advice {}/{}", state.lab.advice.row + 1, run->outcome->advice.size());
}

std::string history_title(const State& state) {
  return state.lab.runs.empty() ? "History" : fmt::format("History  {}", state.lab.runs.size());
}

constexpr std::array<PaneInfo, 6> kPanes = {{
    {"Kernel", form_title, draw_lab_form},
    {"Time", time_title, draw_lab_time},
    {"Engines", [](const State& state) { return of_run(state, "Engines"); }, draw_lab_engines},
    {"Roofline", [](const State& state) { return of_run(state, "Roofline"); }, draw_lab_roofline},
    {"Advice", advice_title, draw_lab_advice},
    {"History", history_title, draw_lab_history},
}};

// --- input

void enter(State& state, Effects&) {
  begin_form(state);
}

/// A number that is typed takes the keys, Esc leads back to the breakdown.
bool type(State& state, Key key, Effects&) {
  begin_form(state);
  LabState& lab = state.lab;
  const int pane = state.pane().pane;
  if (pane != kForm) stop_typing(lab);
  if (pane == kForm && type_number(state, key)) return true;
  if (key == keys::kEscape && (lab.view == TimeView::kWaits || lab.view == TimeView::kDiff)) {
    if (lab.view == TimeView::kDiff) state.pane().is_zoomed = false;
    lab.view = TimeView::kPath;
    lab.scroll = 0;
    return true;
  }
  return false;
}

void click(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects& effects) {
  begin_form(state);
  LabState& lab = state.lab;
  using Kind = MouseEvent::Kind;
  if (event.kind == Kind::kWheelUp || event.kind == Kind::kWheelDown) {
    const std::string_view id = event.kind == Kind::kWheelUp ? "up" : "down";
    if (pane != state.pane().pane) return;
    start_command(state, *command_named(Screen::kLab, id), "", effects);
    return;
  }
  if (event.kind != Kind::kPress) return;
  stop_typing(lab);
  if (pane == kForm) {
    const int field = field_at(state, event.y, inner.width, inner.height);
    if (field >= 0) lab.field = field;
  } else if (pane == kHistory) {
    const int row = history_row_at(lab, event.y, inner.height);
    if (row < 0) return;
    if (row == lab.history.row) show_run(state, chosen_run(lab));
    lab.history.row = row;
  }
}

std::vector<Hint> typing_hints(const State& state) {
  if (!state.lab.typing || state.pane().pane != kForm) return {};
  return {{"Enter", "set"}, {"Esc", "cancel"}, {"Tab", "set, next"}, {"0-9", "digits"}};
}

std::string command_line(const State& state) {
  const LabState& lab = state.lab;
  const LabRun* shown = lab.shown_run();
  const LabRun* pinned = lab.pinned_run();
  // Runs that were not kept have no number that the command line knows.
  if (lab.view == TimeView::kDiff && shown && pinned && shown->outcome->run > 0 &&
      pinned->outcome->run > 0) {
    return fmt::format("tilewright diff {} {}", pinned->outcome->run, shown->outcome->run);
  }
  if (!lab.form.machine || !lab.check.can_run()) return "";
  return command_line_of(request_of(lab.form, lab.check));
}

std::string status(const State& state) {
  const LabState& lab = state.lab;
  if (!lab.form.machine) return "";
  if (lab.job != 0) return "simulating; K cancels";
  if (!lab.check.can_run()) return lab.check.wrong;
  const LabRun* run = lab.shown_run();
  if (!run) return "Enter runs what the form says";
  return fmt::format("{}: {} (took {:.0f} ms)", run->name(), result_text(*run->outcome),
                     run->outcome->wall_ms);
}

}  // namespace

const ScreenInfo& lab_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kLab,
                                     .name = "Lab",
                                     .place = Place::kLab,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .enter = enter,
                                     .type = type,
                                     .mode_hints = typing_hints,
                                     .mouse = click,
                                     .command_line = command_line,
                                     .status = status};
  return kScreen;
}

}  // namespace tilewright
