// The session: the form that begins one, or how far it is, problem by problem.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/lab/lab_figures.h"
#include "app/tui/tune/tune_recorder.h"
#include "app/tui/tune/tune_update.h"
#include "app/tui/tune/tune_views.h"
#include "app/tui/widgets.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kFactRows = 3;

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

Role role_of(TunePhase phase) {
  switch (phase) {
    case TunePhase::kDone:
      return Role::kGood;
    case TunePhase::kFailed:
      return Role::kBad;
    case TunePhase::kPaused:
    case TunePhase::kInterrupted:
      return Role::kWarn;
    default:
      return Role::kText;
  }
}

/// "312/496 63 %", "312 tries".
std::string count_text(int64_t tried, int64_t planned) {
  if (planned <= 0) return format_count(tried) + " tried";
  const double share = static_cast<double>(tried) / static_cast<double>(planned);
  return fmt::format("{}/{} {:.0f} %", format_count(tried), format_count(planned),
                     std::min(1.0, share) * 100);
}

std::string state_text(const TuneView& view) {
  std::string text(name_of(view.phase));
  if (view.is_elsewhere) {
    text = view.is_left ? "no longer followed" : "followed, read-only";
    if (view.process > 0) text += fmt::format(" (process {})", view.process);
  }
  return text;
}

void draw_state(const TuneView& view, Canvas& canvas) {
  int x = 0;
  const bool is_preparing = view.is_live() && !view.stage.empty();
  if (view.planned > 0 || is_preparing) {
    const int bar = canvas.width() >= 100 ? 24 : 12;
    canvas.bar(0, 0, bar,
               is_preparing ? view.stage_share
                            : static_cast<double>(view.tried) / static_cast<double>(view.planned),
               is_preparing ? Role::kDim : Role::kGood);
    x = bar + 1;
  }
  x = canvas.text(x, 0, is_preparing ? view.stage : count_text(view.tried, view.planned)) + 2;
  x = canvas.text(x, 0, state_text(view), view.is_elsewhere ? Role::kWarn : role_of(view.phase)) +
      2;
  std::string pace;
  if (view.is_live() && view.per_second > 0) pace = fmt::format("{:.1f}/s", view.per_second);
  if (view.is_live() && view.seconds_left() > 0) pace += "  eta " + clock_text(view.seconds_left());
  if (view.seconds > 0 && !view.is_elsewhere) pace += "  " + clock_text(view.seconds) + " so far";
  if (!view.is_live() && view.seconds > 0) pace = "took " + clock_text(view.seconds);
  canvas.text(x, 0, pace, Role::kDim);
}

void draw_best(const TuneView& view, const TuneProblemView* problem, Canvas& canvas) {
  if (!problem || problem->best_us <= 0) {
    canvas.text(0, 1,
                !view.is_live()         ? (view.tried > 0 ? "nothing worked" : "nothing was tried")
                : view.tried > 0        ? "nothing worked yet"
                : view.problems.empty() ? "finding out what there is to try"
                                        : "the first configs are being tried",
                Role::kDim);
    return;
  }
  int x = canvas.text(0, 1, "best " + format_us(problem->best_us), Role::kGood) + 2;
  x = canvas.text(x, 1, brief_config(*problem, problem->best)) + 2;
  std::string more;
  if (problem->baseline_us > 0) {
    more = fmt::format("gain {:.2f}x over {}", problem->gain(), format_us(problem->baseline_us));
  }
  if (problem->bound_us > 0) {
    more += fmt::format("  {} of the bound", format_share(problem->bound_us / problem->best_us));
  }
  canvas.text(x, 1, more, Role::kDim);
}

void draw_setting(const TuneView& view, Canvas& canvas) {
  std::vector<std::string> parts;
  if (view.run > 0) parts.push_back(fmt::format("run {}", view.run));
  if (!view.strategy.empty()) parts.push_back(view.strategy);
  if (view.budget > 0) parts.push_back(fmt::format("budget {}", format_count(view.budget)));
  if (!view.evaluator.empty()) parts.push_back(view.evaluator);
  if (!view.machine.empty()) parts.push_back(view.machine);
  if (!view.date.empty()) parts.push_back(view.date);
  int64_t cached = 0;
  int64_t screened = 0;
  int64_t failed = 0;
  for (const auto& problem : view.problems) {
    cached += problem->cached;
    screened += problem->screened;
    failed += problem->failed;
  }
  if (cached > 0) parts.push_back(format_count(cached) + " known");
  if (screened > 0) parts.push_back(format_count(screened) + " cut early");
  if (failed > 0) parts.push_back(format_count(failed) + " failed");
  if (view.left_out > 0) parts.push_back(format_count(view.left_out) + " not shown");
  canvas.text(0, 2, join(parts, "  "), Role::kDim);
}

std::string state_of(const TuneProblemView& problem, bool is_live) {
  if (problem.has_ended) {
    return problem.regret > 0 ? fmt::format("shared, +{}", format_share(problem.regret)) : "done";
  }
  if (!is_live) return problem.tried > 0 ? "stopped" : "not begun";
  return problem.tried > 0 ? "searching" : "waits";
}

void draw_problems(const State& state, Canvas canvas) {
  const TuneView& view = *state.tune.view;
  TableView table;
  const bool has_ops =
      std::ranges::any_of(view.problems, [](const auto& problem) { return !problem->ops.empty(); });
  std::vector<Column> columns = {{"problem", 24},   {"tried", 9, true}, {"best", 10, true},
                                 {"gain", 7, true}, {"state", 15},      {"config", 24}};
  if (has_ops) columns.insert(columns.begin() + 1, {"ops", 12});
  table.columns = fit_columns(std::move(columns), 0, canvas.width());
  table.rows = static_cast<int>(view.problems.size());
  table.chosen = state.tune.problem.row;
  table.has_focus = state.pane().pane == kTuneSession;
  draw_table(canvas, table, [&](int row) {
    const TuneProblemView& problem = *view.problems[static_cast<size_t>(row)];
    const bool has_best = problem.best_us > 0;
    std::vector<std::string> values = {
        brief_problem_text(problem.problem),
        problem.planned > 0 && !problem.has_ended
            ? fmt::format("{}/{}", problem.tried, problem.planned)
            : format_count(problem.tried),
        has_best ? format_us(problem.best_us) : "",
        has_best && problem.gain() > 0 ? fmt::format("{:.2f}x", problem.gain()) : "",
        state_of(problem, view.is_live()),
        has_best ? brief_config(problem, problem.best) : ""};
    if (has_ops) values.insert(values.begin() + 1, printable(problem.ops));
    return TableRow{std::move(values), problem.tried > 0 ? Role::kText : Role::kDim};
  });
}

std::vector<std::string> failure_lines(const State& state) {
  const std::string& failure = state.tune.failure;
  constexpr int kBorders = 4;
  if (failure.empty()) return {};
  return wrapped("failed: " + failure, state.width - kBorders);
}

void draw_form(const State& state, Canvas canvas) {
  const TuneState& tune = state.tune;
  const std::vector<TuneField> fields = fields_of(tune.form);
  constexpr int kNames = 11;
  const int below = rows_below_form(state);
  const int rows = std::max(0, canvas.height() - below);
  const int first = first_row(tune.field, static_cast<int>(fields.size()), rows);
  const bool has_meanings = canvas.width() >= 90;
  int y = 0;
  for (size_t i = static_cast<size_t>(first); i < fields.size() && y < rows; ++i) {
    const TuneField& field = fields[i];
    const bool is_chosen = static_cast<int>(i) == tune.field;
    canvas.text(0, y, field.name, Role::kDim);
    if (is_chosen && tune.typing) {
      Canvas line = canvas.part({kNames, y, canvas.width() - kNames, 1});
      draw_line_edit(line, 0, "", *tune.typing);
    } else {
      const std::string value = field.value.empty() ? "-" : field.value;
      const int room = has_meanings ? 44 : canvas.width() - kNames;
      canvas.text(kNames, y, value, field.value.empty() ? Role::kDim : Role::kField, room);
      if (has_meanings) canvas.text(kNames + 46, y, field.meaning, Role::kDim);
      if (is_chosen && state.pane().pane == kTuneSession) {
        canvas.restyle({0, y, kNames + std::min(room, columns_of(value)), 1}, Role::kCursor);
      }
    }
    ++y;
  }
  if (below > 1) {
    for (const std::string& line : failure_lines(state)) canvas.text(0, y++, line, Role::kBad);
  }
  const std::string obstacle = start_obstacle(state);
  const std::string help = fields[static_cast<size_t>(tune.field)].meaning;
  canvas.text(0, y,
              !obstacle.empty() ? obstacle
              : has_meanings
                  ? "Enter starts it, < > change a value, e types one; Enter on a tuning "
                    "in Home shows that one"
                  : help,
              obstacle.empty() ? Role::kDim : Role::kWarn);
}

}  // namespace

namespace {

/// "gemm f16 m=512 n=4096 k=4096".
std::string named_problem(const std::string& text) {
  try {
    const Problem problem = parse_problem(text);
    return fmt::format("{} {} {}", problem.kernel, name_of(problem.types.at(0)),
                       short_problem(problem));
  } catch (const std::exception&) {  // a text of another tool
    return printable(text, 200);
  }
}

}  // namespace

std::string brief_problem_text(const std::string& problem) {
  try {
    const Problem parsed = parse_problem(problem);
    return parsed.sizes.empty() ? problem : short_problem(parsed);
  } catch (const Error&) {
    return printable(problem);
  }
}

int rows_of_failure(const State& state) {
  return static_cast<int>(failure_lines(state).size());
}

int rows_below_form(const State& state) {
  return 1 + (state.tune.view ? 0 : rows_of_failure(state));
}

int rows_of_session(const State& state) {
  if (state.tune.shows_form) {
    return static_cast<int>(fields_of(state.tune.form).size()) + rows_below_form(state);
  }
  const TuneView* view = state.tune.view.get();
  const size_t problems = view ? view->problems.size() : 0;
  const int ranges = view && !view->ranges.empty() ? 1 : 0;
  return rows_of_failure(state) + kFactRows + ranges +
         (problems > 1 ? static_cast<int>(problems) + 1 : 0);
}

int first_problem_row(const State& state, int height) {
  const TuneView* view = state.tune.view.get();
  if (state.tune.shows_form || !view || view->problems.size() < 2) return -1;
  const int above = rows_of_failure(state);
  const int first = above + std::min(kFactRows, height - above <= 6 ? 2 : kFactRows);
  const int row = first + (view->ranges.empty() ? 0 : 1);
  return row + 2 <= height ? row : -1;
}

std::string tune_session_title(const State& state) {
  if (state.tune.shows_form) return "New session";
  const TuneView* view = state.tune.view.get();
  if (!view) return "Session";
  if (view->problems.size() == 1) return "Session  " + named_problem(view->problems[0]->problem);
  const std::string count =
      view->problems.empty() ? "" : fmt::format("  {} problems", view->problems.size());
  return fmt::format("Session  {}{}", printable(view->label, 200), count);
}

bool draw_without_session(const State& state, Canvas& canvas) {
  const TuneState& tune = state.tune;
  if (tune.shown()) return false;
  if (!tune.view && !is_tuning(state) && tune.wanted_run == 0) {
    draw_wrapped(canvas, 0, 0, "nothing yet", Role::kDim);
    return true;
  }
  const bool is_reading = tune.wanted_run != 0 && !tune.view;
  draw_wrapped(canvas, 0, 0,
               is_tuning(state) && tune.wanted_run == 0 ? "the session begins ..."
               : is_reading ? fmt::format("reading run {} ...", tune.wanted_run)
                            : "this run tried nothing",
               Role::kDim);
  return true;
}

void draw_tune_session(const State& state, Canvas canvas) {
  const TuneState& tune = state.tune;
  if (tune.shows_form) return draw_form(state, canvas);
  if (!tune.view) {
    draw_without_session(state, canvas);
    return;
  }
  const TuneView& view = *tune.view;
  draw_state(view, canvas);
  const std::vector<std::string> failure = failure_lines(state);
  int y = 1;
  for (const std::string& line : failure) canvas.text(0, y++, line, Role::kBad);
  // A model is served first.
  if (view.problems.empty() && !view.log.empty() && view.is_live()) {
    canvas.text(0, 1, view.log.back().text, Role::kDim);
    return;
  }
  const int above = static_cast<int>(failure.size());
  Canvas facts = canvas.part({0, above, canvas.width(), std::max(0, canvas.height() - above)});
  draw_best(view, tune.shown(), facts);
  const int list = first_problem_row(state, canvas.height());
  if (list < 0 || list >= above + kFactRows) draw_setting(view, facts);
  if (list < 0) return;
  if (!view.ranges.empty()) {
    std::vector<std::string> ranges;
    for (const TuneRangeView& range : view.ranges) {
      ranges.push_back(fmt::format("m {}-{}: {}", range.m_min, range.m_max, range.config));
    }
    canvas.text(0, list - 1, join(ranges, "   "));
  }
  draw_problems(state, canvas.part({0, list, canvas.width(), canvas.height() - list}));
}

}  // namespace tilewright
