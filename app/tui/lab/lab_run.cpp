#include "app/tui/lab/lab_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/command_table.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/screen.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// A profile takes some ten KiB: a long session forgets its oldest runs.
constexpr size_t kMostRuns = 1000;

std::string comparison(std::string_view with, const KernelOutcome& before,
                       const KernelOutcome& after) {
  if (!are_comparable(before, after)) return "";
  const std::string change = change_percent(before.time_us, after.time_us);
  return fmt::format(", {} {}", with, change == "=" ? "equal" : change);
}

std::string findings_text(const KernelOutcome& outcome) {
  std::string text;
  if (outcome.check) {
    text += outcome.check->ok
                ? fmt::format(", numbers right (max error {:.3g})", outcome.check->max_abs_err)
                : ", WRONG NUMBERS: " + outcome.check->first_failure;
  }
  if (outcome.hazards) {
    text += outcome.hazards->empty() ? ", no hazards"
                                     : fmt::format(", {} HAZARDS: {}", outcome.hazards->size(),
                                                   outcome.hazards->front().message);
  }
  return text;
}

bool has_complaint(const KernelOutcome& outcome) {
  return (outcome.check && !outcome.check->ok) || (outcome.hazards && !outcome.hazards->empty());
}

/// Says a result; that it was not kept, or is wrong, stands out.
void say_outcome(State& state, const std::string& text, const KernelOutcome& outcome, Role role) {
  const std::string loss =
      outcome.not_kept.empty() ? "" : fmt::format("; not kept: {}", outcome.not_kept);
  state.say(text + findings_text(outcome) + loss, has_complaint(outcome) ? Role::kBad
                                                  : loss.empty()         ? role
                                                                         : Role::kWarn);
}

void say_result(State& state, const LabRun& run) {
  const LabState& lab = state.lab;
  std::string text = fmt::format("{}: {}", run.name(), result_text(*run.outcome));
  const LabRun* pinned = lab.pinned_run();
  if (pinned && pinned->number != run.number) {
    text += comparison("pin " + pinned->short_name(), *pinned->outcome, *run.outcome);
  }
  const LabRun* before = lab.run_of(lab.before);
  if (before && before != pinned) {
    text += comparison(before->name(), *before->outcome, *run.outcome);
  }
  say_outcome(state, text, *run.outcome, Role::kGood);
}

void say_followed(State& state, const LabRun& run) {
  LabState& lab = state.lab;
  lab.applied = compare(lab.followed->advice, lab.followed->before_us, run.outcome->time_us);
  lab.applied_change = lab.followed->advice.change;
  lab.applied_run = run.number;
  const std::string text =
      fmt::format("{}: {}, est {}, real {} ({})", run.name(), format_us(run.outcome->time_us),
                  change_percent(lab.applied->before_us, lab.applied->estimated_us),
                  change_percent(lab.applied->before_us, lab.applied->real_us), lab.applied_change);
  say_outcome(state, text, *run.outcome, lab.applied->real_gain > 0 ? Role::kGood : Role::kWarn);
}

void set_shown(LabState& lab, int number) {
  if (lab.shown != number) lab.before = lab.shown;
  lab.shown = number;
  lab.advice = {};
  lab.scroll = 0;
}

void submit_run(State& state, Effects& effects, RunKernelJob job, std::string_view what) {
  const std::string title = fmt::format("{} {}", what, job.request.problem.kernel);
  state.lab.job = submit(state, effects, title, std::move(job));
  state.lab.followed.reset();
}

/// Where the form has the screen to itself its result would be out of sight.
void show_where_time_goes(State& state) {
  constexpr int kForm = static_cast<int>(LabPane::kForm);
  constexpr int kTime = static_cast<int>(LabPane::kTime);
  if (state.screen != Screen::kLab || state.pane().pane != kForm) return;
  const std::vector<PaneBox> boxes = visible_panes(state);
  if (std::ranges::find(boxes, kTime, &PaneBox::pane) == boxes.end()) state.pane().pane = kTime;
}

void trim_runs(LabState& lab) {
  const auto is_kept = [&](const LabRun& run) {
    return run.number == lab.pinned || run.number == lab.shown || run.number == lab.before;
  };
  if (lab.runs.size() <= kMostRuns) return;
  const auto oldest =
      std::ranges::find_if(lab.runs, [&](const LabRun& run) { return !is_kept(run); });
  if (oldest != lab.runs.end()) lab.runs.erase(oldest);
}

}  // namespace

MachineRef machine_named(const State& state, std::string_view name) {
  if (name.empty() || state.machine->machine.name == name || state.machine->argument == name) {
    return state.machine;
  }
  return named_machine(name);
}

std::string run_obstacle(const State& state) {
  const LabState& lab = state.lab;
  if (lab.job != 0) return "a run is under way; K cancels it";
  if (lab.form.machine && !lab.check.can_run()) return lab.check.wrong;
  return "";
}

void run_form(State& state, Effects& effects, const RunExtras& extras) {
  begin_form(state);
  const LabState& lab = state.lab;
  submit_run(state, effects,
             {.request = request_of(lab.form, lab.check),
              .db = state.db,
              .checks = extras.checks,
              .finds_hazards = extras.finds_hazards},
             extras.checks          ? "check"
             : extras.finds_hazards ? "hazards of"
                                    : "run");
}

void show_run(State& state, int number) {
  const LabRun* run = state.lab.run_of(number);
  if (!run) return;
  const KernelRequest& request = run->outcome->request;
  set_shown(state.lab, number);
  replace_form(state, form_of(request.machine, request.problem, request.config));
  say_result(state, *run);
}

int chosen_run(const LabState& lab) {
  const int newest = static_cast<int>(lab.runs.size()) - 1;
  const int index = newest - lab.history.row;
  return index < 0 || index > newest ? 0 : lab.runs[static_cast<size_t>(index)].number;
}

void pin_shown(State& state) {
  LabState& lab = state.lab;
  lab.pinned = lab.pinned == lab.shown ? 0 : lab.shown;
  state.say(lab.pinned == 0
                ? "no run is pinned now"
                : fmt::format("{} is the baseline; D compares with it", lab.pinned_run()->name()));
}

const Advice* chosen_advice(const LabState& lab) {
  const LabRun* run = lab.shown_run();
  const auto row = static_cast<size_t>(lab.advice.row);
  return run && row < run->outcome->advice.size() ? &run->outcome->advice[row] : nullptr;
}

void follow_advice(State& state, Effects& effects) {
  const Advice advice = *chosen_advice(state.lab);
  require_pays(advice);
  const KernelOutcome& before = *state.lab.shown_run()->outcome;
  const double before_us = before.time_us;
  replace_form(state,
               form_of(before.request.machine, advice.changed_problem, advice.changed_config));
  run_form(state, effects);
  state.lab.followed = FollowedAdvice{state.lab.job, advice, before_us};
}

void kernel_finished(State& state, int64_t job, const std::shared_ptr<const KernelOutcome>& outcome,
                     Effects&) {
  LabState& lab = state.lab;
  if (job != lab.job) return;
  lab.job = 0;
  lab.runs.push_back({lab.next_number++, outcome});
  const LabRun run = lab.runs.back();
  set_shown(lab, run.number);
  lab.history.row = 0;
  trim_runs(lab);
  show_where_time_goes(state);
  if (lab.followed && lab.followed->job == job) {
    say_followed(state, run);
  } else {
    say_result(state, run);
  }
  lab.followed.reset();
}

void runs_restored(State& state, const std::shared_ptr<const RestoredRuns>& restored,
                   Effects& effects) {
  LabState& lab = state.lab;
  for (const RestoredRuns::Run& run : restored->runs) {
    if (!lab.run_of(run.number)) lab.runs.push_back({run.number, run.outcome});
    lab.next_number = std::max(lab.next_number, run.number + 1);
  }
  std::ranges::sort(lab.runs, {}, &LabRun::number);
  // What the user did meanwhile stands.
  if (lab.shown == 0 && lab.run_of(restored->shown)) lab.shown = restored->shown;
  if (lab.pinned == 0 && lab.run_of(restored->pinned)) lab.pinned = restored->pinned;
  if (const auto enter = info_of(state.screen).enter) enter(state, effects);
}

void job_ended_without_result(State& state, const JobSnapshot& job) {
  if (job.id != state.lab.job) return;
  state.lab.job = 0;
  state.lab.followed.reset();
}

void open_in_lab(State& state, std::string_view problem, std::string_view config,
                 std::string_view machine, Effects& effects, int64_t run) {
  begin_form(state);
  state.screen = Screen::kLab;
  try {
    replace_form(state, form_of(machine_named(state, machine), parse_problem(problem),
                                parse_config(config)));
  } catch (const Error& error) {
    state.say(error.message(), Role::kBad);
    return;
  }
  if (!state.lab.check.can_run()) {
    state.say(state.lab.check.wrong, Role::kBad);
    return;
  }
  if (state.lab.job != 0) effects.emplace_back(CancelEffect{state.lab.job});
  submit_run(state, effects,
             {.request = request_of(state.lab.form, state.lab.check),
              .db = state.db,
              .keeps = false,
              .run = run},
             "run");
}

}  // namespace tilewright
