// The Serve screen's part of the command table.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/row_commands.h"
#include "app/tui/serve/serve_screen.h"
#include "app/tui/serve/serve_update.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

std::string no_run(const State& state) {
  return state.serve.view ? "" : "no serving run is shown; r starts one, o opens one";
}

std::string nothing_serves(const State& state) {
  return serving_job(state) ? "" : "no run is under way; r starts one";
}

std::string no_steps(const State& state) {
  if (!state.serve.view) return no_run(state);
  return shown_serve_step(state) ? "" : "the run has no steps";
}

/// Only what is kept can be compared later.
std::string no_baseline(const State& state) {
  if (!state.serve.view) return no_run(state);
  return serving_job(state) ? "the run is still under way" : "";
}

std::vector<std::string> serving_runs(const State& state) {
  std::vector<std::string> runs;
  if (!state.home.data) return runs;
  for (const RunRow& run : state.home.data->runs) {
    if (run.kind == "serve") runs.push_back(std::to_string(run.id));
  }
  return runs;
}

/// Those of the shown run's model.
std::vector<std::string> comparable_runs(const State& state) {
  std::vector<std::string> runs;
  if (!state.home.data || !state.serve.view) return runs;
  for (const RunRow& run : state.home.data->runs) {
    const bool is_alike = run.label.starts_with(state.serve.view->identity.model + " ");
    if (run.kind == "serve" && is_alike && run.id != state.serve.view->identity.run) {
      runs.push_back(std::to_string(run.id));
    }
  }
  return runs;
}

std::vector<std::string> field_lines(const State& state) {
  std::vector<std::string> lines;
  for (const FormField& field : state.serve.form.fields) {
    const std::vector<std::string> choices = choices_of(field.name);
    for (const std::string& choice : choices)
      lines.push_back(fmt::format("{} {}", field.name, choice));
    if (choices.empty()) lines.push_back(fmt::format("{} {}", field.name, field.value));
  }
  return lines;
}

void edit_field(State& state, std::string_view, Effects&) {
  const FormField& field = state.serve.form.fields[static_cast<size_t>(state.serve.field)];
  state.palette =
      Palette{.line = LineEdit(fmt::format("{} {}", field.name, field.value)), .asking = "set"};
}

template <int kStep>
void step_by(State& state, std::string_view, Effects& effects) {
  move_serve_step(state, kStep, effects);
}

template <int kStep>
void pace_by(State& state, std::string_view, Effects& effects) {
  change_serve_pace(state, kStep, effects);
}

void next_sort(State& state, std::string_view, Effects&) {
  ServeState& serve = state.serve;
  serve.sort = static_cast<RequestSort>((static_cast<int>(serve.sort) + 1) % kRequestSorts);
  serve.requests = {};
}

void next_histogram(State& state, std::string_view, Effects&) {
  int& shown = state.serve.histogram;
  const int count = static_cast<int>(state.serve.view->latencies.size());
  shown = shown + 1 < count ? shown + 1 : -1;
  state.say(shown < 0
                ? "all histograms"
                : "histogram of " + state.serve.view->latencies[static_cast<size_t>(shown)].name,
            Role::kDim);
}

void set_filter(State& state, std::string_view text, Effects&) {
  state.serve.filter = lower_case(text);
  state.serve.requests = {};
  state.serve.opened.reset();
  state.pane().pane = kServeRequests;
}

/// Of the run as it goes on.
std::vector<WorkbenchCommand> run_commands() {
  return {
      {.id = "serve.run",
       .place = Place::kServe,
       .keys = "r",
       .hint = "run",
       .help = "serve what the Run pane says, in virtual time; the run is kept",
       .act = [](State& state, std::string_view,
                 Effects& effects) { start_serving(state, effects); },
       .obstacle = serving_obstacle},
      {.id = "serve.pause",
       .place = Place::kServe,
       .keys = "Space",
       .hint = "pause",
       .help = "the run stands still, or goes on",
       .act = [](State& state, std::string_view,
                 Effects& effects) { pause_or_resume_serving(state, effects); },
       .obstacle = nothing_serves},
      {.id = "serve.later",
       .place = Place::kServe,
       .keys = ". Right",
       .hint = "step",
       .help = "the next step; where a run stands still, it makes one",
       .act = step_by<1>,
       .obstacle = no_steps},
      {.id = "serve.earlier",
       .place = Place::kServe,
       .keys = ", Left",
       .hint = "back",
       .help = "the step before",
       .act = step_by<-1>,
       .obstacle = no_steps},
      {.id = "serve.latest",
       .place = Place::kServe,
       .keys = "f",
       .help = "the last step again, and every new one",
       .act = [](State& state, std::string_view, Effects&) { state.serve.step.reset(); },
       .obstacle = no_steps},
      {.id = "serve.faster",
       .place = Place::kServe,
       .keys = "+ =",
       .help = "more simulated time a second, up to as fast as possible",
       .act = pace_by<1>},
      {.id = "serve.slower",
       .place = Place::kServe,
       .keys = "-",
       .hint = "slower",
       .help = "less simulated time a second",
       .act = pace_by<-1>},
      {.id = "serve.end",
       .place = Place::kServe,
       .keys = "E",
       .help = "end the run here and keep it as far as it came",
       .act = [](State& state, std::string_view, Effects& effects) { end_serving(state, effects); },
       .obstacle = nothing_serves},
  };
}

/// Of what is looked at.
std::vector<WorkbenchCommand> look_commands() {
  return {
      {.id = "serve.enter",
       .place = Place::kServe,
       .keys = "Enter",
       .hint = "look into",
       .help = "into it: a request's steps, a step's ops",
       .act = [](State& state, std::string_view, Effects&) { open_in_serve(state); }},
      {.id = "serve.start",
       .place = Place::kServe,
       .keys = "Enter",
       .hint = "start",
       .help = "in Run: serve what it says",
       .act = [](State& state, std::string_view,
                 Effects& effects) { start_serving(state, effects); },
       .obstacle = serving_obstacle,
       .pane = kServeConfig},
      {.id = "serve.op",
       .place = Place::kServe,
       .keys = "Enter",
       .hint = "timeline of op",
       .help = "in Step: every instruction of the chosen op's kernel",
       .act = [](State& state, std::string_view,
                 Effects& effects) { open_serve_op(state, effects); },
       .obstacle = no_steps,
       .pane = kServeStep},
      {.id = "serve.timeline",
       .place = Place::kServe,
       .keys = "t",
       .hint = "timeline of op",
       .help = "every instruction of the chosen op's kernel, simulated again",
       .act = [](State& state, std::string_view,
                 Effects& effects) { open_serve_op(state, effects); },
       .obstacle = no_steps},
      {.id = "serve.sort",
       .place = Place::kServe,
       .keys = "s",
       .hint = "sort",
       .help = "requests by age (youngest first), TTFT, TPOT, E2E, stall or state, the most first",
       .act = next_sort,
       .obstacle = no_run},
      {.id = "serve.reverse",
       .place = Place::kServe,
       .keys = "S",
       .help = "the other way round",
       .act = [](State& state, std::string_view,
                 Effects&) { state.serve.is_reversed = !state.serve.is_reversed; },
       .obstacle = no_run},
      {.id = "filter",
       .place = Place::kServe,
       .keys = "/",
       .help = "only requests whose number or state holds a text",
       .act = set_filter,
       .obstacle = no_run,
       .argument = "TEXT"},
      {.id = "serve.histogram",
       .place = Place::kServe,
       .keys = "h",
       .hint = "histogram",
       .help = "how one latency spreads, the next one, all of them",
       .act = next_histogram,
       .obstacle = no_run},
      {.id = "serve.baseline",
       .place = Place::kServe,
       .keys = "b",
       .hint = "baseline",
       .help = "the shown run becomes the baseline that others are compared with, or is none",
       .act = [](State& state, std::string_view, Effects&) { toggle_serve_baseline(state); },
       .obstacle = no_baseline},
      {.id = "serve.against",
       .place = Place::kServe,
       .keys = "B",
       .help = "compare with a run of the database, by its number",
       .act = [](State& state, std::string_view run,
                 Effects& effects) { open_serve_baseline(state, parse_int(run, "RUN"), effects); },
       .obstacle = no_run,
       .argument = "RUN",
       .choices = comparable_runs},
      {.id = "serve.open",
       .place = Place::kServe,
       .keys = "o",
       .hint = "open",
       .help = "a serving run of the database, by its number",
       .act = [](State& state, std::string_view run,
                 Effects& effects) { open_serve_run(state, parse_int(run, "RUN"), effects); },
       .argument = "RUN",
       .choices = serving_runs},
  };
}

/// Of the form and of cursors.
std::vector<WorkbenchCommand> form_commands() {
  return {
      {.id = "set",
       .place = Place::kServe,
       .help = "a field of the Run pane: NAME VALUE",
       .act = [](State& state, std::string_view text, Effects&) { set_serve_field(state, text); },
       .argument = "FIELD",
       .choices = field_lines},
      {.id = "serve.edit",
       .place = Place::kServe,
       .keys = "e",
       .hint = "edit",
       .help = "type the chosen field of the Run pane",
       .act = edit_field,
       .pane = kServeConfig},
      {.id = "serve.next",
       .place = Place::kServe,
       .keys = ">",
       .hint = "next value",
       .help = "the chosen field's next value",
       .act = [](State& state, std::string_view, Effects&) { step_serve_field(state, 1); },
       .pane = kServeConfig},
      {.id = "serve.previous",
       .place = Place::kServe,
       .keys = "<",
       .help = "the chosen field's value before",
       .act = [](State& state, std::string_view, Effects&) { step_serve_field(state, -1); },
       .pane = kServeConfig},
  };
}

}  // namespace

std::vector<WorkbenchCommand> serve_commands() {
  std::vector<WorkbenchCommand> table = run_commands();
  for (const auto& commands :
       {look_commands(), form_commands(),
        row_commands<move_serve_cursor>(Place::kServe, "next row; of the load: the next step")}) {
    table.insert(table.end(), commands.begin(), commands.end());
  }
  return table;
}

}  // namespace tilewright
