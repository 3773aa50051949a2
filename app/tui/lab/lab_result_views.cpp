// Engines, advice and history of the Lab.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

bool has_focus(const State& state, LabPane pane) {
  return state.pane().pane == static_cast<int>(pane);
}

std::string percent(double share) {
  return fmt::format("{:.0f}", share * 100);
}

constexpr int kEngineLabel = 10;
/// " mean  min  max" behind the bar.
constexpr int kEngineNumbers = 15;

void draw_engine(Canvas& canvas, int y, const PipeUse& use) {
  canvas.text(0, y, fmt::format("{} {}", name_of(use.kind), name_of(use.pipe)));
  const int bar = canvas.width() - kEngineLabel - kEngineNumbers;
  if (bar > 0) canvas.bar(kEngineLabel, y, bar, use.mean, role_of(use.pipe));
  canvas.text_right(
      canvas.width(), y,
      fmt::format("{:>4} {:>4} {:>4}", percent(use.mean), percent(use.least), percent(use.most)));
}

void draw_rate(Canvas& canvas, int y, const MemoryRate& rate) {
  const double share = rate.peak > 0 ? rate.bytes_per_s / rate.peak : 0;
  canvas.text(0, y, rate.name);
  const int bar = canvas.width() - kEngineLabel - kEngineNumbers;
  if (bar > 0) canvas.bar(kEngineLabel, y, bar, std::min(1.0, share), Role::kShared);
  canvas.text_right(canvas.width(), y,
                    fmt::format("{:>4} {}", percent(share), rate_text(rate.bytes_per_s)));
}

std::string promise_of(const Advice& advice) {
  if (!advice.is_feasible) return "cannot be done";
  if (advice.estimated_gain <= 0) return "would save nothing";
  return fmt::format("est. -{:.1f} %, {}", advice.estimated_gain * 100,
                     format_us(advice.estimated_us));
}

int draw_advice_row(Canvas& canvas, int y, int number, const Advice& advice, bool is_chosen) {
  const Role role = is_chosen ? Role::kText : Role::kDim;
  canvas.text(0, y, fmt::format("{}", number), is_chosen ? Role::kCursor : Role::kDim);
  Canvas text = canvas.part({3, y, canvas.width() - 3, canvas.height() - y});
  int row = draw_wrapped(text, 0, 0, advice.problem, role);
  if (!advice.change.empty()) row = draw_wrapped(text, 0, row, advice.change, Role::kField);
  if (!advice.is_feasible && !advice.obstacle.empty()) {
    row = draw_wrapped(text, 0, row, advice.obstacle, Role::kWarn);
  }
  const bool pays = advice.is_feasible && advice.estimated_gain > 0;
  text.text(0, row, promise_of(advice), pays ? Role::kGood : Role::kDim);
  return y + row + 1;
}

int rows_of_advice(const Advice& advice, int columns) {
  const auto rows = [&](const std::string& text) {
    return text.empty() ? 0 : static_cast<int>(wrapped(text, columns).size());
  };
  return rows(advice.problem) + rows(advice.change) +
         (advice.is_feasible ? 0 : rows(advice.obstacle)) + 1;
}

int draw_applied(const LabState& lab, Canvas& canvas, int y) {
  if (!lab.applied) return y;
  const std::string text =
      fmt::format("applied {}: estimate {}, real {}", lab.applied_change,
                  change_percent(lab.applied->before_us, lab.applied->estimated_us),
                  change_percent(lab.applied->before_us, lab.applied->real_us));
  return draw_wrapped(canvas, 0, y, text, lab.applied->real_gain > 0 ? Role::kGood : Role::kWarn);
}

/// First advice drawn, so that the chosen one is whole.
int first_advice(const std::vector<Advice>& list, int chosen, int columns, int rows) {
  int first = chosen;
  int taken = rows_of_advice(list[static_cast<size_t>(chosen)], columns);
  while (first > 0) {
    taken += rows_of_advice(list[static_cast<size_t>(first - 1)], columns);
    if (taken > rows) break;
    --first;
  }
  return first;
}

int first_history_row(const LabState& lab, int visible) {
  const int count = static_cast<int>(lab.runs.size());
  return std::clamp(lab.history.row - visible / 2, 0, std::max(0, count - visible));
}

std::string against_pin(const LabState& lab, const LabRun& run) {
  const LabRun* pinned = lab.pinned_run();
  if (!pinned) return "";
  if (pinned->number == run.number) return "pinned";
  return change_percent(pinned->outcome->time_us, run.outcome->time_us);
}

}  // namespace

void draw_lab_engines(const State& state, Canvas canvas) {
  if (draw_without_result(state, canvas)) return;
  const KernelOutcome& outcome = *state.lab.shown_run()->outcome;
  int y = 0;
  canvas.text(0, y, "busy %", Role::kHeading);
  canvas.text_right(canvas.width(), y++, "mean  min  max", Role::kDim);
  for (const PipeUse& use : pipe_uses(outcome)) draw_engine(canvas, y++, use);
  for (const MemoryRate& rate : memory_rates(outcome)) draw_rate(canvas, y++, rate);
  const MemoryCounters& memory = outcome.profile.timing.memory;
  const double hits = memory.l2_read_bytes > 0 ? static_cast<double>(memory.l2_hit_bytes) /
                                                     static_cast<double>(memory.l2_read_bytes)
                                               : 0;
  canvas.text(0, y, "L2 hits", Role::kText);
  canvas.text_right(canvas.width(), y, fmt::format("{} of bytes read", format_share(hits)),
                    Role::kText);
}

void draw_lab_advice(const State& state, Canvas canvas) {
  if (draw_without_result(state, canvas)) return;
  const LabState& lab = state.lab;
  const std::vector<Advice>& list = lab.shown_run()->outcome->advice;
  int y = draw_applied(lab, canvas, 0);
  if (list.empty()) {
    draw_wrapped(canvas, 0, y, "nothing in the profile asks for a change", Role::kDim);
    return;
  }
  const int count = static_cast<int>(list.size());
  const int chosen = std::clamp(lab.advice.row, 0, count - 1);
  const int first = first_advice(list, chosen, canvas.width() - 3, canvas.height() - y);
  for (int i = first; i < count && y < canvas.height(); ++i) {
    y = draw_advice_row(canvas, y, i + 1, list[static_cast<size_t>(i)], i == chosen) + 1;
  }
}

int history_row_at(const LabState& lab, int row, int height) {
  const int index = first_history_row(lab, height - 1) + row - 1;
  return row < 1 || index >= static_cast<int>(lab.runs.size()) ? -1 : index;
}

void draw_lab_history(const State& state, Canvas canvas) {
  if (draw_without_result(state, canvas)) return;
  const LabState& lab = state.lab;
  const std::vector<Column> columns = fit_columns({{"#", 4, true},
                                                   {"config", 8},
                                                   {"time", 9, true},
                                                   {"vs pin", 8, true},
                                                   {"kernel", 10},
                                                   {"problem", 30}},
                                                  1, canvas.width());
  draw_table_head(canvas, 0, columns);
  const int count = static_cast<int>(lab.runs.size());
  const int first = first_history_row(lab, canvas.height() - 1);
  for (int y = 1; y < canvas.height() && first + y - 1 < count; ++y) {
    const int row = first + y - 1;
    const LabRun& run = lab.runs[static_cast<size_t>(count - 1 - row)];
    const KernelRequest& request = run.outcome->request;
    const bool is_shown = run.number == lab.shown;
    draw_table_row(
        canvas, y, columns,
        {std::to_string(run.number), short_config(request.config), format_us(run.outcome->time_us),
         against_pin(lab, run), request.problem.kernel, short_problem(request.problem)},
        is_shown ? Role::kField : Role::kText);
    if (run.number == lab.pinned) canvas.put(0, y, canvas.glyphs().pinned, Role::kWarn);
    if (has_focus(state, LabPane::kHistory) && row == lab.history.row) {
      canvas.restyle({0, y, canvas.width(), 1}, Role::kCursor);
    }
  }
}

}  // namespace tilewright
