#include "app/tui/fusion/fusion_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/tui/fusion/fusion_cursor.h"
#include "app/tui/fusion/fusion_update.h"
#include "app/tui/fusion/fusion_views.h"
#include "app/tui/layout.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kTwoColumns = 100;

constexpr std::array<PaneInfo, 5> kPanes = {{
    {"Graph", fusion_graph_title, draw_fusion_graph, fusion_graph_legend},
    {"Kernels", fusion_kernels_title, draw_fusion_kernels},
    {"Costs", fusion_costs_title, draw_fusion_costs},
    {"Why", fusion_why_title, draw_fusion_why},
    {"Plan", fusion_form_title, draw_fusion_form},
}};

/// The graph beside its kernels, their costs and what there is to say; the form where it has the
/// keys, or where there is room for it.
std::vector<PaneBox> two_columns(const State& state, const Rect& body) {
  const int focused = state.pane().pane;
  const std::vector<Rect> columns = split_columns(body, std::array{Share{50, 1}, Share{48, 0.6}});
  std::vector<PaneBox> boxes = {{kFusionGraph, columns[0]}};
  constexpr int kFormRows = 9;
  constexpr int kAllFrom = 36;
  if (body.height >= kAllFrom) {
    const std::vector<Rect> rows = split_rows(
        columns[1], std::array{Share{5, 1}, Share{12, 0}, Share{6, 0}, Share{kFormRows, 0}});
    for (size_t i = 0; i < rows.size(); ++i) boxes.push_back({static_cast<int>(i) + 1, rows[i]});
    return boxes;
  }
  constexpr int kThreeFrom = 23;
  if (body.height < kThreeFrom) {
    const std::vector<Rect> rows = split_rows(columns[1], std::array{Share{5, 1}, Share{6, 0}});
    const bool is_other = focused == kFusionWhy || focused == kFusionForm;
    boxes.push_back({is_other ? focused : int{kFusionKernels}, rows[0]});
    boxes.push_back({kFusionCosts, rows[1]});
    return boxes;
  }
  const std::vector<Rect> rows =
      split_rows(columns[1], std::array{Share{5, 1}, Share{9, 0}, Share{kFormRows, 0}});
  boxes.push_back({kFusionKernels, rows[0]});
  boxes.push_back({kFusionCosts, rows[1]});
  boxes.push_back({focused == kFusionForm ? kFusionForm : kFusionWhy, rows[2]});
  return boxes;
}

/// The graph, or what has the keys in its place, above the costs.
std::vector<PaneBox> one_column(const State& state, const Rect& body) {
  constexpr int kBothFrom = 17;
  const int focused = state.pane().pane;
  if (body.height < kBothFrom) return {{focused, body}};
  const std::vector<Rect> rows = split_rows(body, std::array{Share{8, 1}, Share{6, 0}});
  const bool is_below = focused == kFusionCosts || focused == kFusionWhy;
  return {{is_below ? int{kFusionGraph} : focused, rows[0]},
          {is_below ? focused : int{kFusionCosts}, rows[1]}};
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  return body.width >= kTwoColumns ? two_columns(state, body) : one_column(state, body);
}

void click(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects&) {
  using Kind = MouseEvent::Kind;
  FusionState& fusion = state.fusion;
  if (event.kind == Kind::kWheelUp || event.kind == Kind::kWheelDown) {
    const int focused = std::exchange(state.pane().pane, pane);
    move_in_fusion(state, event.kind == Kind::kWheelUp ? -1 : 1);
    state.pane().pane = focused;
    return;
  }
  if (event.kind != Kind::kPress) return;
  if (pane == kFusionForm) {
    const int count = static_cast<int>(fusion.form.size());
    const int row = first_row(fusion.field, count, inner.height) + event.y;
    if (event.y >= 0 && event.y < inner.height && row < count) fusion.field = row;
    return;
  }
  const std::vector<FusionUnit>* units = shown_units(fusion);
  if (!units || (pane != kFusionGraph && pane != kFusionKernels)) return;
  if (event.y < 1 || event.y >= inner.height) return;
  ListCursor& cursor = pane == kFusionGraph ? fusion.row : fusion.kernel;
  const int count = static_cast<int>(pane == kFusionGraph ? fusion.rows.size() : units->size());
  const int row = first_row(cursor.row, count, inner.height - 1) + event.y - 1;
  if (row >= count) return;
  if (row == cursor.row) return toggle_fusion_mark(state);
  cursor.move_to(row, count);
}

/// Without a plan the first thing is to say what of.
void enter(State& state, Effects&) {
  const bool is_new = !state.fusion.program && !is_planning_fusion(state);
  if (is_new) state.pane().pane = kFusionForm;
}

/// Leaves the marks, then the search.
bool type(State& state, Key key, Effects&) {
  FusionState& fusion = state.fusion;
  if (key != keys::kEscape || state.pane().is_zoomed) return false;
  if (fusion.marks.empty() && fusion.search.empty()) return false;
  if (fusion.marks.empty()) fusion.search.clear();
  fusion.marks.clear();
  return true;
}

std::string status(const State& state) {
  const FusionState& fusion = state.fusion;
  const FusionVariantRef shown = shown_fusion_plan(fusion);
  if (!shown) return "r plans: " + fusion_command_line(state);
  const FusionRequest& request = fusion.program->request;
  std::vector<std::string> names;
  for (const FusionVariantRef& plan : fusion_plans(fusion)) names.push_back(plan->name);
  std::string text = printable(request.source.name, 100);
  if (request.source.is_model()) text += fmt::format(" {} tokens", request.source.tokens);
  text += fmt::format("  launch {}{}  plans {}", format_us(request.launch_us),
                      request.fuses_gemms ? "  GEMM fusion" : "", join(names, ", "));
  if (!fusion.edits.empty()) {
    text += fmt::format("  edit {} of {}", fusion.edits_done, fusion.edits.size());
  }
  return text;
}

}  // namespace

const ScreenInfo& fusion_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kFusion,
                                     .name = "Fusion",
                                     .place = Place::kFusion,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .enter = enter,
                                     .settle = settle_fusion,
                                     .type = type,
                                     .mouse = click,
                                     .command_line = fusion_command_line,
                                     .status = status};
  return kScreen;
}

}  // namespace tilewright
