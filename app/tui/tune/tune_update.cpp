#include "app/tui/tune/tune_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/cli/shell_word.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_screen.h"
#include "app/tui/tune/tune_work.h"
#include "app/tui/workbench_options.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "tuner/evaluate/command_template.h"
#include "tuner/session/space_limits.h"

namespace tilewright {

namespace {

bool is_at_work(const State& state, int64_t job) {
  return job != 0 && std::ranges::find(state.jobs, job, &JobSnapshot::id) != state.jobs.end();
}

void show_session(State& state) {
  TuneState& tune = state.tune;
  tune.view.reset();
  tune.failure.clear();
  tune.matters.reset();
  tune.fit.reset();
  tune.reason.reset();
  tune.cursor.reset();
  tune.held.reset();
  tune.marks = {};
  tune.compared.reset();
  tune.problem = {};
  tune.top = {};
  tune.log = {};
  tune.shows_form = false;
  state.screen = Screen::kTune;
  PaneFocus& focus = state.pane();
  if (focus.pane == kTuneSession) focus.pane = kTuneSpace;
}

void begin(State& state, Effects& effects, const TuneForm& form, std::vector<std::string> more) {
  TuneJob job;
  job.tokens = tokens_of(form);
  job.command_line = command_line_of(form);
  for (const std::string& word : more) job.command_line += " " + word;
  job.tokens.insert(job.tokens.end(), more.begin(), more.end());
  job.globals = state.tune.globals;
  job.globals.db = state.db;
  job.globals.machine = form.machine;
  if (is_at_work(state, state.tune.watch_job)) {
    effects.emplace_back(CancelEffect{state.tune.watch_job});
  }
  show_session(state);
  state.tune.wanted_run = 0;
  state.tune.job = submit(state, effects, "tune " + form.target, std::move(job));
}

/// 1, 2, 5, 10, 20, ... : the first above a number, or the last below it.
int64_t round_step(int64_t from, int step) {
  int64_t before = 0;
  for (int64_t decade = 1; decade <= int64_t{1'000'000'000}; decade *= 10) {
    for (const int64_t digit : {1, 2, 5}) {
      const int64_t value = digit * decade;
      if (step > 0 && value > from) return value;
      if (step < 0 && value >= from) return std::max<int64_t>(1, before);
      before = value;
    }
  }
  return before;
}

/// The form of a command line of `tilewright tune`; Error (usage) for others.
TuneForm form_of_command(const std::string& command, const TuneForm& before) {
  const std::vector<std::string> words = without_workbench_options(split_words(command));
  if (words.size() < 3 || words[1] != "tune") {
    throw Error(ErrorKind::kUsage, "the run was not made by `tilewright tune`: " + command);
  }
  TuneForm form = before;
  form.target = words[2];
  form.shape = form.workload = form.budget = form.strategy = form.options = "";
  form.evaluator = "sim";
  for (size_t i = 3; i < words.size(); ++i) {
    std::string option = words[i];
    std::string value;
    bool has_value = false;
    if (const size_t equals = option.find('='); option.starts_with("--") && equals != option.npos) {
      value = option.substr(equals + 1);
      option.resize(equals);
      has_value = true;
    } else if (i + 1 < words.size() && !words[i + 1].starts_with("--")) {
      value = words[++i];
      has_value = true;
    }
    if (option == "--resume") continue;
    const std::string name = option.starts_with("--") ? option.substr(2) : "";
    const bool is_field = name == "shape" || name == "workload" || name == "machine" ||
                          name == "budget" || name == "strategy" || name == "evaluator";
    if (is_field && has_value) {
      set_field(form, name, value);
      continue;
    }
    form.options += (form.options.empty() ? "" : " ") + shell_word(option);
    if (has_value) form.options += " " + shell_word(value);
  }
  return form;
}

}  // namespace

const std::shared_ptr<const TuneProblemView>* TuneState::shown_place() const {
  const auto place = static_cast<size_t>(problem.row);
  return view && place < view->problems.size() ? &view->problems[place] : nullptr;
}

const TuneProblemView* TuneState::shown() const {
  const auto* place = shown_place();
  return place ? place->get() : nullptr;
}

bool is_tuning(const State& state) {
  return is_at_work(state, state.tune.job);
}

bool shows_own(const State& state) {
  return is_tuning(state) && state.tune.wanted_run == 0;
}

std::string no_steering(const State& state) {
  if (shows_own(state)) return "";
  const TuneView* view = state.tune.view.get();
  if (view && view->is_elsewhere) {
    return view->is_left ? "this session runs in another process, and is no longer followed"
                         : "this session runs in another process: it is only followed";
  }
  if (is_tuning(state)) return "another session is shown; o goes to the one at work";
  return view ? "this session is over; R goes on with it, n begins another"
              : "no session is at work; n begins one";
}

std::string start_obstacle(const State& state) {
  if (is_tuning(state)) return "a session is at work; S stops it, and keeps what it found";
  return wrong_with(state.tune.form);
}

void start_tuning(State& state, Effects& effects) {
  begin(state, effects, state.tune.form, {});
}

std::string resume_obstacle(const State& state) {
  if (is_tuning(state)) return "a session is at work";
  const TuneView* view = state.tune.view.get();
  if (!view || view->run == 0) return "no run is shown";
  return view->is_elsewhere ? "another process is at it" : "";
}

void resume_tuning(State& state, Effects& effects) {
  const TuneView& view = *state.tune.view;
  if (view.phase == TunePhase::kDone && !state.question) {
    state.question = Question{
        fmt::format("run {} is done: search again, its summary anew?", view.run), "resume"};
    return;
  }
  TuneForm before = state.tune.form;
  before.machine = view.machine;
  state.tune.form = form_of_command(view.command, before);
  begin(state, effects, state.tune.form, {"--resume", std::to_string(view.run)});
}

void show_own(State& state, Effects& effects) {
  if (is_at_work(state, state.tune.watch_job)) {
    effects.emplace_back(CancelEffect{state.tune.watch_job});
  }
  show_session(state);
  state.tune.wanted_run = 0;
}

void steer(State& state, Effects& effects, TuneCommand command) {
  effects.emplace_back(SteerEffect{state.tune.job, std::move(command)});
}

void toggle_pause(State& state, Effects& effects) {
  const bool is_paused = state.tune.view && state.tune.view->phase == TunePhase::kPaused;
  TuneCommand command;
  command.kind = is_paused ? TuneCommand::Kind::kResume : TuneCommand::Kind::kPause;
  steer(state, effects, std::move(command));
  state.say(is_paused ? "going on" : "pausing: what is in flight is finished first");
}

void stop_tuning(State& state, Effects& effects) {
  effects.emplace_back(CancelEffect{state.tune.job});
  state.say("stopping: what is in flight is finished and kept");
}

void step_budget(State& state, Effects& effects, int step) {
  const TuneView& view = *state.tune.view;
  if (view.budget == 0 && step > 0) return state.say("the budget has no limit", Role::kDim);
  int64_t most = 0;
  for (const auto& problem : view.problems) most = std::max(most, problem->planned);
  TuneCommand command;
  command.kind = TuneCommand::Kind::kBudget;
  command.evaluations =
      round_step(view.budget > 0 ? view.budget : std::max<int64_t>(most, 1), step);
  state.say(fmt::format("budget: {} configs for each problem", format_count(command.evaluations)));
  steer(state, effects, std::move(command));
}

namespace {

/// Refuses names and values that no problem of the session has, as far as its spaces are known.
void refuse_unknown(const TuneView& view, const SpaceLimits& limits) {
  std::optional<Error> refusal;
  for (const auto& problem : view.problems) {
    if (!problem->spaces) continue;
    try {
      limited(problem->spaces->legal, limits);
      return;
    } catch (const Error& error) {
      if (!refusal) refusal = error;
    }
  }
  if (refusal) throw Error(*refusal);
}

}  // namespace

void limit_value(State& state, Effects& effects, bool is_pin, bool is_across,
                 std::string_view assignment) {
  std::pair<std::string, std::string> limit;
  if (!assignment.empty()) {
    // The value may be an empty text.
    const size_t equals = assignment.find('=');
    limit.first = trim(assignment.substr(0, equals));
    if (equals == std::string_view::npos || limit.first.empty()) {
      throw Error(ErrorKind::kUsage, fmt::format("{} '{}' is not NAME=VALUE",
                                                 is_pin ? "pin" : "ban", printable(assignment)));
    }
    limit.second = trim(assignment.substr(equals + 1));
  } else {
    const TuneProblemView* problem = state.tune.shown();
    const auto plane = problem ? plane_of(state.tune, *problem) : std::nullopt;
    if (!plane) throw Error(ErrorKind::kUsage, "there is no tile space yet; give NAME=VALUE");
    const HeatGrid grid = grid_of(*problem, *plane);
    const SpaceCursor cursor = cursor_of(state.tune, *problem, grid);
    const Parameter& parameter = problem->parameters[is_across ? plane->across : plane->down];
    const int64_t value = is_across ? grid.columns[cursor.column] : grid.rows[cursor.row];
    limit = {parameter.name, problem->spaces
                                 ? problem->spaces->legal.value_text(parameter.name, value)
                                 : std::to_string(value)};
  }
  TuneCommand command;
  command.kind = TuneCommand::Kind::kLimit;
  (is_pin ? command.limits.pins : command.limits.bans) = {limit};
  if (state.tune.view) refuse_unknown(*state.tune.view, command.limits);
  state.say(fmt::format("{} {}={} from the next round on; the log says what came of it",
                        is_pin ? "pin" : "ban", limit.first, limit.second));
  steer(state, effects, std::move(command));
}

std::optional<TimedConfig> chosen_config(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  if (!problem || problem->best_us <= 0) return std::nullopt;
  const auto tried = [&](size_t row) {
    const SeenTrial& trial = problem->trials.trial(row);
    return TimedConfig{problem->config(row), trial.time_us, trial.is_exact()};
  };
  if (state.pane().pane == kTuneTop) {
    const std::vector<size_t> rows = top_rows(*problem, kTopRows);
    const auto row = static_cast<size_t>(state.tune.top.row);
    if (row < rows.size()) return tried(rows[row]);
  }
  const auto plane = plane_of(state.tune, *problem);
  if (state.pane().pane == kTuneSpace && plane) {
    const HeatGrid grid = heat_of(*problem, *plane);
    const HeatCell& cell = grid.at(cursor_of(state.tune, *problem, grid));
    if (cell.best_us <= 0) return std::nullopt;
    return tried(cell.best_row);
  }
  return TimedConfig{problem->best, problem->best_us, true};
}

std::string nothing_chosen(const State& state) {
  if (!state.tune.view) return "no session is shown; n begins one";
  if (!state.tune.shown() || state.tune.shown()->best_us <= 0) return "nothing worked yet";
  return chosen_config(state) ? "" : "nothing was tried in this cell, or nothing worked";
}

void open_chosen(State& state, Effects& effects) {
  const TuneProblemView& problem = *state.tune.shown();
  const std::optional<TimedConfig> chosen = chosen_config(state);
  open_in_lab(state, problem.problem, chosen->config.text(), state.tune.view->machine, effects);
}

void next_axis(State& state, bool is_across) {
  TuneState& tune = state.tune;
  const TuneProblemView* problem = tune.shown();
  const auto plane = problem ? plane_of(tune, *problem) : std::nullopt;
  if (!plane) return;
  const std::vector<size_t> choices = axis_choices(*problem);
  const size_t now = is_across ? plane->across : plane->down;
  const size_t other = is_across ? plane->down : plane->across;
  auto at = static_cast<size_t>(std::ranges::find(choices, now) - choices.begin());
  do {
    at = (at + 1) % choices.size();
  } while (choices[at] == other);
  tune.across = problem->parameters[is_across ? choices[at] : other].name;
  tune.down = problem->parameters[is_across ? other : choices[at]].name;
  tune.cursor.reset();
}

void swap_axes(State& state) {
  TuneState& tune = state.tune;
  const TuneProblemView* problem = tune.shown();
  const auto plane = problem ? plane_of(tune, *problem) : std::nullopt;
  if (!plane) return;
  tune.across = problem->parameters[plane->down].name;
  tune.down = problem->parameters[plane->across].name;
  if (tune.cursor) std::swap(tune.cursor->column, tune.cursor->row);
}

void move_in_space(State& state, int columns, int rows) {
  const TuneProblemView* problem = state.tune.shown();
  const auto plane = problem ? plane_of(state.tune, *problem) : std::nullopt;
  if (!plane) return;
  const HeatGrid grid = grid_of(*problem, *plane);
  SpaceCursor cursor = cursor_of(state.tune, *problem, grid);
  const auto moved = [](size_t from, int step, size_t count) {
    return static_cast<size_t>(
        std::clamp<int64_t>(static_cast<int64_t>(from) + step, 0, static_cast<int64_t>(count) - 1));
  };
  cursor.column = moved(cursor.column, columns, grid.columns.size());
  cursor.row = moved(cursor.row, rows, grid.rows.size());
  state.tune.cursor = cursor;
}

namespace {

/// A summary of what was tried is made anew when a tenth was added.
bool wants_matters(const TuneState& tune, const TuneProblemView& problem) {
  if (problem.trials.size() < 3) return false;
  if (!tune.matters || tune.matters->problem->problem != problem.problem) return true;
  const size_t before = tune.matters->problem->trials.size();
  return problem.trials.size() < before ||
         problem.trials.size() > before + (problem.has_ended ? 0 : before / 10);
}

void settle_space(State& state, const TuneProblemView& problem, Effects& effects) {
  TuneState& tune = state.tune;
  const auto plane = plane_of(tune, problem);
  if (!plane || !problem.spaces) return;
  const HeatGrid grid = grid_of(problem, *plane);
  if (!is_of(tune.fit.get(), problem, grid)) {
    if (is_at_work(state, tune.fit_job)) return;
    tune.fit_job = submit(state, effects, "what fits",
                          TuneFitJob{problem.problem, problem.spaces, grid.plane});
    return;
  }
  const SpaceCursor cursor = cursor_of(tune, problem, grid);
  const CellFit fit = tune.fit->cells[cursor.row * grid.columns.size() + cursor.column];
  const CellPlace cell = {*plane, cursor.column, cursor.row};
  const bool is_known =
      tune.reason && tune.reason->problem == problem.problem && tune.reason->cell == cell;
  if (fit == CellFit::kSearched || is_known || is_at_work(state, tune.reason_job)) return;
  tune.reason_job = submit(state, effects, "why it does not fit",
                           CellReasonJob{problem.problem, problem.spaces, cell});
}

}  // namespace

void settle_tune(State& state, Effects& effects) {
  TuneState& tune = state.tune;
  if (tune.form.machine.empty()) tune.form.machine = state.machine->argument;
  const auto* place = tune.shown_place();
  if (!place) return;
  if (wants_matters(tune, **place) && !is_at_work(state, tune.matters_job)) {
    tune.matters_job = submit(state, effects, "what matters", TuneMattersJob{*place});
  }
  settle_space(state, **place, effects);
}

void tune_problem(State& state, const Problem& problem, Effects& effects) {
  TuneState& tune = state.tune;
  tune.form = form_for(problem, tune.form);
  tune.form.machine =
      state.lab.form.machine ? state.lab.form.machine->argument : state.machine->argument;
  state.screen = Screen::kTune;
  if (is_tuning(state)) {
    tune.shows_form = true;
    state.pane().pane = kTuneSession;
    state.say("the form has the problem; a session is still at work, S stops it", Role::kWarn);
    return;
  }
  begin(state, effects, tune.form, {});
}

void open_tuned_run(State& state, int64_t run, Effects& effects) {
  TuneState& tune = state.tune;
  state.screen = Screen::kTune;
  if (is_tuning(state) && tune.view && tune.view->run == run && tune.wanted_run == 0) {
    tune.shows_form = false;
    return;
  }
  if (is_at_work(state, tune.watch_job)) effects.emplace_back(CancelEffect{tune.watch_job});
  show_session(state);
  tune.wanted_run = run;
  tune.watch_job =
      submit(state, effects, fmt::format("read run {}", run), WatchRunJob{state.db, run});
}

void tune_shown(State& state, int64_t job, const std::shared_ptr<const TuneView>& view) {
  TuneState& tune = state.tune;
  const bool is_watched = tune.wanted_run != 0;
  if (job != (is_watched ? tune.watch_job : tune.job)) return;
  tune.view = view;
  tune.problem.move_to(tune.problem.row, static_cast<int>(view->problems.size()));
  if (view->is_left) {
    state.say(
        fmt::format("run {} is no longer followed; :watch {} does so again", view->run, view->run),
        Role::kWarn);
  }
  if (!is_watched && !view->is_live()) {
    state.say(
        fmt::format("run {}: {}; its winners are in the database", view->run, name_of(view->phase)),
        view->phase == TunePhase::kDone ? Role::kGood : Role::kWarn);
  }
}

void matters_found(State& state, int64_t job, const std::shared_ptr<const TuneMatters>& matters) {
  if (job == state.tune.matters_job) state.tune.matters = matters;
}

void fit_found(State& state, int64_t job, const std::shared_ptr<const TuneFit>& fit) {
  if (job == state.tune.fit_job) state.tune.fit = fit;
}

void reason_found(State& state, int64_t job, const std::shared_ptr<const CellReason>& reason) {
  if (job == state.tune.reason_job) state.tune.reason = reason;
}

void tune_job_ended(State& state, const JobSnapshot& job) {
  TuneState& tune = state.tune;
  if (job.id == tune.compare_job) {
    tune.compare_job = 0;
    tune.not_compared = job.phase == JobPhase::kFailed ? job.failure : "it was cancelled";
    return;
  }
  // What it could not tell is not asked for again and again.
  if (job.id == tune.fit_job && tune.shown()) {
    auto none = std::make_shared<TuneFit>();
    const auto plane = plane_of(tune, *tune.shown());
    if (!plane) return;
    const HeatGrid grid = grid_of(*tune.shown(), *plane);
    none->problem = tune.shown()->problem;
    none->plane = *plane;
    none->cells.assign(grid.size(), CellFit::kSearched);
    tune.fit = std::move(none);
    return;
  }
  if (job.id != tune.job && job.id != tune.watch_job) return;
  if (job.id != (tune.wanted_run != 0 ? tune.watch_job : tune.job)) return;
  const bool has_failed = job.phase == JobPhase::kFailed;
  tune.failure = has_failed ? printable(job.failure, job.failure.size()) : "";
  if (!tune.view) {
    tune.shows_form = true;
    if (state.screen == Screen::kTune) state.pane().pane = kTuneSession;
    return;
  }
  auto over = std::make_shared<TuneView>(*tune.view);
  over->phase = has_failed ? TunePhase::kFailed : TunePhase::kInterrupted;
  over->is_elsewhere = false;
  if (has_failed)
    over->log.push_back({over->seconds, over->tried, "failed: " + tune.failure, true});
  tune.view = std::move(over);
}

}  // namespace tilewright
