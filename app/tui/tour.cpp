#include "app/tui/tour.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/export/export_screen.h"
#include "app/tui/export/export_update.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_run.h"
#include "app/tui/screen.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/tune/tune_update.h"
#include "app/tui/widgets.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "kernels/kernel.h"

namespace tilewright {

namespace {

/// Below this height the panes need every row.
constexpr int kRoomyHeight = 30;

struct TourStep {
  std::string_view title;
  std::string (*text)(const State& state);
  /// Done before the step is reached; may be null. Throws Error when the step cannot be reached.
  void (*enter)(State& state, Effects& effects) = nullptr;
};

void focus(State& state, LabPane pane) {
  state.screen = Screen::kLab;
  state.pane().pane = static_cast<int>(pane);
}

/// A GEMM with tiles far too small for it.
void fill_form(State& state, Effects&) {
  begin_form(state);
  focus(state, LabPane::kForm);
  const Kernel& kernel = find_kernel("gemm");
  const Problem problem =
      kernel.problem({.sizes = {{"m", 1000}, {"n", 4096}, {"k", 4096}}, .dtype = "", .layout = ""});
  const Config config =
      complete_config(kernel, problem, state.machine->machine, parse_config("tile_m=64,tile_n=64"));
  replace_form(state, form_of(state.machine, problem, config));
}

std::string form_text(const State&) {
  return "This is the Lab. The form says what runs: a GEMM of 1000 x 4096 x 4096 in tiles of 64 x "
         "64. The bars below it show what the tiles take of each buffer. Space runs it on the "
         "simulator.";
}

void run_step(State& state, Effects& effects) {
  // The keys of the Lab work during the tour: the form may say something else by now.
  if (const std::string obstacle = run_obstacle(state); !obstacle.empty()) {
    throw Error(ErrorKind::kInfeasible, obstacle);
  }
  focus(state, LabPane::kTime);
  run_form(state, effects);
}

std::string breakdown_text(const State& state) {
  const LabRun* run = state.lab.shown_run();
  if (!run) return "";
  const KernelOutcome& outcome = *run->outcome;
  std::string text = fmt::format(
      "{}: {} of the {}. Every cycle of the critical path has one cause, and they sum to "
      "100 %: ",
      format_us(outcome.time_us), format_share(peak_share(outcome)), peak_name(outcome));
  const std::vector<ShareRow> rows = share_rows(outcome.profile.timing.critical_path);
  for (size_t i = 0; i < std::min<size_t>(3, rows.size()); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", words_of(rows[i].cause),
                        tenths_text(rows[i].tenths));
  }
  return text + ". Space: what could be done about it?";
}

void advice_step(State& state, Effects&) {
  if (state.lab.pinned != state.lab.shown) pin_shown(state);
  focus(state, LabPane::kAdvice);
}

/// The chosen advice; null when there is none that can be followed.
const Advice* advice_to_follow(const State& state) {
  const Advice* advice = chosen_advice(state.lab);
  return advice && advice->pays() ? advice : nullptr;
}

std::string advice_text(const State& state) {
  const Advice* advice = advice_to_follow(state);
  if (!advice) return "No advice pays for this run. Space goes on.";
  return fmt::format(
      "This run is pinned as the baseline. The first advice, {}, is estimated to save {}, because "
      "{}. Space follows it.",
      advice->change, format_share(advice->estimated_gain), advice->problem);
}

void follow_step(State& state, Effects& effects) {
  focus(state, LabPane::kTime);
  if (advice_to_follow(state)) follow_advice(state, effects);
}

std::string gain_text(const State& state) {
  if (!state.lab.applied) return "Space goes on.";
  const AppliedAdvice& applied = *state.lab.applied;
  return fmt::format(
      "From {} to {}: estimated {}, real {}. An estimate costs no simulation; a run tells. Space "
      "shows where the difference comes from.",
      format_us(applied.before_us), format_us(applied.real_us),
      change_percent(applied.before_us, applied.estimated_us),
      change_percent(applied.before_us, applied.real_us));
}

void diff_step(State& state, Effects&) {
  focus(state, LabPane::kTime);
  state.lab.view = TimeView::kDiff;
  state.lab.scroll = 0;
  state.pane().is_zoomed = true;  // before and after stand beside each other only where it is wide
}

std::string diff_text(const State&) {
  return "The critical path before and after, cause by cause; the changes sum to the whole "
         "difference. D shows this for any run against the pinned one. Space opens the timeline.";
}

void timeline_step(State& state, Effects& effects) {
  state.lab.view = TimeView::kPath;
  state.focus[static_cast<size_t>(Screen::kLab)].is_zoomed = false;
  if (const KernelRequest* request = current_request(state)) {
    open_timeline(state, *request, effects);
  }
}

std::string timeline_text(const State&) {
  return "Every instruction on its core and pipe. w and s zoom, a and d pan, [ and ] choose the "
         "event before and behind, c goes to what it waited for: that is why it did not start "
         "earlier. Space searches for a faster config than any advice.";
}

void refuse_second_session(const State& state) {
  if (const std::string obstacle = is_tuning(state) ? start_obstacle(state) : "";
      !obstacle.empty()) {
    throw Error(ErrorKind::kFailed, obstacle);
  }
}

/// Starts what a form of the tour's own says; the user's stays as it was.
void start_as(State& state, TuneForm form, Effects& effects) {
  std::swap(state.tune.form, form);
  try {
    start_tuning(state, effects);
  } catch (const Error&) {
    state.tune.form = std::move(form);
    throw;
  }
  state.tune.form = std::move(form);
}

/// Few enough configs for a tour.
void tune_step(State& state, Effects& effects) {
  refuse_second_session(state);
  begin_form(state);
  if (!state.lab.check.has_problem) throw Error(ErrorKind::kUsage, state.lab.check.wrong);
  TuneForm form = form_for(state.lab.check.problem, TuneForm{});
  form.machine = state.lab.form.machine->argument;
  form.budget = "evaluations=40";
  start_as(state, std::move(form), effects);
}

std::string tune_text(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  if (!problem || problem->best_us <= 0) return "The search found nothing. Space goes on.";
  return fmt::format(
      "This is the Tune screen. {} configs were tried: the best takes {}, {:.2f}x as fast as the "
      "kernel's default. The tile space shows the best time for each pair of values and what does "
      "not fit; What matters says which values decide. Space opens the winner in the Lab.",
      problem->tried, format_us(problem->best_us), problem->gain());
}

void winner_step(State& state, Effects& effects) {
  if (!nothing_chosen(state).empty()) return;
  state.pane().pane = kTuneSession;  // its config is the best of all
  open_chosen(state, effects);
  focus(state, LabPane::kTime);
}

std::string winner_text(const State& state) {
  const LabRun* run = state.lab.shown_run();
  if (!run) return "Space goes on.";
  const LabRun* pinned = state.lab.pinned_run();
  const std::string than =
      pinned ? fmt::format(" Your first run took {}.", format_us(pinned->outcome->time_us)) : "";
  return fmt::format(
      "The winner, simulated in detail: {}, {} of the {}.{} D compares them cause by cause: that "
      "is why it wins. Space tunes a whole model for its traffic.",
      format_us(run->outcome->time_us), format_share(peak_share(*run->outcome)),
      peak_name(*run->outcome), than);
}

/// Few enough requests and configs for a tour.
void model_step(State& state, Effects& effects) {
  refuse_second_session(state);
  TuneForm form;
  form.target = "qwen2-7b";
  form.workload = "chat";
  form.machine = state.machine->argument;
  form.budget = "evaluations=4";
  form.options = "--limit 6";
  start_as(state, std::move(form), effects);
}

std::string model_text(const State& state) {
  const TuneState& tune = state.tune;
  if (!tune.view || tune.view->run == 0) return "The search did not begin. Space goes on.";
  return fmt::format(
      "qwen2-7b was served half a dozen requests of a chat, and each of the {} GEMMs that this "
      "made was "
      "tuned, {} configs in all: one problem for each matrix and number of rows. j and k in "
      "Session "
      "choose one. Space takes the winners to Export.",
      tune.view->problems.size(), format_count(tune.view->tried));
}

void export_step(State& state, Effects& effects) {
  if (!state.tune.view || state.tune.view->run == 0) {
    throw Error(ErrorKind::kFailed, "there is no tuning to export; Esc ends the tour");
  }
  open_export(state, state.tune.view->run, effects);
}

std::string export_text(const State& state) {
  const ExportState& exporting = state.exporting;
  if (!current_draft(exporting)) return "There is nothing to export. Space goes on.";
  return fmt::format(
      "This is the Export screen. {} winners are selected, each with its gain over the default; "
      "the "
      "checks say whether they make a plan, and the preview what it would change in {}: Enter "
      "writes "
      "it. Space replays the traffic with the plan and without.",
      selected_places(exporting).size(), exporting.path);
}

void replay_step(State& state, Effects& effects) {
  state.screen = Screen::kExport;
  if (!verify_obstacle(state, ExportVerdict::Kind::kReplay).empty()) return;
  start_verification(state, ExportVerdict::Kind::kReplay, effects);
}

std::string replay_text(const State& state) {
  const std::shared_ptr<const ExportVerdict>& replay = state.exporting.replay;
  if (!replay) return "It was not replayed. Space goes on.";
  return fmt::format(
      "Before and after: {}. That is what tuning is worth to those who wait for an answer; "
      "tilewright "
      "replay --compare tells all measures. Space goes on.",
      replay->check.text);
}

void last_step(State& state, Effects&) {
  focus(state, LabPane::kForm);
}

std::string last_text(const State&) {
  return "Now it is yours: change a value with < and >, Enter runs, a follows an advice, p pins, D "
         "compares, t opens the timeline, T tunes, y copies the command line of what you see. ? "
         "lists the keys of every screen. Space ends the tour.";
}

constexpr std::array<TourStep, 12> kSteps = {{
    {"a kernel", form_text, fill_form},
    {"where the time goes", breakdown_text, run_step},
    {"advice", advice_text, advice_step},
    {"estimate and truth", gain_text, follow_step},
    {"cause by cause", diff_text, diff_step},
    {"every instruction", timeline_text, timeline_step},
    {"search", tune_text, tune_step},
    {"the winner", winner_text, winner_step},
    {"a model", model_text, model_step},
    {"export", export_text, export_step},
    {"before and after", replay_text, replay_step},
    {"your turn", last_text, last_step},
}};

const TourStep& step_of(const State& state) {
  return kSteps[static_cast<size_t>(state.tour->step)];
}

/// A step whose work is still being done has nothing to say yet.
bool is_working(const State& state) {
  return is_exporting(state) ||
         std::ranges::any_of(state.jobs, [](const JobSnapshot& job) { return !job.is_reading; });
}

std::string words_of_step(const State& state) {
  return is_working(state) ? "at work ..." : step_of(state).text(state);
}

/// With its frame.
int box_rows(const State& state) {
  constexpr int kLeastLines = 3;  // so that the panes seldom move
  const int lines = static_cast<int>(wrapped(words_of_step(state), state.width - 4).size());
  return std::max(kLeastLines, lines) + 2;
}

void enter_step(State& state, int step, Effects& effects) {
  if (const auto enter = kSteps[static_cast<size_t>(step)].enter) enter(state, effects);
  state.tour = Tour{step};
}

}  // namespace

void start_tour(State& state, Effects& effects) {
  enter_step(state, 0, effects);
}

bool update_tour(State& state, Key key, Effects& effects) {
  if (key == keys::kEscape) {
    state.tour.reset();
    state.say("the tour is over; T on Home begins it again");
    return true;
  }
  // Enter runs what the first step shows, as Space does.
  const bool is_next = key == keys::kSpace || (key == keys::kEnter && state.tour->step == 0);
  if (!is_next) return false;
  if (is_working(state)) return true;
  if (state.tour->step + 1 == static_cast<int>(kSteps.size())) {
    state.tour.reset();
    return true;
  }
  try {
    enter_step(state, state.tour->step + 1, effects);
  } catch (const Error& error) {
    state.say(error.message(), Role::kBad);
  }
  return true;
}

int tour_rows(const State& state) {
  return state.tour && state.height >= kRoomyHeight ? box_rows(state) : 0;
}

void draw_tour(const State& state, Canvas screen) {
  const TourStep& step = step_of(state);
  const Rect body = body_of(state.width, state.height);
  const int rows = box_rows(state);
  // Where it covers something, that is not what the step speaks of: the form's end, or the top.
  const bool is_over_top = tour_rows(state) == 0 && state.tour->step > 0;
  const Rect box = {0, is_over_top ? body.y : body.bottom() - rows, state.width, rows};
  draw_frame(
      screen, box,
      {.title = fmt::format("Tour {}/{}: {}", state.tour->step + 1, kSteps.size(), step.title),
       .foot = "Space next  Esc end the tour",
       .is_focused = true});
  Canvas inside = screen.part(box.inset(2, 1));
  draw_wrapped(inside, 0, 0, words_of_step(state));
}

}  // namespace tilewright
