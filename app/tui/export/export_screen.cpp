#include "app/tui/export/export_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/export/export_update.h"
#include "app/tui/export/export_views.h"
#include "app/tui/layout.h"
#include "app/tui/widgets.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kTwoColumns = 100;
constexpr int kFrame = 2;

constexpr std::array<PaneInfo, 3> kPanes = {{
    {"Winners", export_winners_title, draw_export_winners},
    {"Checks", export_checks_title, draw_export_checks},
    {"Preview", export_preview_title, draw_export_preview},
}};

/// Winners beside their checks, the file below.
std::vector<PaneBox> two_columns(const Rect& body) {
  const std::vector<Rect> rows = split_rows(body, std::array{Share{6, 3}, Share{5, 2}});
  const std::vector<Rect> columns = split_columns(rows[0], std::array{Share{60, 1}, Share{40, 0}});
  return {{kExportWinners, columns[0]}, {kExportChecks, columns[1]}, {kExportPreview, rows[1]}};
}

/// The winners, or the file in their place, above the checks.
std::vector<PaneBox> one_column(const State& state, const Rect& body) {
  constexpr int kBothFrom = 17;
  const int focused = state.pane().pane;
  if (body.height < kBothFrom) return {{focused, body}};
  const std::vector<Rect> rows = split_rows(body, std::array{Share{8, 1}, Share{kFrame + 7, 0}});
  return {{focused == kExportPreview ? kExportPreview : kExportWinners, rows[0]},
          {kExportChecks, rows[1]}};
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  return body.width >= kTwoColumns ? two_columns(body) : one_column(state, body);
}

void enter(State& state, Effects& effects) {
  load_export_run(state, state.exporting.wanted_run, effects);
}

void click(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects&) {
  using Kind = MouseEvent::Kind;
  ExportState& exporting = state.exporting;
  if (event.kind == Kind::kWheelUp || event.kind == Kind::kWheelDown) {
    const int focused = std::exchange(state.pane().pane, pane);
    move_in_export(state, event.kind == Kind::kWheelUp ? -1 : 1);
    state.pane().pane = focused;
    return;
  }
  if (event.kind != Kind::kPress || pane != kExportWinners || !chosen_winner(exporting)) return;
  const int count = static_cast<int>(exporting.selected.size());
  const int rows = winner_rows(exporting, inner.height);
  const int row = first_row(exporting.winner.row, count, rows) + event.y - 1;
  if (event.y < 1 || event.y > rows || row >= count) return;
  constexpr int kMarkColumns = 3;
  const bool is_again = row == exporting.winner.row;
  exporting.winner.move_to(row, count);
  if (is_again || event.x < kMarkColumns) toggle_winner(state);
}

std::string status(const State& state) {
  const ExportState& exporting = state.exporting;
  if (!exporting.view || exporting.view->source.run.id == 0) return "";
  const Run& run = exporting.view->source.run;
  const std::string obstacle = exporting.view->has_winners() ? write_obstacle(state) : "";
  if (!obstacle.empty()) return "not to be written: " + printable(obstacle, 400);
  return fmt::format("run {}  {}  {} {}  {}", run.id, printable(run.label, 160),
                     printable(run.machine_name), printable(run.machine_fingerprint),
                     name_of(run.status));
}

}  // namespace

void move_in_export(State& state, int step) {
  ExportState& exporting = state.exporting;
  const auto moved = [&](int row, int count) {
    return std::clamp(row + step, 0, std::max(0, count - 1));
  };
  if (state.pane().pane == kExportWinners) {
    const int count = static_cast<int>(exporting.selected.size());
    exporting.winner.move_to(moved(exporting.winner.row, count), count);
  } else if (state.pane().pane == kExportChecks) {
    constexpr int kNarrow = 36;  // no pane is narrower: the last line can always be seen
    exporting.check_row = moved(exporting.check_row, check_lines(state, kNarrow));
  } else if (const ExportDraft* draft = current_draft(exporting)) {
    exporting.preview_row =
        moved(exporting.preview_row, static_cast<int>(draft->diff.lines.size()));
  }
}

const ScreenInfo& export_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kExport,
                                     .name = "Export",
                                     .place = Place::kExport,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .enter = enter,
                                     .settle = settle_export,
                                     .mouse = click,
                                     .command_line = export_command_line,
                                     .status = status};
  return kScreen;
}

void open_export(State& state, int64_t run, Effects& effects) {
  state.screen = Screen::kExport;
  state.pane().pane = kExportWinners;
  load_export_run(state, run, effects);
}

}  // namespace tilewright
