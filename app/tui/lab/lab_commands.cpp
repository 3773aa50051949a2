// What can be done in the Lab.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/lab/lab_run.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/palette.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/tune/tune_screen.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

LabPane focused(const State& state) {
  return static_cast<LabPane>(state.pane().pane);
}

std::string no_result(const State& state) {
  return state.lab.shown_run() ? "" : "nothing was run yet; Enter runs what the form says";
}

std::string nothing_to_undo(const State& state) {
  return state.lab.undo.empty() ? "the form was not changed" : "";
}

std::string nothing_to_compare(const State& state) {
  if (!state.lab.shown_run()) return no_result(state);
  return state.lab.pinned_run() ? "" : "no run is pinned; p pins the one shown";
}

std::string no_advice(const State& state) {
  if (!state.lab.shown_run()) return no_result(state);
  const Advice* advice = chosen_advice(state.lab);
  if (!advice) return "there is no advice on this run";
  if (!advice->pays()) return reason_against(*advice);
  return state.lab.job != 0 ? "a run is under way; K cancels it" : "";
}

std::string no_default(const State& state) {
  const LabCheck& check = state.lab.check;
  return check.fallback.values.empty() ? check.wrong : "";
}

/// Moves the cursor of the focused pane.
void move(State& state, int step) {
  LabState& lab = state.lab;
  const LabRun* run = lab.shown_run();
  switch (focused(state)) {
    case LabPane::kForm:
      return move_field(state, step);
    case LabPane::kHistory:
      return lab.history.move_to(lab.history.row + step, static_cast<int>(lab.runs.size()));
    case LabPane::kAdvice:
      if (run) {
        lab.advice.move_to(lab.advice.row + step, static_cast<int>(run->outcome->advice.size()));
      }
      return;
    default:
      lab.scroll = std::clamp(lab.scroll + step, 0, 1000);
  }
}

template <int kStep>
void move_by(State& state, std::string_view, Effects&) {
  move(state, kStep);
}

template <int kStep>
void change_by(State& state, std::string_view, Effects&) {
  if (focused(state) == LabPane::kForm) return step_field(state, kStep);
  state.say("the form has the values that can be changed; Tab leads to it", Role::kDim);
}

template <int kStep>
void choose_advice(State& state, std::string_view, Effects&) {
  const int count = static_cast<int>(state.lab.shown_run()->outcome->advice.size());
  if (count == 0) return state.say("there is no advice on this run", Role::kDim);
  state.lab.advice.row = (state.lab.advice.row + kStep + count) % count;
}

void show_view(State& state, TimeView view) {
  state.lab.view = view;
  state.lab.scroll = 0;
  state.pane().pane = static_cast<int>(LabPane::kTime);
}

void toggle_breakdown(State& state, std::string_view, Effects&) {
  show_view(state, state.lab.view == TimeView::kPath ? TimeView::kCores : TimeView::kPath);
}

void toggle_waits(State& state, std::string_view, Effects&) {
  show_view(state, state.lab.view == TimeView::kWaits ? TimeView::kPath : TimeView::kWaits);
}

void toggle_diff(State& state, std::string_view, Effects&) {
  const bool opens = state.lab.view != TimeView::kDiff;
  show_view(state, opens ? TimeView::kDiff : TimeView::kPath);
  state.pane().is_zoomed = opens;
}

void take_default(State& state, std::string_view, Effects&) {
  LabForm form = state.lab.form;
  form.chosen.clear();
  settle_config(form);
  replace_form(state, std::move(form));
  state.say("the kernel's default config");
}

void choose_field(State& state, std::string_view name, std::string_view value) {
  set_field_by_name(state, fmt::format("{} {}", name, value));
}

void edit_number(State& state, std::string_view, Effects&) {
  state.pane().pane = static_cast<int>(LabPane::kForm);
  begin_typing(state);
}

/// For the line behind "set" in the palette.
std::vector<std::string> set_choices(const State& state) {
  return possible_assignments(state, typed_argument(state));
}

std::vector<std::string> choices_of(const State& state, std::string_view name) {
  for (const LabField& field : state.lab.fields) {
    if (field.name == name) return field.choices;
  }
  return {};
}

void load_run(State& state, std::string_view, Effects&) {
  show_run(state, chosen_run(state.lab));
}

void show_timeline(State& state, std::string_view, Effects& effects) {
  open_timeline(state, state.lab.shown_run()->outcome->request, effects);
}

void export_shown(State& state, std::string_view path, Effects& effects) {
  const KernelRequest& request = state.lab.shown_run()->outcome->request;
  submit(state, effects, "export timeline", ExportTimelineJob{request, std::string(path)});
}

constexpr int kPage = 10;
constexpr int kAll = 1 << 20;

std::string no_problem(const State& state) {
  return state.lab.check.has_problem ? "" : state.lab.check.wrong;
}

std::vector<WorkbenchCommand> run_commands() {
  return {
      {.id = "run",
       .place = Place::kLab,
       .keys = "Enter r",
       .hint = "run",
       .help = "simulate what the form says, keep the run",
       .act = [](State& state, std::string_view, Effects& effects) { run_form(state, effects); },
       .obstacle = run_obstacle},
      {.id = "apply",
       .place = Place::kLab,
       .keys = "a",
       .hint = "apply advice",
       .help = "put the chosen advice into the form and run it",
       .act = [](State& state, std::string_view,
                 Effects& effects) { follow_advice(state, effects); },
       .obstacle = no_advice},
      {.id = "pin",
       .place = Place::kLab,
       .keys = "p",
       .hint = "pin",
       .help = "the shown run is the baseline; again: no longer",
       .act = [](State& state, std::string_view, Effects&) { pin_shown(state); },
       .obstacle = no_result},
      {.id = "diff",
       .place = Place::kLab,
       .keys = "D",
       .hint = "diff vs pin",
       .help = "the shown run beside the baseline, and back",
       .act = toggle_diff,
       .obstacle = nothing_to_compare},
      {.id = "instructions",
       .place = Place::kLab,
       .keys = "t",
       .hint = "timeline",
       .help = "the shown run in the Timeline",
       .act = show_timeline,
       .obstacle = no_result},
      {.id = "tune.this",
       .place = Place::kLab,
       .keys = "T",
       .hint = "tune",
       .help = "search for the fastest config of the problem",
       .act =
           [](State& state, std::string_view, Effects& effects) {
             tune_problem(state, Problem(state.lab.check.problem), effects);
           },
       .obstacle = no_problem},
      {.id = "export",
       .place = Place::kLab,
       .keys = "x",
       .hint = "export",
       .help = "write the timeline: Chrome trace, or FILE.csv",
       .act = export_shown,
       .obstacle = no_result,
       .argument = "FILE"},
      {.id = "check",
       .place = Place::kLab,
       .keys = "C",
       .hint = "check numbers",
       .help = "run, and compare the numbers with a reference",
       .act = [](State& state, std::string_view,
                 Effects& effects) { run_form(state, effects, {.checks = true}); },
       .obstacle = run_obstacle},
      {.id = "hazards",
       .place = Place::kLab,
       .keys = "H",
       .help = "run, and look for races and missing flags",
       .act = [](State& state, std::string_view,
                 Effects& effects) { run_form(state, effects, {.finds_hazards = true}); },
       .obstacle = run_obstacle},
  };
}

std::vector<WorkbenchCommand> pane_commands() {
  return {
      {.id = "down",
       .place = Place::kLab,
       .keys = "j Down",
       .help = "next field or row",
       .act = move_by<1>},
      {.id = "up",
       .place = Place::kLab,
       .keys = "k Up",
       .help = "field or row before",
       .act = move_by<-1>},
      {.id = "value.previous",
       .place = Place::kLab,
       .keys = "< h Left",
       .hint = "> change",
       .help = "the legal value before",
       .act = change_by<-1>,
       .pane = static_cast<int>(LabPane::kForm)},
      {.id = "value.next",
       .place = Place::kLab,
       .keys = "> l Right",
       .help = "the next legal value",
       .act = change_by<1>},
      {.id = "edit",
       .place = Place::kLab,
       .keys = "e",
       .hint = "edit",
       .help = "type the number of the field; Enter sets it, Esc gives up",
       .act = edit_number,
       .obstacle = typing_obstacle,
       .pane = static_cast<int>(LabPane::kForm)},
      {.id = "undo",
       .place = Place::kLab,
       .keys = "u",
       .hint = "undo",
       .help = "take the last change of the form back",
       .act = [](State& state, std::string_view, Effects&) { undo_form(state); },
       .obstacle = nothing_to_undo,
       .pane = static_cast<int>(LabPane::kForm)},
      {.id = "auto",
       .place = Place::kLab,
       .keys = "A",
       .hint = "auto",
       .help = "forget the values you set: the kernel's default config",
       .act = take_default,
       .obstacle = no_default,
       .pane = static_cast<int>(LabPane::kForm)},
      {.id = "waits",
       .place = Place::kLab,
       .keys = "w",
       .hint = "waits",
       .help = "waits of the pipes and instructions, and back",
       .act = toggle_waits,
       .obstacle = no_result,
       .pane = static_cast<int>(LabPane::kTime)},
      {.id = "breakdown",
       .place = Place::kLab,
       .keys = "b",
       .hint = "path/cores",
       .help = "time along the critical path, or of the mean core",
       .act = toggle_breakdown,
       .obstacle = no_result,
       .pane = static_cast<int>(LabPane::kTime)},
      {.id = "load",
       .place = Place::kLab,
       .keys = "Enter",
       .hint = "load",
       .help = "in History: show that run again, with its form",
       .act = load_run,
       .obstacle = no_result,
       .pane = static_cast<int>(LabPane::kHistory)},
      {.id = "advice.next",
       .place = Place::kLab,
       .keys = "n",
       .hint = "next",
       .help = "choose the next advice",
       .act = choose_advice<1>,
       .obstacle = no_result,
       .pane = static_cast<int>(LabPane::kAdvice)},
      {.id = "advice.previous",
       .place = Place::kLab,
       .keys = "N",
       .help = "choose the advice before",
       .act = choose_advice<-1>,
       .obstacle = no_result},
      {.id = "page.down",
       .place = Place::kLab,
       .keys = "PgDn Ctrl-D",
       .help = "ten rows down",
       .act = move_by<kPage>},
      {.id = "page.up",
       .place = Place::kLab,
       .keys = "PgUp Ctrl-U",
       .help = "ten rows up",
       .act = move_by<-kPage>},
      {.id = "first",
       .place = Place::kLab,
       .keys = "g Home",
       .help = "first field or row",
       .act = move_by<-kAll>},
      {.id = "last",
       .place = Place::kLab,
       .keys = "G End",
       .help = "last field or row",
       .act = move_by<kAll>},
  };
}

std::vector<WorkbenchCommand> typed_commands() {
  return {
      {.id = "set",
       .place = Place::kLab,
       .help = "a field of the form: set tile_m 128",
       .act = [](State& state, std::string_view argument,
                 Effects&) { set_field_by_name(state, argument); },
       .argument = "NAME VALUE",
       .choices = set_choices},
      {.id = "kernel",
       .place = Place::kLab,
       .help = "another kernel in the form",
       .act = [](State& state, std::string_view name,
                 Effects&) { choose_field(state, "kernel", name); },
       .argument = "NAME",
       .choices = [](const State& state) { return choices_of(state, "kernel"); }},
      {.id = "machine",
       .place = Place::kLab,
       .help = "another machine: a preset or a machine file",
       .act = [](State& state, std::string_view name,
                 Effects&) { choose_field(state, "machine", name); },
       .argument = "MACHINE",
       .choices = [](const State& state) { return choices_of(state, "machine"); }},
  };
}

}  // namespace

std::vector<WorkbenchCommand> lab_commands() {
  std::vector<WorkbenchCommand> table = run_commands();
  for (const auto& more : {pane_commands(), typed_commands()}) {
    table.insert(table.end(), more.begin(), more.end());
  }
  return table;
}

}  // namespace tilewright
