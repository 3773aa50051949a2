// Where the time goes: by cause, by waits and instructions, and against the baseline.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// A share of a change as a percentage; "-" where there is no change.
std::string part_of(int64_t part, int64_t whole) {
  if (whole == 0) return "-";
  if (part == 0) return "0.0 %";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

/// The rows as far as they fit; the last of them may stand for several.
struct CauseLine {
  std::string words;
  int64_t tenths = 0;
  Role role = Role::kText;
};

std::vector<CauseLine> cause_lines(const Breakdown& breakdown, int rows) {
  std::vector<CauseLine> lines;
  int more = 0;
  int64_t rest = 0;
  const std::vector<ShareRow> shares = share_rows(breakdown);
  const bool is_cut = static_cast<int>(shares.size()) > rows;
  for (const ShareRow& row : shares) {
    if (is_cut && static_cast<int>(lines.size()) >= rows - 1) {
      rest += row.tenths;
      ++more;
      continue;
    }
    lines.push_back({words_of(row.cause), row.tenths, role_of(row.cause)});
  }
  if (more > 0) lines.push_back({fmt::format("{} other causes", more), rest, Role::kDim});
  return lines;
}

void draw_causes(const KernelOutcome& outcome, const Breakdown& breakdown, Canvas canvas) {
  constexpr int kWords = 24;  // "wait for data of SCALAR"
  const int words = std::min(kWords, canvas.width() * 3 / 5);
  const int bar = canvas.width() - words - 9;
  const int rows = std::max(1, canvas.height() - 1);
  int y = 0;
  for (const CauseLine& line : cause_lines(breakdown, rows)) {
    canvas.text(0, y, line.words, Role::kText, words - 1);
    if (bar > 0) {
      canvas.bar(words, y, bar, static_cast<double>(line.tenths) / 1000, line.role);
    }
    canvas.text_right(canvas.width(), y++, tenths_text(line.tenths));
  }
  if (y >= canvas.height()) return;
  canvas.text(0, y,
              fmt::format("total {} cycles = {}", format_count(outcome.cycles()),
                          format_us(outcome.time_us)),
              Role::kHeading);
  canvas.text_right(canvas.width(), y, "100.0 %", Role::kHeading);
}

/// A table of rows that is scrolled.
struct Listing {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

void draw_listing(Canvas canvas, const Listing& listing, int scroll) {
  draw_table_head(canvas, 0, listing.columns);
  const int count = static_cast<int>(listing.rows.size());
  const int first = std::clamp(scroll, 0, std::max(0, count - canvas.height() + 1));
  for (int y = 1; y < canvas.height() && first + y - 1 < count; ++y) {
    const auto& row = listing.rows[static_cast<size_t>(first + y - 1)];
    draw_table_row(canvas, y, listing.columns, row, row.size() == 1 ? Role::kHeading : Role::kText);
  }
}

/// Waits first, then instructions; cycles are sums over the cores.
void draw_waits(const State& state, const KernelOutcome& outcome, Canvas canvas) {
  Listing list;
  list.columns = fit_columns({{"pipe waits for", 30}, {"cycles", 10, true}, {"times", 10, true}}, 0,
                             canvas.width());
  for (const WaitProfile& wait : outcome.profile.waits) {
    list.rows.push_back({fmt::format("{} {}: {}", name_of(wait.kind), name_of(wait.pipe), wait.on),
                         format_count(whole_cycles(wait.ticks)), format_count(wait.count)});
  }
  list.rows.push_back({"instruction"});
  for (const OpProfile& op : outcome.profile.ops) {
    list.rows.push_back({fmt::format("{} {}", name_of(op.pipe), op.name),
                         format_count(whole_cycles(op.ticks)), format_count(op.count)});
  }
  draw_listing(canvas, list, state.lab.scroll);
}

int draw_diff_values(const RunDiff& diff, Canvas& canvas, int y) {
  if (diff.values.empty()) {
    canvas.text(0, y++, "the same kernel, problem and config", Role::kDim);
    return y;
  }
  for (const DiffValue& value : diff.values) {
    if (y >= canvas.height()) return y;
    canvas.text(0, y, value.name, Role::kDim, 13);
    const int x = canvas.text(14, y, value.before);
    canvas.text(x, y++, " -> " + value.after, Role::kField);
  }
  return y;
}

void draw_diff(const State& state, const LabRun& run, Canvas canvas) {
  const LabRun& pinned = *state.lab.pinned_run();
  const RunDiff diff = diff_of(*pinned.outcome, *run.outcome);
  canvas.text(
      0, 0,
      fmt::format("pin {}: {}   {}: {}   {}", pinned.short_name(),
                  format_us(pinned.outcome->time_us), run.name(), format_us(run.outcome->time_us),
                  change_percent(pinned.outcome->time_us, run.outcome->time_us)),
      Role::kHeading);
  const int y = draw_diff_values(diff, canvas, 1) + 1;
  if (y + 2 >= canvas.height()) return;
  Listing list;
  list.columns = fit_columns({{"cause", 12},
                              {"cycles +-", 10, true},
                              {"of diff", 8, true},
                              {"before", 10, true},
                              {"after", 10, true},
                              {"before %", 9, true},
                              {"after %", 9, true}},
                             0, canvas.width());
  const int64_t whole = diff.after_cycles - diff.before_cycles;
  for (const DiffRow& row : diff.causes) {
    list.rows.push_back({words_of(row.cause), signed_count(row.change()),
                         part_of(row.change(), whole), format_count(row.before_cycles),
                         format_count(row.after_cycles), tenths_text(row.before_tenths),
                         tenths_text(row.after_tenths)});
  }
  list.rows.push_back({"all cycles", signed_count(whole), whole == 0 ? "-" : "100.0 %",
                       format_count(diff.before_cycles), format_count(diff.after_cycles), "100.0 %",
                       "100.0 %"});
  draw_listing(canvas.part({0, y, canvas.width(), canvas.height() - y}), list, state.lab.scroll);
}

}  // namespace

void draw_lab_time(const State& state, Canvas canvas) {
  if (draw_without_result(state, canvas)) return;
  const LabRun& run = *state.lab.shown_run();
  switch (state.lab.view) {
    case TimeView::kPath:
      return draw_causes(*run.outcome, run.outcome->profile.timing.critical_path, canvas);
    case TimeView::kCores:
      return draw_causes(*run.outcome, run.outcome->profile.timing.engine, canvas);
    case TimeView::kWaits:
      return draw_waits(state, *run.outcome, canvas);
    case TimeView::kDiff:
      if (state.lab.pinned_run()) return draw_diff(state, run, canvas);
      draw_wrapped(canvas, 0, 0, "p pins a run to compare with", Role::kDim);
  }
}

}  // namespace tilewright
