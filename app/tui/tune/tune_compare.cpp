// Two configs of a session side by side.

#include "app/tui/tune/tune_compare.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/lab_run.h"
#include "app/tui/screen.h"
#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_recorder.h"
#include "app/tui/tune/tune_update.h"
#include "app/tui/tune/tune_views.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Error where the kernel, the machine or the config is none that can be simulated here.
KernelRequest request_for(const State& state, const Config& config) {
  const LabForm form = form_of(machine_named(state, state.tune.view->machine),
                               parse_problem(state.tune.marks.problem), config);
  const LabCheck check = check_form(form);
  if (!check.can_run()) throw Error(ErrorKind::kInfeasible, check.wrong);
  return request_of(form, check);
}

void compare(State& state, Effects& effects) {
  TuneState& tune = state.tune;
  try {
    CompareConfigsJob job;
    job.a = request_for(state, tune.marks.configs[0].config);
    job.b = request_for(state, tune.marks.configs[1].config);
    tune.compare_job = submit(state, effects, "compare configs", std::move(job));
  } catch (const Error& error) {
    tune.not_compared = error.message();
  }
  tune.compared_row = {};
  const std::vector<PaneBox> boxes = visible_panes(state);
  if (std::ranges::find(boxes, int{kTuneCompare}, &PaneBox::pane) == boxes.end()) {
    state.pane().pane = kTuneCompare;
  }
}

void mark_chosen(State& state, std::string_view, Effects& effects) {
  TuneState& tune = state.tune;
  const TuneProblemView& problem = *tune.shown();
  const TimedConfig chosen = *chosen_config(state);
  if (tune.marks.problem != problem.problem) tune.marks = {problem.problem, {}};
  if (tune.compare_job != 0) effects.emplace_back(CancelEffect{tune.compare_job});
  tune.compare_job = 0;
  tune.compared.reset();
  tune.not_compared.clear();
  std::vector<TimedConfig>& marked = tune.marks.configs;
  const auto known = std::ranges::find(marked, chosen.config, &TimedConfig::config);
  const std::string words = brief_config(problem, chosen.config);
  if (known != marked.end()) {
    marked.erase(known);
    return state.say(words + " is no longer marked");
  }
  if (marked.size() == 2) marked.erase(marked.begin());
  marked.push_back(chosen);
  if (marked.size() == 2) return compare(state, effects);
  state.say(fmt::format("A is {}; m on another config compares them", words));
}

std::string nothing_marked(const State& state) {
  return shows_comparison(state.tune) ? "" : "two configs must be marked; m marks the chosen one";
}

/// The parameters of the shown problem that can be held: those with several values that are no
/// axis.
std::vector<size_t> held_choices(const TuneState& tune, const TuneProblemView& problem) {
  std::vector<size_t> choices = axis_choices(problem);
  const std::optional<SpacePlane> plane = plane_of(tune, problem);
  std::erase_if(choices, [&](size_t each) { return each == plane->across || each == plane->down; });
  return choices;
}

void hold(State& state, std::string_view text, Effects&) {
  TuneState& tune = state.tune;
  if (trim(text) == "none") {
    tune.held.reset();
    return;
  }
  const auto [name, value] = parse_assignments(text, "hold").front();
  const TuneProblemView& problem = *tune.shown();
  std::vector<std::string> names;
  for (const size_t place : held_choices(tune, problem)) {
    const Parameter& parameter = problem.parameters[place];
    names.push_back(parameter.name);
    if (parameter.name != name) continue;
    std::vector<std::string> values;
    for (const int64_t each : values_of(problem, place)) {
      values.push_back(value_name(parameter, each));
      if (values.back() != value) continue;
      tune.held = {parameter.name, each};
      return;
    }
    throw Error(ErrorKind::kUsage, fmt::format("{} has no value '{}' (it has {})", printable(name),
                                               printable(value), join(values, ", ")));
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("'{}' cannot be held beside the axes{} (these can: {})", printable(name),
                          did_you_mean(name, names), printable(join(names, ", "), 400)));
}

std::vector<std::string> possible_holds(const State& state) {
  std::vector<std::string> choices;
  const TuneProblemView* problem = state.tune.shown();
  if (!problem || !plane_of(state.tune, *problem)) return choices;
  if (state.tune.held) choices.emplace_back("none");
  for (const size_t place : held_choices(state.tune, *problem)) {
    const Parameter& parameter = problem->parameters[place];
    for (const int64_t value : values_of(*problem, place)) {
      choices.push_back(
          fmt::format("{}={}", printable(parameter.name), value_name(parameter, value)));
    }
  }
  return choices;
}

std::string nothing_to_hold(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  if (!problem || !plane_of(state.tune, *problem)) return "no tile space is shown yet";
  return held_choices(state.tune, *problem).empty() ? "no other parameter has several values" : "";
}

}  // namespace

std::shared_ptr<const ComparedConfigs> compare_configs(const CompareConfigsJob& job,
                                                       const JobProgress& progress) {
  const auto simulated = [](const KernelRequest& request, const JobProgress& part) {
    return run_kernel({.request = request, .db = "", .keeps = false}, part);
  };
  auto compared = std::make_shared<ComparedConfigs>();
  compared->a = simulated(job.a, progress.part(0, 0.5));
  compared->b = simulated(job.b, progress.part(0.5, 1));
  compared->diff = diff_of(compared->a, compared->b);
  return compared;
}

bool shows_comparison(const TuneState& tune) {
  const TuneProblemView* problem = tune.shown();
  return problem && tune.marks.problem == problem->problem && tune.marks.configs.size() == 2;
}

void configs_compared(State& state, int64_t job,
                      const std::shared_ptr<const ComparedConfigs>& compared) {
  if (job != state.tune.compare_job) return;
  state.tune.compare_job = 0;
  state.tune.compared = compared;
}

std::vector<WorkbenchCommand> tune_compare_commands() {
  return {
      {.id = "mark",
       .keys = "m",
       .hint = "mark",
       .help = "mark the chosen config; two that are marked are compared",
       .act = mark_chosen,
       .obstacle = nothing_chosen,
       .pane = kTuneTop},
      {.id = "compare",
       .keys = "D",
       .help = "the two marked configs side by side",
       .act = [](State& state, std::string_view, Effects&) { state.pane().pane = kTuneCompare; },
       .obstacle = nothing_marked},
      {.id = "hold",
       .keys = "f",
       .hint = "hold",
       .help = "the tile space with one value of another parameter: tile_k=64; none ends it",
       .act = hold,
       .obstacle = nothing_to_hold,
       .argument = "NAME=VALUE",
       .choices = possible_holds,
       .pane = kTuneSpace},
  };
}

}  // namespace tilewright
