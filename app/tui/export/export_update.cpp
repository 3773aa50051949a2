#include "app/tui/export/export_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/cli/shell_word.h"
#include "app/tui/export/export_screen.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

bool is_at_work(const State& state, int64_t job) {
  return job != 0 && std::ranges::find(state.jobs, job, &JobSnapshot::id) != state.jobs.end();
}

/// Where a format goes unless the user said otherwise.
std::string usual_path(const std::string& format) {
  if (format == "csv") return "results.csv";
  if (format == "t4") return "results.json";
  return format == "catlass" ? "catlass.csv" : "plan.json";
}

bool is_preselected(const ListedWinner& row) {
  const bool is_worse = row.winner.baseline_us > 0 && row.winner.gain() < 1;
  return row.can_be_exported() && !is_worse;
}

bool is_same(const ListedWinner& a, const ListedWinner& b) {
  return a.winner.kernel == b.winner.kernel && a.winner.problem == b.winner.problem &&
         a.winner.config == b.winner.config && a.winner.time_us == b.winner.time_us &&
         a.state == b.state && a.reason == b.reason && a.trial == b.trial;
}

bool is_same(const ExportView& a, const ExportView& b) {
  return a.source.run.id == b.source.run.id && a.source.run.status == b.source.run.status &&
         a.runs.size() == b.runs.size() &&
         std::ranges::equal(a.source.winners, b.source.winners,
                            [](const auto& x, const auto& y) { return is_same(x, y); });
}

void reset_selection(ExportState& exporting) {
  exporting.selected.clear();
  for (const ListedWinner& row : exporting.view->source.winners) {
    exporting.selected.push_back(is_preselected(row));
  }
  exporting.winner = {};
  exporting.check_row = exporting.preview_row = 0;
}

/// Whether a verdict is of what would be written now.
bool holds(const std::shared_ptr<const ExportVerdict>& verdict, const ExportRequest& request) {
  return verdict && verdict->of.view == request.view && verdict->of.places == request.places;
}

ShownCheck slow_check(const State& state, const std::shared_ptr<const ExportVerdict>& verdict,
                      int64_t job, std::string_view name, std::string_view key) {
  const std::optional<ExportRequest> request = export_request(state.exporting);
  if (is_at_work(state, job)) return {{name, CheckStatus::kNotRun, "at work"}, job};
  if (request && holds(verdict, *request)) return {verdict->check, 0};
  return {{name, CheckStatus::kNotRun, fmt::format("{} runs it", key)}, 0};
}

}  // namespace

void load_export_run(State& state, int64_t run, Effects& effects) {
  ExportState& exporting = state.exporting;
  if (is_at_work(state, exporting.load_job)) {
    effects.emplace_back(CancelEffect{exporting.load_job});
  }
  exporting.wanted_run = run;
  exporting.failure.clear();
  exporting.load_job = submit(state, effects, "read winners", LoadExportJob{state.db, run});
}

std::vector<size_t> selected_places(const ExportState& exporting) {
  std::vector<size_t> places;
  for (size_t i = 0; i < exporting.selected.size(); ++i) {
    if (exporting.selected[i]) places.push_back(i);
  }
  return places;
}

const ListedWinner* chosen_winner(const ExportState& exporting) {
  const auto row = static_cast<size_t>(exporting.winner.row);
  const bool has = exporting.view && row < exporting.view->source.winners.size();
  return has ? &exporting.view->source.winners[row] : nullptr;
}

std::optional<ExportRequest> export_request(const ExportState& exporting) {
  if (!exporting.view || !exporting.view->has_winners()) return std::nullopt;
  ExportRequest request{exporting.view, {}, 0, exporting.format, exporting.path};
  if (exporting.format == "plan") {
    request.places = selected_places(exporting);
    if (request.places.empty()) return std::nullopt;
  } else if (holds_one_problem(exporting.format)) {
    request.winner = static_cast<size_t>(exporting.winner.row);
  }
  return request;
}

const ExportDraft* current_draft(const ExportState& exporting) {
  const std::optional<ExportRequest> request = export_request(exporting);
  const bool is_current = request && exporting.draft && exporting.draft->of == *request;
  return is_current ? exporting.draft.get() : nullptr;
}

std::vector<ShownCheck> shown_checks(const State& state) {
  const ExportState& exporting = state.exporting;
  std::vector<ShownCheck> checks;
  if (exporting.format != "plan") return checks;
  if (const ExportDraft* draft = current_draft(exporting)) {
    for (const PlanCheck& check : draft->checks) checks.push_back({check, 0});
  }
  checks.push_back(slow_check(state, exporting.numerics, exporting.numerics_job, "numerics", "c"));
  checks.push_back(slow_check(state, exporting.replay, exporting.replay_job, "replay", "r"));
  return checks;
}

bool is_exporting(const State& state) {
  const ExportState& exporting = state.exporting;
  return state.screen == Screen::kExport &&
         std::ranges::any_of(
             std::array{exporting.load_job, exporting.draft_job, exporting.numerics_job,
                        exporting.replay_job, exporting.write_job},
             [&](int64_t job) { return is_at_work(state, job); });
}

std::string write_obstacle(const State& state) {
  const ExportState& exporting = state.exporting;
  if (!exporting.view || !exporting.view->has_winners()) return "there are no winners to export";
  if (!export_request(exporting)) return "no winner is selected; Space selects one, a all";
  const ExportDraft* draft = current_draft(exporting);
  if (!draft) return "the checks are still at work";
  if (!draft->failure.empty()) return draft->failure;
  for (const ShownCheck& shown : shown_checks(state)) {
    if (shown.check.status != CheckStatus::kFailed) continue;
    return fmt::format("the check '{}' failed: {}; deselect what it names", shown.check.name,
                       shown.check.text);
  }
  if (is_at_work(state, exporting.write_job)) return "it is being written";
  return "";
}

std::string verify_obstacle(const State& state, ExportVerdict::Kind kind) {
  const ExportState& exporting = state.exporting;
  if (exporting.format != "plan") return "checks are of a plan; f changes the format";
  if (!export_request(exporting)) return "no winner is selected";
  const ExportDraft* draft = current_draft(exporting);
  if (!draft) return "the plan is still being made";
  if (!draft->failure.empty()) return draft->failure;
  const bool is_replay = kind == ExportVerdict::Kind::kReplay;
  if (is_at_work(state, is_replay ? exporting.replay_job : exporting.numerics_job)) {
    return "it is at work; K cancels it";
  }
  return "";
}

void toggle_winner(State& state) {
  ExportState& exporting = state.exporting;
  const ListedWinner* row = chosen_winner(exporting);
  if (!row) return;
  if (!row->can_be_exported()) {
    state.say(fmt::format("{}: {}", name_of(row->state), row->reason), Role::kWarn);
    return;
  }
  const auto place = static_cast<size_t>(exporting.winner.row);
  exporting.selected[place] = !exporting.selected[place];
}

void select_winners(State& state, bool selects) {
  ExportState& exporting = state.exporting;
  for (size_t i = 0; i < exporting.selected.size(); ++i) {
    exporting.selected[i] = selects && exporting.view->source.winners[i].can_be_exported();
  }
}

void next_format(State& state) {
  ExportState& exporting = state.exporting;
  const std::vector<std::string>& formats = exporting.view->formats;
  const auto now = std::ranges::find(formats, exporting.format);
  const bool is_last = now == formats.end() || now + 1 == formats.end();
  const bool is_usual = exporting.path == usual_path(exporting.format);
  exporting.format = is_last ? formats.front() : *(now + 1);
  if (is_usual) exporting.path = usual_path(exporting.format);
  exporting.preview_row = 0;
}

void start_verification(State& state, ExportVerdict::Kind kind, Effects& effects) {
  ExportState& exporting = state.exporting;
  const ExportRequest request = *export_request(exporting);
  if (kind == ExportVerdict::Kind::kNumerics) {
    exporting.numerics_job = submit(state, effects, "check numerics", VerifyNumericsJob{request});
  } else {
    exporting.replay_job =
        submit(state, effects, "replay with and without", VerifyReplayJob{state.db, request});
  }
}

void write_draft(State& state, Effects& effects) {
  ExportState& exporting = state.exporting;
  exporting.write_job = submit(state, effects, fmt::format("write {}", printable(exporting.path)),
                               WriteExportJob{exporting.draft});
}

std::string export_command_line(const State& state) {
  const ExportState& exporting = state.exporting;
  if (!exporting.view || exporting.view->source.run.id == 0) return "";
  std::string line = fmt::format("tilewright export {}", exporting.view->source.run.id);
  if (!export_request(exporting)) return line + " --list";
  if (exporting.format == "plan") {
    const std::vector<size_t> places = selected_places(exporting);
    if (places.size() < exporting.selected.size()) line += " --winners " + numbers_text(places);
  } else {
    line += " --format " + exporting.format;
    const ExportDraft* draft = current_draft(exporting);
    if (draft && draft->text.problem > 0) line += fmt::format(" --problem {}", draft->text.problem);
  }
  return line + " -o " + shell_word(exporting.path);
}

void settle_export(State& state, Effects& effects) {
  ExportState& exporting = state.exporting;
  const std::optional<ExportRequest> request = export_request(exporting);
  if (!request || exporting.asked == request) return;
  if (is_at_work(state, exporting.draft_job)) {
    effects.emplace_back(CancelEffect{exporting.draft_job});
  }
  exporting.asked = request;
  exporting.draft_job = submit(state, effects, "make export", DraftExportJob{state.db, *request});
}

void export_loaded(State& state, const JobSnapshot& job,
                   const std::shared_ptr<const ExportView>& view) {
  ExportState& exporting = state.exporting;
  if (job.id != exporting.load_job) return;
  const bool was_shown = exporting.view && exporting.view->source.run.id == view->source.run.id &&
                         exporting.selected.size() == view->source.winners.size();
  // Tries that are not known yet are no news of a run that is read again.
  const bool is_news = !was_shown || (job.is_over() && !is_same(*exporting.view, *view));
  if (is_news) exporting.view = view;
  if (!was_shown) reset_selection(exporting);
  if (view->formats.empty()) return;
  if (std::ranges::find(view->formats, exporting.format) == view->formats.end()) {
    next_format(state);
  }
}

void export_drafted(State& state, int64_t job, const std::shared_ptr<const ExportDraft>& draft) {
  ExportState& exporting = state.exporting;
  if (job != exporting.draft_job) return;
  exporting.draft_job = 0;
  exporting.draft = draft;
  const int lines = static_cast<int>(draft->diff.lines.size());
  exporting.preview_row = std::clamp(exporting.preview_row, 0, std::max(0, lines - 1));
}

void export_verified(State& state, int64_t job,
                     const std::shared_ptr<const ExportVerdict>& verdict) {
  ExportState& exporting = state.exporting;
  const bool is_replay = verdict->kind == ExportVerdict::Kind::kReplay;
  if (job != (is_replay ? exporting.replay_job : exporting.numerics_job)) return;
  (is_replay ? exporting.replay_job : exporting.numerics_job) = 0;
  (is_replay ? exporting.replay : exporting.numerics) = verdict;
}

void export_written(State& state, int64_t job, const std::shared_ptr<const WrittenPlan>& written) {
  ExportState& exporting = state.exporting;
  if (job != exporting.write_job) return;
  exporting.write_job = 0;
  exporting.asked.reset();  // against the file that is there now
  const WrittenExport& file = written->written;
  const std::string before = file.is_unchanged     ? "; it had just that already"
                             : file.backup.empty() ? ""
                                                   : "; what was there is in " + file.backup;
  state.say(fmt::format("wrote {}: {}{}", printable(written->path, 160), written->what,
                        printable(before, 160)),
            Role::kGood);
}

void export_job_ended(State& state, const JobSnapshot& job) {
  ExportState& exporting = state.exporting;
  if (job.id == exporting.load_job) {
    exporting.load_job = 0;
    exporting.failure = job.phase == JobPhase::kFailed ? job.failure : "reading was cancelled";
  }
  for (int64_t* one : {&exporting.draft_job, &exporting.numerics_job, &exporting.replay_job,
                       &exporting.write_job}) {
    if (job.id == *one) *one = 0;
  }
}

}  // namespace tilewright
