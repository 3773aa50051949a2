// Engines, advice and history of the Lab.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

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
                    fmt::format("{:>4} {:>10}", percent(share), rate_text(rate.bytes_per_s)));
}

std::string promise_of(const Advice& advice) {
  if (!advice.is_feasible) return "cannot be done";
  if (!advice.pays()) return reason_against(advice);
  return fmt::format("est. -{:.1f} %, {}", advice.estimated_gain * 100,
                     format_us(advice.estimated_us));
}

struct AdviceLine {
  std::string text;
  Role role = Role::kText;
  std::string right = {};  ///< at the end of the same row
};

/// An advice as rows of so many columns: what is wrong, what to change, what that brings, and the
/// figures behind it where there is room.
std::vector<AdviceLine> advice_lines(const Advice& advice, int columns) {
  constexpr int kRoomyColumns = 70;
  std::vector<AdviceLine> lines;
  const auto add = [&](const std::string& text, Role role) {
    if (text.empty()) return;
    for (std::string& line : wrapped(text, columns)) lines.push_back({std::move(line), role});
  };
  add(advice.problem, Role::kText);
  add(advice.change, Role::kField);
  if (!advice.is_feasible) add(advice.obstacle, Role::kWarn);
  const std::string promise = promise_of(advice);
  const bool has_room =
      advice.is_feasible && columns_of(lines.back().text) + columns_of(promise) + 2 <= columns;
  if (!has_room) lines.push_back({});
  lines.back().right = promise;
  if (columns >= kRoomyColumns) {
    add(advice.evidence, Role::kDim);
    for (const std::string& other : advice.also) add("also " + other, Role::kDim);
  }
  return lines;
}

int draw_advice_row(Canvas& canvas, int y, int number, const Advice& advice, bool is_chosen) {
  constexpr int kLeft = 3;
  canvas.text(0, y, fmt::format("{}", number), is_chosen ? Role::kCursor : Role::kDim);
  for (const AdviceLine& line : advice_lines(advice, canvas.width() - kLeft)) {
    const bool is_plain = line.role == Role::kText && !is_chosen;
    canvas.text(kLeft, y, line.text, is_plain ? Role::kDim : line.role);
    const Role role = advice.pays() ? Role::kGood : Role::kDim;
    if (line.text.empty()) {
      canvas.text(kLeft, y, line.right, role);
    } else {
      canvas.text_right(canvas.width(), y, line.right, role);
    }
    ++y;
  }
  return y;
}

int rows_of_advice(const Advice& advice, int columns) {
  return static_cast<int>(advice_lines(advice, columns).size()) + 1;
}

int draw_applied(const LabState& lab, Canvas& canvas, int y) {
  if (!lab.applied || lab.applied_run != lab.shown) return y;
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
  if (!are_comparable(*pinned->outcome, *run.outcome)) return "-";
  return change_percent(pinned->outcome->time_us, run.outcome->time_us);
}

/// What a run changed: against the baseline, or else against the run before it.
std::string history_change(const LabState& lab, const LabRun& run) {
  const LabRun* other = lab.pinned_run();
  if (!other && &run != lab.runs.data()) other = &run - 1;
  const Problem& problem = run.outcome->request.problem;
  if (!other || other->number == run.number ||
      other->outcome->request.problem.kernel != problem.kernel) {
    return fmt::format("{} {}", problem.kernel, short_problem(problem));
  }
  std::vector<std::string> changes;
  for (const DiffValue& value : diff_of(*other->outcome, *run.outcome).values) {
    changes.push_back(fmt::format("{}={}", value.name, value.after));
  }
  return changes.empty() ? "same config" : join(changes, " ");
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
  if (!list.front().pays()) {
    y = draw_wrapped(canvas, 0, y, "nothing in the profile asks for a change that pays",
                     Role::kText);
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
  const bool has_pin = lab.pinned_run() != nullptr;
  int names = 3;  // with room for the mark of the pin
  for (const LabRun& run : lab.runs) names = std::max(names, columns_of(run.short_name()) + 2);
  std::vector<Column> all = {{"run", names, true}, {"change", 9}, {"time", 9, true}};
  if (has_pin) all.push_back({"vs pin", 8, true});
  all.push_back({"config", 48});
  all.push_back({"problem", 34});
  const std::vector<Column> columns = fit_columns(std::move(all), 1, canvas.width());
  draw_table_head(canvas, 0, columns);
  const int count = static_cast<int>(lab.runs.size());
  const int first = first_history_row(lab, canvas.height() - 1);
  for (int y = 1; y < canvas.height() && first + y - 1 < count; ++y) {
    const int row = first + y - 1;
    const LabRun& run = lab.runs[static_cast<size_t>(count - 1 - row)];
    const KernelRequest& request = run.outcome->request;
    const bool is_shown = run.number == lab.shown;
    std::vector<std::string> values = {run.short_name(), history_change(lab, run),
                                       format_us(run.outcome->time_us)};
    if (has_pin) values.push_back(against_pin(lab, run));
    values.push_back(named_config(request.config));
    values.push_back(request.problem.kernel + " " + short_problem(request.problem));
    draw_table_row(canvas, y, columns, values, is_shown ? Role::kField : Role::kText);
    if (run.number == lab.pinned) canvas.put(0, y, canvas.glyphs().pinned, Role::kWarn);
    if (has_focus(state, LabPane::kHistory) && row == lab.history.row) {
      canvas.restyle({0, y, canvas.width(), 1}, Role::kCursor);
    }
  }
}

}  // namespace tilewright
