// The marked configs side by side.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/tune/tune_compare.h"
#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_recorder.h"
#include "app/tui/tune/tune_views.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

void add_causes(const ComparedConfigs& compared, std::vector<TableRow>& rows) {
  const RunDiff& diff = compared.diff;
  rows.push_back({{"cycles by cause"}, Role::kHeading});
  const auto row = [&](std::string name, int64_t before, int64_t after) {
    rows.push_back({{std::move(name), format_count(before), format_count(after),
                     before == after ? "=" : signed_count(after - before)}});
  };
  for (const DiffRow& cause : diff.causes) {
    row(words_of(cause.cause), cause.before_cycles, cause.after_cycles);
    rows.back().values.push_back(tenths_text(cause.before_tenths));
    rows.back().values.push_back(tenths_text(cause.after_tenths));
  }
  row("all cycles", diff.before_cycles, diff.after_cycles);
}

}  // namespace

std::vector<TableRow> comparison_rows(const TuneState& tune) {
  std::vector<TableRow> rows;
  if (!shows_comparison(tune)) return rows;
  const TuneProblemView& problem = *tune.shown();
  const TimedConfig& a = tune.marks.configs[0];
  const TimedConfig& b = tune.marks.configs[1];
  const auto time = [](const TimedConfig& each) {
    return format_us(each.time_us) + (each.is_exact ? "" : " *");
  };
  rows.push_back({{a.is_exact && b.is_exact ? "time" : "time (*: cut early)", time(a), time(b),
                   change_percent(a.time_us, b.time_us)}});
  if (tune.compared) {
    const ComparedConfigs& both = *tune.compared;
    rows.push_back({{"simulated", format_us(both.a.time_us), format_us(both.b.time_us),
                     change_percent(both.a.time_us, both.b.time_us)}});
  }
  for (const Parameter& parameter : problem.parameters) {
    const auto value = [&](const Config& config) {
      return config.has(parameter.name) ? value_name(parameter, config.at(parameter.name))
                                        : std::string("-");
    };
    if (value(a.config) == value(b.config)) continue;
    rows.push_back(
        {{printable(parameter.name), value(a.config), value(b.config), ""}, Role::kField});
  }
  if (tune.compared) add_causes(*tune.compared, rows);
  return rows;
}

std::string tune_compare_title(const State&) {
  return "Compare";
}

void draw_tune_compare(const State& state, Canvas canvas) {
  if (draw_without_session(state, canvas)) return;
  const TuneState& tune = state.tune;
  const std::vector<TableRow> rows = comparison_rows(tune);
  if (rows.empty()) {
    const bool has_a = tune.marks.problem == tune.shown()->problem && !tune.marks.configs.empty();
    const std::string text =
        has_a ? fmt::format("A is {}, {}; m on another config compares them",
                            brief_config(*tune.shown(), tune.marks.configs[0].config),
                            format_us(tune.marks.configs[0].time_us))
              : "m marks the config that Top configs or the tile space has chosen; two that are "
                "marked are compared here";
    draw_wrapped(canvas, 0, 0, text, Role::kDim);
    return;
  }
  std::string below;
  if (tune.compare_job != 0) below = "both are simulated for their time by cause ...";
  if (!tune.not_compared.empty()) {
    below = "no time by cause: " + printable(tune.not_compared, 400);
  }
  const int lines = below.empty() ? 0 : static_cast<int>(wrapped(below, canvas.width()).size());
  TableView table;
  table.columns = fit_columns({{"", 15},
                               {"A", 9, true},
                               {"B", 9, true},
                               {"B - A", 9, true},
                               {"A %", 7, true},
                               {"B %", 7, true}},
                              0, canvas.width());
  table.rows = static_cast<int>(rows.size());
  table.chosen = std::clamp(tune.compared_row.row, 0, table.rows - 1);
  table.has_focus = state.pane().pane == kTuneCompare;
  Canvas list = canvas.part({0, 0, canvas.width(), std::max(2, canvas.height() - lines)});
  draw_table(list, table, [&](int row) { return rows[static_cast<size_t>(row)]; });
  if (lines > 0) draw_wrapped(canvas, 0, canvas.height() - lines, below, Role::kDim);
}

}  // namespace tilewright
