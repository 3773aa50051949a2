// The reducers of the workbench as a whole: which part of the state a key, a click or a job's
// news belongs to.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/command_table.h"
#include "app/tui/export/export_screen.h"
#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/grid.h"
#include "app/tui/help.h"
#include "app/tui/home/home_screen.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/messages.h"
#include "app/tui/palette.h"
#include "app/tui/results/results_screen.h"
#include "app/tui/screen.h"
#include "app/tui/serve/serve_screen.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/tour.h"
#include "app/tui/tune/tune_compare.h"
#include "app/tui/tune/tune_screen.h"

namespace tilewright {

namespace {

bool is_too_small(const State& state) {
  return state.width < kLeastWidth || state.height < kLeastHeight;
}

void answer(State& state, Key key, Effects& effects) {
  const Question question = *state.question;
  if (key == Key{U'y'} || key == Key{U'Y'} || key == keys::ctrl('c')) {
    const WorkbenchCommand* command = command_named(state.screen, question.command);
    start_command(state, *command, "", effects);
    state.question.reset();
  } else if (key == Key{U'n'} || key == Key{U'N'} || key == keys::kEscape) {
    state.question.reset();
  }
}

void take_key(State& state, Key key, Effects& effects) {
  if (is_too_small(state)) {
    if (key == Key{U'q'} || key == keys::ctrl('c')) effects.emplace_back(QuitEffect{});
    return;
  }
  if (state.question) return answer(state, key, effects);
  if (state.notice) {
    state.notice.reset();
    if (key == keys::kEscape || key == Key{U'q'}) return;
  }
  if (state.palette) return update_palette(state, key, effects);
  if (state.help) return update_help(state, key);
  if (state.message_page) return update_messages(state, key);
  // What is being read stays: the palette and the command that shows it whole leave it.
  const WorkbenchCommand* reading = command_of(state, key);
  const bool is_reading = reading && (reading->id == "message" || reading->id == "palette");
  if (!is_reading) state.message = {};
  const ScreenInfo& screen = info_of(state.screen);
  if (screen.type && screen.type(state, key, effects)) return;
  if (state.tour && update_tour(state, key, effects)) return;
  if (const WorkbenchCommand* command = command_of(state, key)) {
    start_command(state, *command, "", effects);
  } else if (key == keys::kEscape) {
    state.pane().is_zoomed = false;
  } else {
    state.say(fmt::format("{} does nothing here; ? shows the keys", name_of(key)), Role::kDim);
  }
}

void take_mouse(State& state, const MouseEvent& event, Effects& effects) {
  if (is_too_small(state) || state.question || state.palette || state.notice) return;
  if (state.help) {
    if (event.kind == MouseEvent::Kind::kWheelUp) update_help(state, keys::kUp);
    if (event.kind == MouseEvent::Kind::kWheelDown) update_help(state, keys::kDown);
    return;
  }
  if (state.message_page) {
    if (event.kind == MouseEvent::Kind::kWheelUp) update_messages(state, keys::kUp);
    if (event.kind == MouseEvent::Kind::kWheelDown) update_messages(state, keys::kDown);
    return;
  }
  if (event.y == 0 && event.kind == MouseEvent::Kind::kPress) {
    if (const ScreenInfo* screen = tab_at(state, event.x)) {
      const std::string digit(1, static_cast<char>('1' + (screen - all_screens().data())));
      start_command(state, *command_of(state, parse_key(digit)), "", effects);
    }
    return;
  }
  for (const PaneBox& box : visible_panes(state)) {
    if (!box.rect.contains(event.x, event.y)) continue;
    if (event.kind == MouseEvent::Kind::kPress) state.pane().pane = box.pane;
    const ScreenInfo& screen = info_of(state.screen);
    if (!screen.mouse) return;
    const Rect inner = box.rect.inset(2, 1);
    MouseEvent inside = event;
    inside.x -= inner.x;
    inside.y -= inner.y;
    screen.mouse(state, box.pane, inner, inside, effects);
    return;
  }
}

/// Pasted text is no row of commands: it goes into a line that is typed, or nowhere.
void take_paste(State& state, const std::u32string& text) {
  const auto paste = info_of(state.screen).paste;
  if (!state.palette && !state.help && paste && paste(state, text)) return;
  if (!state.palette) {
    state.say("pasted text is not taken for keys; ':' opens a line for it", Role::kWarn);
    return;
  }
  for (const char32_t glyph : text) {
    if (glyph >= U' ') state.palette->line.take(Key{glyph});
  }
  state.palette->chosen = 0;
}

void take_result(State& state, const JobSnapshot& job, Effects& effects) {
  struct Taker {
    State& state;
    const JobSnapshot& job;
    Effects& effects;
    void operator()(std::monostate) const {}
    void operator()(const std::shared_ptr<const HomeData>& data) const {
      home_loaded(state, job.id, data);
    }
    void operator()(const std::shared_ptr<const KernelOutcome>& outcome) const {
      kernel_finished(state, job.id, outcome, effects);
    }
    void operator()(const std::shared_ptr<const RestoredRuns>& runs) const {
      runs_restored(state, runs, effects);
    }
    void operator()(const std::shared_ptr<const TimelineData>& data) const {
      timeline_ready(state, job.id, data, effects);
    }
    void operator()(const std::shared_ptr<const AreaData>& data) const {
      area_ready(state, job.id, data);
    }
    void operator()(const std::shared_ptr<const TuneView>& view) const {
      tune_shown(state, job.id, view);
    }
    void operator()(const std::shared_ptr<const TuneMatters>& matters) const {
      matters_found(state, job.id, matters);
    }
    void operator()(const std::shared_ptr<const TuneFit>& fit) const {
      fit_found(state, job.id, fit);
    }
    void operator()(const std::shared_ptr<const CellReason>& reason) const {
      reason_found(state, job.id, reason);
    }
    void operator()(const std::shared_ptr<const ComparedConfigs>& compared) const {
      configs_compared(state, job.id, compared);
    }
    void operator()(const std::shared_ptr<const ResultsCatalog>& catalog) const {
      catalog_loaded(state, catalog);
    }
    void operator()(const std::shared_ptr<const OwnQueries>& own) const {
      own_queries_changed(state, own);
    }
    void operator()(const std::shared_ptr<const QueryOutcome>& outcome) const {
      query_finished(state, job.id, outcome);
    }
    void operator()(const std::shared_ptr<const ArrangedRows>& rows) const {
      rows_arranged(state, job.id, rows);
    }
    void operator()(const std::shared_ptr<const ColumnFacts>& facts) const {
      column_described(state, job.id, facts);
    }
    void operator()(const std::shared_ptr<const WrittenResult>& written) const {
      result_written(state, written);
    }
    void operator()(const std::shared_ptr<const FoundRun>& run) const {
      run_found(state, job.id, run, effects);
    }
    void operator()(const std::shared_ptr<const ComparedRuns>& compared) const {
      runs_compared(state, job.id, compared);
    }
    void operator()(const std::shared_ptr<const ServeView>& view) const {
      serve_viewed(state, job, view, effects);
    }
    void operator()(const std::shared_ptr<const StepKernels>& kernels) const {
      kernels_found(state, job.id, kernels, effects);
    }
    void operator()(const std::shared_ptr<const ExportView>& view) const {
      export_loaded(state, job, view);
    }
    void operator()(const std::shared_ptr<const ExportDraft>& draft) const {
      export_drafted(state, job.id, draft);
    }
    void operator()(const std::shared_ptr<const ExportVerdict>& verdict) const {
      export_verified(state, job.id, verdict);
    }
    void operator()(const std::shared_ptr<const WrittenPlan>& written) const {
      export_written(state, job.id, written);
    }
    void operator()(const std::shared_ptr<const FusionPlans>& plans) const {
      fusion_planned(state, job, plans);
    }
    void operator()(const std::shared_ptr<const FusionAnswer>& answer) const {
      fusion_answered(state, job.id, answer);
    }
    void operator()(const std::string& text) const { state.say(text, Role::kGood); }
  };
  std::visit(Taker{state, job, effects}, job.result);
}

void take_job(State& state, const JobSnapshot& job, Effects& effects) {
  const auto known = std::ranges::find(state.jobs, job.id, &JobSnapshot::id);
  if (known == state.jobs.end()) return;
  if (!job.is_over()) {
    known->phase = job.phase;
    known->fraction = job.fraction;
    return take_result(state, job, effects);
  }
  const std::string title = known->title;
  const bool is_quiet = known->is_quiet;
  state.jobs.erase(known);
  if (job.phase == JobPhase::kDone) return take_result(state, job, effects);
  job_ended_without_result(state, job);
  home_job_ended(state, job);
  tune_job_ended(state, job);
  results_job_ended(state, job);
  serve_job_ended(state, job);
  export_job_ended(state, job);
  fusion_job_ended(state, job);
  if (is_quiet) return;
  if (job.phase == JobPhase::kFailed) {
    state.say(fmt::format("{}: {}", title, job.failure), Role::kBad);
  } else {
    state.say(fmt::format("{}: cancelled", title), Role::kWarn);
  }
}

/// Whatever happened, the screen gets what it needs to be drawn.
void settle(State& state, Effects& effects) {
  if (const auto hook = info_of(state.screen).settle) hook(state, effects);
}

}  // namespace

std::vector<const JobSnapshot*> State::shown_jobs() const {
  std::vector<const JobSnapshot*> shown;
  for (const JobSnapshot& job : jobs) {
    if (!job.is_quiet) shown.push_back(&job);
  }
  return shown;
}

void State::say(std::string text, Role role) {
  message = {std::move(text), role};
  // The same again is news of its time alone.
  if (!messages.empty() && messages.back().message.text == message.text) messages.pop_back();
  messages.push_back({time, message});
  if (messages.size() > kMostMessages) messages.erase(messages.begin());
}

LineEdit::LineEdit(std::string_view utf8) : text(cells_of(utf8)), cursor(text.size()) {}

std::string LineEdit::utf8() const {
  return utf8_of(text);
}

bool LineEdit::take(Key key) {
  constexpr size_t kMaxLength = 4096;
  if (key == keys::kLeft) {
    cursor -= cursor > 0 ? 1 : 0;
  } else if (key == keys::kRight) {
    cursor = std::min(cursor + 1, text.size());
  } else if (key == keys::kHome || key == keys::ctrl('a')) {
    cursor = 0;
  } else if (key == keys::kEnd || key == keys::ctrl('e')) {
    cursor = text.size();
  } else if (key == keys::kBackspace) {
    if (cursor > 0) text.erase(--cursor, 1);
  } else if (key == keys::kDelete) {
    if (cursor < text.size()) text.erase(cursor, 1);
  } else if (key == keys::ctrl('u')) {
    text.erase(0, cursor);
    cursor = 0;
  } else if (key.code >= 0x20 && key.code < keys::kEnter.code && text.size() < kMaxLength) {
    text.insert(cursor++, 1, cells_of(utf8_of(std::u32string(1, key.code)))[0]);
  } else {
    return false;
  }
  return true;
}

void tell_copied(State& state, const std::string& text) {
  const std::string line = "copied: " + text;
  if (columns_of(line) + 2 <= state.width) {
    state.say(line);
  } else {
    state.notice = Notice{"Copied", text};
  }
}

int64_t submit(State& state, Effects& effects, std::string title, JobRequest request) {
  const int64_t id = state.next_job++;
  state.jobs.push_back(
      {.id = id, .title = title, .failure = {}, .result = {}, .is_reading = is_reading(request)});
  effects.emplace_back(SubmitEffect{id, std::move(title), std::move(request)});
  return id;
}

void update(State& state, const InputEvent& event, Effects& effects) {
  if (const auto* key = std::get_if<Key>(&event)) {
    take_key(state, *key, effects);
  } else if (const auto* mouse = std::get_if<MouseEvent>(&event)) {
    take_mouse(state, *mouse, effects);
  } else if (const auto* paste = std::get_if<PasteEvent>(&event)) {
    take_paste(state, paste->text);
  } else if (const auto* size = std::get_if<ResizeEvent>(&event)) {
    state.width = std::max(1, size->width);
    state.height = std::max(1, size->height);
  }
  settle(state, effects);
}

void update(State& state, const JobSnapshot& job, Effects& effects) {
  take_job(state, job, effects);
  settle(state, effects);
}

}  // namespace tilewright
