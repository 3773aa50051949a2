// What plans cost, why, how they differ, and what is planned.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/tui/fusion/fusion_cursor.h"
#include "app/tui/fusion/fusion_update.h"
#include "app/tui/fusion/fusion_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// A figure of a plan. Less is better, but for those of which nobody minds.
struct CostLine {
  std::string_view name;
  double (*value)(const PlanSummary& summary) = nullptr;
  std::string (*text)(double value) = nullptr;
  bool is_better_small = true;
};

std::string count_text(double value) {
  return format_count(std::llround(value));
}

constexpr auto kCostLines = std::to_array<CostLine>({
    {"time", [](const PlanSummary& s) { return s.time_us; }, format_us},
    {"- of memory", [](const PlanSummary& s) { return s.memory_us; }, format_us},
    {"launches", [](const PlanSummary& s) { return static_cast<double>(s.launches); }, count_text},
    {"- of memory", [](const PlanSummary& s) { return static_cast<double>(s.memory_launches); },
     count_text},
    {"launches run", [](const PlanSummary& s) { return static_cast<double>(s.launches_run); },
     count_text},
    {"HBM read", [](const PlanSummary& s) { return static_cast<double>(s.read_bytes); },
     format_bytes},
    {"HBM written", [](const PlanSummary& s) { return static_cast<double>(s.write_bytes); },
     format_bytes},
    {"barriers", [](const PlanSummary& s) { return static_cast<double>(s.barriers); }, count_text},
    {"peak UB", [](const PlanSummary& s) { return static_cast<double>(s.peak_ub_bytes); },
     format_bytes, false},
    {"workspace", [](const PlanSummary& s) { return static_cast<double>(s.workspace_bytes); },
     format_bytes, false},
    {"made again", [](const PlanSummary& s) { return static_cast<double>(s.recomputed_ops); },
     count_text, false},
    {"estimates", [](const PlanSummary& s) { return static_cast<double>(s.unsimulated); },
     count_text, false},
});

std::string change_text(double before, double now) {
  if (before == now) return "=";
  return before == 0 ? "new" : fmt::format("{:+.1f} %", 100 * (now / before - 1));
}

std::string diff_text(const FusionState& fusion, const FusionDiffRow& row) {
  const FusionVariant& plan = row.is_of_shown ? *fusion.diff_b : *fusion.diff_a;
  const FusedOps& kernel = plan.plan[row.region].plan.kernels[row.kernel];
  const KernelCost& cost = plan.costs[row.region][row.kernel];
  const FusionGraph& graph = fusion.program->region(row.region);
  return fmt::format("{} kernel of {}: {}, {}", row.is_of_shown ? '+' : '-',
                     printable(graph.name(kernel.outputs.back()), 200),
                     format_counted(std::ssize(kernel.ops), "op"), format_us(cost.time_us));
}

constexpr std::string_view kWhyHelp =
    "Space marks an op or a kernel. With another one under the cursor m merges their kernels and w "
    "says why they are fused, or are not. s cuts the kernel before the op, u takes back. R "
    "searches within the edits.";

std::string why_text(const FusionState& fusion) {
  return fusion.why.empty() ? std::string(kWhyHelp) : printable(fusion.why, 1000);
}

void draw_diff(const State& state, Canvas& canvas) {
  const FusionState& fusion = state.fusion;
  const std::vector<FusionDiffRow> rows = fusion_diff_rows(fusion);
  if (rows.empty()) {
    canvas.text(0, 0, "the plans are the same", Role::kDim);
    return;
  }
  for (int y = 0; y < canvas.height(); ++y) {
    const auto at = static_cast<size_t>(fusion.why_row + y);
    if (at >= rows.size()) break;
    const FusionDiffRow& row = rows[at];
    canvas.text(0, y, diff_text(fusion, row), row.is_of_shown ? Role::kGood : Role::kBad,
                canvas.width());
  }
}

}  // namespace

std::string fusion_costs_title(const State& state) {
  const FusionState& fusion = state.fusion;
  if (!shown_fusion_plan(fusion)) return "Costs";
  return fmt::format("Costs of {} against {}", fusion.shown, fusion.baseline);
}

int fusion_cost_rows(const State&) {
  return static_cast<int>(kCostLines.size());
}

void draw_fusion_costs(const State& state, Canvas canvas) {
  const FusionState& fusion = state.fusion;
  const FusionVariantRef now = shown_fusion_plan(fusion);
  const FusionVariantRef base = baseline_fusion_plan(fusion);
  if (!now || !base) return;
  const std::vector<Column> columns = fit_columns({{"of one run", 12},
                                                   {fusion.baseline, 10, true},
                                                   {fusion.shown, 10, true},
                                                   {"change", 8, true}},
                                                  0, canvas.width());
  draw_table_head(canvas, 0, columns);
  for (int y = 1; y < canvas.height(); ++y) {
    const auto at = static_cast<size_t>(fusion.cost_row + y - 1);
    if (at >= kCostLines.size()) break;
    const CostLine& line = kCostLines[at];
    const double before = line.value(base->summary);
    const double value = line.value(now->summary);
    draw_table_row(
        canvas, y, columns,
        {std::string(line.name), line.text(before), line.text(value), change_text(before, value)});
    if (before == value || !line.is_better_small || columns.size() < 4) continue;
    canvas.restyle({canvas.width() - 8, y, 8, 1}, value < before ? Role::kGood : Role::kBad);
  }
}

std::string fusion_why_title(const State& state) {
  const FusionState& fusion = state.fusion;
  if (!fusion.shows_diff) return fusion.is_refused ? "Why  refused" : "Why";
  size_t same = 0;
  for (const PlanDiff& diff : fusion.diff) same += diff.same;
  return fmt::format("Diff  - {}  + {}  {} the same", fusion.baseline, fusion.shown,
                     format_counted(static_cast<int64_t>(same), "kernel"));
}

int fusion_why_rows(const State& state) {
  if (state.fusion.shows_diff) return static_cast<int>(fusion_diff_rows(state.fusion).size());
  constexpr int kNarrow = 36;  // no pane is narrower: the last line can always be seen
  return static_cast<int>(wrapped(why_text(state.fusion), kNarrow).size());
}

void draw_fusion_why(const State& state, Canvas canvas) {
  const FusionState& fusion = state.fusion;
  if (!shown_fusion_plan(fusion)) return;
  if (fusion.shows_diff) return draw_diff(state, canvas);
  const Role role = fusion.why.empty() ? Role::kDim : fusion.is_refused ? Role::kWarn : Role::kText;
  draw_wrapped(canvas, 0, -fusion.why_row, why_text(fusion), role);
}

std::string fusion_form_title(const State& state) {
  return is_planning_fusion(state) ? "Plan  at work, K cancels" : "Plan  (what r plans)";
}

void draw_fusion_form(const State& state, Canvas canvas) {
  draw_fields(canvas, state.fusion.form, state.fusion.field, state.pane().pane == kFusionForm);
}

}  // namespace tilewright
