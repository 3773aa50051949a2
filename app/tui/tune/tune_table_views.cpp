// The lists of the Tune screen: the fastest configs, the parameters that matter, what happened.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/lab_figures.h"
#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_recorder.h"
#include "app/tui/tune/tune_views.h"
#include "app/tui/tune/tune_work.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// "A" or "B" of a marked config.
std::string mark_of(const TuneState& tune, const Config& config) {
  const std::vector<TimedConfig>& marked = tune.marks.configs;
  if (tune.marks.problem != tune.shown()->problem) return "";
  const auto place = std::ranges::find(marked, config, &TimedConfig::config);
  if (place == marked.end()) return "";
  return place == marked.begin() ? "A" : "B";
}

}  // namespace

std::string tune_top_title(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  const bool is_one_of_many = problem && state.tune.view->problems.size() > 1;
  return is_one_of_many ? "Top configs  " + brief_problem_text(problem->problem) : "Top configs";
}

std::string tune_matters_title(const State&) {
  return "What matters";
}

std::string tune_log_title(const State&) {
  return "Log";
}

void draw_tune_top(const State& state, Canvas canvas) {
  if (draw_without_session(state, canvas)) return;
  const TuneProblemView& problem = *state.tune.shown();
  const std::vector<size_t> rows = top_rows(problem, kTopRows);
  if (rows.empty()) {
    canvas.text(0, 0, "nothing worked yet", Role::kDim);
    return;
  }
  TableView table;
  table.columns = fit_columns({{"#", 3, true},
                               {"config", 12},
                               {"time", 9, true},
                               {"slower", 7, true},
                               {"try", 6, true},
                               {"bound", 7, true}},
                              1, canvas.width());
  table.rows = static_cast<int>(rows.size());
  table.chosen = std::min(state.tune.top.row, table.rows - 1);
  table.has_focus = state.pane().pane == kTuneTop;
  const double best = problem.trials.trial(rows[0]).time_us;
  // What the short form leaves out, of the chosen one.
  const Config chosen = problem.config(rows[static_cast<size_t>(table.chosen)]);
  const std::string words = printable(named_config(chosen), 400);
  const bool has_words = canvas.height() >= 9;
  const int words_rows = has_words ? static_cast<int>(wrapped(words, canvas.width()).size()) : 0;
  Canvas list = canvas.part({0, 0, canvas.width(), canvas.height() - words_rows});
  draw_table(list, table, [&](int row) {
    const size_t place = rows[static_cast<size_t>(row)];
    const SeenTrial& trial = problem.trials.trial(place);
    const Config config = problem.config(place);
    return TableRow{{std::to_string(row + 1) + mark_of(state.tune, config),
                     brief_config(problem, config), format_us(trial.time_us),
                     row == 0 ? "-" : format_share(trial.time_us / best - 1),
                     std::to_string(trial.number),
                     problem.bound_us > 0 ? format_share(problem.bound_us / trial.time_us) : ""}};
  });
  if (has_words) draw_wrapped(canvas, 0, canvas.height() - words_rows, words, Role::kDim);
}

void draw_tune_matters(const State& state, Canvas canvas) {
  if (draw_without_session(state, canvas)) return;
  const TuneMatters* matters = state.tune.matters.get();
  if (!matters || matters->problem->problem != state.tune.shown()->problem) {
    canvas.text(0, 0, "too few tries yet", Role::kDim);
    return;
  }
  constexpr int kNames = 13;
  constexpr int kShare = 8;
  const SearchAnalysis& analysis = matters->analysis;
  const int bar = std::max(4, canvas.width() - kNames - kShare - 12);
  const int first = 0;
  int y = 0;
  for (size_t i = first; i < analysis.parameters.size() && y + 1 < canvas.height(); ++i, ++y) {
    const ParameterSummary& parameter = analysis.parameters[i];
    canvas.text(0, y, printable(parameter.name), Role::kText, kNames - 1);
    canvas.bar(kNames, y, bar, parameter.share, Role::kCube);
    canvas.text_right(kNames + bar + kShare, y, format_share(parameter.share));
    const auto best = std::ranges::min_element(parameter.values, {}, &ValueSummary::best_us);
    if (best == parameter.values.end()) continue;
    canvas.text(kNames + bar + kShare + 1, y, fmt::format("best {}", best->value), Role::kDim);
  }
  canvas.text(0, canvas.height() - 1,
              fmt::format("variance explained in {} tries; rest {}",
                          format_count(analysis.trials), format_share(analysis.together)),
              Role::kDim);
}

void draw_tune_log(const State& state, Canvas canvas) {
  if (!state.tune.view) {
    draw_without_session(state, canvas);
    return;
  }
  const std::vector<TuneLogLine>& log = state.tune.view->log;
  const int count = static_cast<int>(log.size());
  int y = 0;
  for (int i = state.tune.log.row; i < count && y < canvas.height(); ++i) {
    const TuneLogLine& line = log[static_cast<size_t>(count - 1 - i)];
    const std::string at = line.seconds >= 0
                               ? fmt::format("{:>6.1f} s t{:<5}", line.seconds, line.tried)
                               : fmt::format("t{:<5}", line.tried);
    const int x = canvas.text(0, y, at, Role::kDim) + 1;
    Canvas text = canvas.part({x, y, canvas.width() - x, canvas.height() - y});
    y += draw_wrapped(text, 0, 0, printable(line.text, 600),
                      line.is_warning ? Role::kWarn : Role::kText);
  }
}

}  // namespace tilewright
