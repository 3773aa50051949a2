// The Tune screen's part of the command table.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/export/export_screen.h"
#include "app/tui/palette.h"
#include "app/tui/row_commands.h"
#include "app/tui/tune/tune_compare.h"
#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_screen.h"
#include "app/tui/tune/tune_update.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/search/strategy.h"

namespace tilewright {

namespace {

bool is_on_form(const State& state) {
  return state.tune.shows_form && state.pane().pane == kTuneSession;
}

void move_rows(State& state, int step) {
  TuneState& tune = state.tune;
  const int pane = state.pane().pane;
  const auto moved = [&](ListCursor& list, size_t count) {
    const int rows = static_cast<int>(count);
    list.move_to(std::clamp(list.row + step, 0, std::max(0, rows - 1)), rows);
  };
  if (is_on_form(state)) {
    const int last = static_cast<int>(fields_of(tune.form).size()) - 1;
    tune.field = std::clamp(tune.field + step, 0, last);
  } else if (pane == kTuneSession && tune.view) {
    moved(tune.problem, tune.view->problems.size());
    tune.top = {};
    tune.cursor.reset();
  } else if (pane == kTuneSpace) {
    move_in_space(state, 0, step);
  } else if (pane == kTuneTop && tune.shown()) {
    moved(tune.top, top_rows(*tune.shown(), kTopRows).size());
  } else if (pane == kTuneCompare) {
    moved(tune.compared_row, comparison_rows(tune).size());
  } else if (pane == kTuneLog && tune.view) {
    moved(tune.log, tune.view->log.size());
  }
}

/// In the form the next choice of the field, else the next column of the space.
template <int kStep>
void move_across(State& state, std::string_view, Effects&) {
  TuneState& tune = state.tune;
  if (!is_on_form(state)) {
    if (state.pane().pane == kTuneSpace) move_in_space(state, kStep, 0);
    return;
  }
  const TuneField field = fields_of(tune.form)[static_cast<size_t>(tune.field)];
  const auto now = std::ranges::find(field.choices, field.value);
  const int count = static_cast<int>(field.choices.size());
  if (count == 0) return state.say("e types this field", Role::kDim);
  const int from = now == field.choices.end() ? (kStep > 0 ? -1 : count)
                                              : static_cast<int>(now - field.choices.begin());
  const int to = std::clamp(from + kStep, 0, count - 1);
  set_field(tune.form, field.name, field.choices[static_cast<size_t>(to)]);
}

void edit(State& state, std::string_view, Effects&) {
  TuneState& tune = state.tune;
  const std::vector<TuneField> fields = fields_of(tune.form);
  tune.typing = LineEdit(fields[static_cast<size_t>(tune.field)].value);
}

std::string not_on_form(const State& state) {
  return is_on_form(state) ? "" : "the form of a new session is not shown; n shows it";
}

void toggle_form(State& state, std::string_view, Effects&) {
  TuneState& tune = state.tune;
  tune.shows_form = !tune.shows_form || !tune.view;
  state.pane().is_zoomed = false;
  state.pane().pane = tune.shows_form ? kTuneSession : kTuneSpace;
}

/// Enter in the session's pane.
void enter_session(State& state, std::string_view, Effects& effects) {
  if (is_on_form(state)) return start_tuning(state, effects);
  open_chosen(state, effects);
}

std::string session_obstacle(const State& state) {
  return is_on_form(state) ? start_obstacle(state) : nothing_chosen(state);
}

std::string open_obstacle(const State& state) {
  return nothing_chosen(state);
}

std::string not_live(const State& state) {
  if (!shows_own(state)) return no_steering(state);
  return state.tune.view && state.tune.view->run > 0 ? "" : "the session has not begun yet";
}

bool is_steered(const State& state) {
  return !state.tune.shows_form && not_live(state).empty();
}

void set_budget(State& state, std::string_view text, Effects& effects) {
  TuneCommand command;
  command.kind = TuneCommand::Kind::kBudget;
  command.evaluations = parse_int(text, "the budget");
  if (command.evaluations < 0) throw Error(ErrorKind::kUsage, "the budget is 0 (no limit) or more");
  steer(state, effects, std::move(command));
}

void set_strategy(State& state, std::string_view name, Effects& effects) {
  check_strategy(name);
  TuneCommand command;
  command.kind = TuneCommand::Kind::kStrategy;
  command.text = std::string(name);
  state.say(fmt::format("{} goes on from the next round", name));
  steer(state, effects, std::move(command));
}

template <bool kIsPin, bool kIsAcross>
void limit(State& state, std::string_view assignment, Effects& effects) {
  limit_value(state, effects, kIsPin, kIsAcross, assignment);
}

std::string no_space(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  return problem && plane_of(state.tune, *problem) ? "" : "no tile space is shown yet";
}

void set_form_field(State& state, std::string_view assignment, Effects&) {
  const size_t blank = assignment.find(' ');
  const std::string_view name = assignment.substr(0, blank);
  const std::string_view value =
      blank == std::string_view::npos ? std::string_view() : trim(assignment.substr(blank));
  set_field(state.tune.form, name, value);
  state.tune.shows_form = true;
  state.pane().pane = kTuneSession;
}

std::vector<std::string> field_choices(const State& state) {
  std::vector<std::string> choices;
  const std::string typed = typed_argument(state);
  for (const TuneField& field : fields_of(state.tune.form)) {
    if (!typed.starts_with(field.name + " ")) {
      choices.push_back(fmt::format("{} {}", field.name, field.value));
      continue;
    }
    choices.clear();
    for (const std::string& choice : field.choices) {
      choices.push_back(fmt::format("{} {}", field.name, choice));
    }
    return choices;
  }
  return choices;
}

void write_form(State& state, std::string_view path, Effects& effects) {
  const TuneState& tune = state.tune;
  submit(
      state, effects, fmt::format("batch {}", path),
      WriteBatchJob{std::string(path), tokens_of(tune.form), tune.form.machine, tune.globals.seed});
}

std::string wrong_form(const State& state) {
  return wrong_with(state.tune.form);
}

void watch(State& state, std::string_view run, Effects& effects) {
  open_tuned_run(state, parse_int(run, "the run"), effects);
}

std::vector<std::string> tuned_runs(const State& state) {
  std::vector<std::string> runs;
  if (!state.home.data) return runs;
  for (const RunRow& run : state.home.data->runs) {
    if (run.kind == "tune") runs.push_back(std::to_string(run.id));
  }
  return runs;
}

std::string nothing_hidden(const State& state) {
  if (!is_tuning(state)) return "no session is at work";
  return shows_own(state) && !state.tune.shows_form ? "it is shown already" : "";
}

void export_winners(State& state, std::string_view, Effects& effects) {
  open_export(state, state.tune.view->run, effects);
}

std::string no_winners(const State& state) {
  const TuneState& tune = state.tune;
  if (!tune.view || tune.view->run == 0) return "no session is shown yet";
  return tune.view->is_live() ? "the winners are there when the session has ended" : "";
}

std::vector<WorkbenchCommand> session_commands() {
  return {
      {.id = "open",
       .keys = "Enter",
       .hint = "open in Lab",
       .help = "the chosen config in the Lab",
       .act = [](State& state, std::string_view, Effects& effects) { open_chosen(state, effects); },
       .obstacle = open_obstacle},
      {.id = "pause",
       .keys = "Space",
       .hint = "pause",
       .help = "pause the session, or go on",
       .act = [](State& state, std::string_view,
                 Effects& effects) { toggle_pause(state, effects); },
       .obstacle = not_live,
       .is_hinted = is_steered},
      {.id = "budget.up",
       .keys = "+",
       .hint = "- budget",
       .help = "more configs for each problem: 1, 2, 5, 10, ...",
       .act = [](State& state, std::string_view,
                 Effects& effects) { step_budget(state, effects, 1); },
       .obstacle = not_live,
       .is_hinted = is_steered},
      {.id = "budget.down",
       .keys = "-",
       .help = "fewer configs for each problem",
       .act = [](State& state, std::string_view,
                 Effects& effects) { step_budget(state, effects, -1); },
       .obstacle = not_live},
      {.id = "strategy",
       .keys = "s",
       .hint = "strategy",
       .help = "another strategy goes on, told all that was tried",
       .act = set_strategy,
       .obstacle = not_live,
       .argument = "NAME",
       .choices = [](const State&) { return strategy_names(); },
       .is_hinted = is_steered},
      {.id = "stop",
       .keys = "S",
       .hint = "stop+keep",
       .help = "end the session, with everything kept",
       .act = [](State& state, std::string_view, Effects& effects) { stop_tuning(state, effects); },
       .obstacle = [](const State& state) { return no_steering(state); },
       .is_hinted = is_steered},
      {.id = "resume",
       .keys = "R",
       .help = "go on with the run that is shown",
       .act = [](State& state, std::string_view,
                 Effects& effects) { resume_tuning(state, effects); },
       .obstacle = resume_obstacle},
      {.id = "new",
       .keys = "n",
       .hint = "new",
       .help = "the form of a new session, and back",
       .act = toggle_form},
      {.id = "own",
       .keys = "o",
       .help = "back to the session that is at work here",
       .act = [](State& state, std::string_view, Effects& effects) { show_own(state, effects); },
       .obstacle = nothing_hidden},
      {.id = "watch",
       .help = "a tuning of the database, followed while another process is at it",
       .act = watch,
       .argument = "RUN",
       .choices = tuned_runs},
      {.id = "export",
       .keys = "x",
       .hint = "export",
       .help = "the winners of the run that is shown, on Export",
       .act = export_winners,
       .obstacle = no_winners},
      {.id = "budget",
       .help = "so many configs for each problem; 0: no limit",
       .act = set_budget,
       .obstacle = not_live,
       .argument = "CONFIGS"},
      {.id = "batch",
       .keys = "W",
       .help = "add the form to a batch file for `tilewright tune FILE`",
       .act = write_form,
       .obstacle = wrong_form,
       .argument = "FILE"},
  };
}

std::vector<WorkbenchCommand> form_commands() {
  return {
      {.id = "start",
       .keys = "Enter",
       .hint = "start",
       .help = "tune what the form says; the best config in the Lab",
       .act = enter_session,
       .obstacle = session_obstacle,
       .pane = kTuneSession,
       .is_hinted = is_on_form},
      {.id = "right",
       .keys = "> l Right",
       .hint = "< change",
       .help = "next choice of the field, or column of the space",
       .act = move_across<1>,
       .pane = kTuneSession,
       .is_hinted = is_on_form},
      {.id = "left", .keys = "< h Left", .help = "choice or column before", .act = move_across<-1>},
      {.id = "edit",
       .keys = "e",
       .hint = "edit",
       .help = "type the field of the form",
       .act = edit,
       .obstacle = not_on_form,
       .pane = kTuneSession,
       .is_hinted = is_on_form},
      {.id = "set",
       .help = "a field of the form: set shape m=512,n=4096,k=4096",
       .act = set_form_field,
       .argument = "NAME VALUE",
       .choices = field_choices},
  };
}

std::vector<WorkbenchCommand> pane_commands() {
  return {
      {.id = "pin",
       .keys = "p",
       .hint = "P pin",
       .help = "try only the value across from now on; :pin NAME=VALUE",
       .act = limit<true, true>,
       .obstacle = not_live,
       .pane = kTuneSpace},
      {.id = "pin.down",
       .keys = "P",
       .help = "try only the value down",
       .act = limit<true, false>,
       .obstacle = not_live},
      {.id = "ban",
       .keys = "b",
       .hint = "B ban",
       .help = "try the value across no more; :ban NAME=VALUE",
       .act = limit<false, true>,
       .obstacle = not_live,
       .pane = kTuneSpace},
      {.id = "ban.down",
       .keys = "B",
       .help = "try the value down no more",
       .act = limit<false, false>,
       .obstacle = not_live},
      {.id = "axis.across",
       .keys = "]",
       .hint = "[ axes",
       .help = "another parameter across",
       .act = [](State& state, std::string_view, Effects&) { next_axis(state, true); },
       .obstacle = no_space,
       .pane = kTuneSpace},
      {.id = "axis.down",
       .keys = "[",
       .help = "another parameter down",
       .act = [](State& state, std::string_view, Effects&) { next_axis(state, false); },
       .obstacle = no_space},
      {.id = "axis.swap",
       .keys = "v",
       .hint = "swap",
       .help = "the axes of the space change places",
       .act = [](State& state, std::string_view, Effects&) { swap_axes(state); },
       .obstacle = no_space,
       .pane = kTuneSpace},
      {.id = "scale",
       .keys = "L",
       .help = "times on a logarithmic or a linear scale",
       .act = [](State& state, std::string_view,
                 Effects&) { state.tune.is_linear = !state.tune.is_linear; }},
  };
}

}  // namespace

std::vector<WorkbenchCommand> tune_commands() {
  std::vector<WorkbenchCommand> table = session_commands();
  for (const auto& more : {form_commands(), pane_commands(), row_commands<move_rows>(Place::kTune),
                           tune_compare_commands()}) {
    table.insert(table.end(), more.begin(), more.end());
  }
  for (WorkbenchCommand& command : table) command.place = Place::kTune;
  return table;
}

}  // namespace tilewright
