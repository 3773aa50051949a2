#include "app/tui/export/export_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <variant>

#include "app/export/plan_acceptance.h"
#include "app/export/replay_check.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "db/queries.h"
#include "tuner/session/active_search.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

/// Larger files are no exports.
constexpr int64_t kMostDiffedBytes = int64_t{64} << 20;

std::vector<ExportRun> runs_with_winners(Store& store) {
  const QueryResult rows =
      query(store,
            fmt::format("SELECT id, label FROM run WHERE kind = 'tune' AND EXISTS (SELECT 1 FROM "
                        "winner WHERE run_id = run.id) ORDER BY id DESC LIMIT {}",
                        kMostExportRuns),
            {});
  std::vector<ExportRun> runs;
  for (const std::vector<Cell>& row : rows.rows) {
    runs.push_back({std::get<int64_t>(row[0]), printable(to_text(row[1]), 160)});
  }
  return runs;
}

/// The newest tuning, or none.
std::optional<int64_t> newest(Store& store) {
  try {
    return latest_tuning(store).id;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    return std::nullopt;
  }
}

void add_file(ExportDraft& draft) {
  std::error_code none;
  std::string before;
  draft.has_file = std::filesystem::exists(draft.of.path, none);
  if (draft.has_file) before = read_file(draft.of.path, kMostDiffedBytes);
  draft.diff = diff_lines(before, draft.text.text);
}

void fill(const DraftExportJob& job, const JobProgress& progress, ExportDraft& draft) {
  const ExportSource& source = job.request.view->source;
  if (job.request.format == "plan") {
    const std::vector<Winner> winners = source.selected(job.request.places);
    draft.text = plan_text(source.run, winners);
    draft.checks =
        quick_checks(source, winners, [&](double fraction) { progress.at(0.9 * fraction); });
  } else {
    Store store = Store::open(job.db, OpenMode::kReadOnly);
    const bool has_winner = job.request.winner < source.winners.size();
    const Winner* winner = has_winner ? &source.winners[job.request.winner].winner : nullptr;
    draft.text = results_text(store, source.run, job.request.format, {.winner = winner});
  }
  progress.at(0.9);
  add_file(draft);
}

}  // namespace

std::shared_ptr<const ExportView> load_export(const LoadExportJob& job,
                                              const JobProgress& progress) {
  auto view = std::make_shared<ExportView>();
  std::error_code none;
  if (job.run == 0 && !std::filesystem::exists(job.db, none)) return view;
  Store store = Store::open(job.db, OpenMode::kReadOnly);
  const std::optional<int64_t> run = job.run != 0 ? job.run : newest(store);
  if (!run) return view;
  view->source = load_export_source(store, *run);
  view->formats = formats_of(view->source);
  view->runs = runs_with_winners(store);
  progress.show(std::make_shared<const ExportView>(*view));
  progress.at(0.5);
  // Of a run with very many tries this takes longer than a screen may take to open.
  const std::vector<int64_t> trials = store.trials_of_winners(*run, kScreening);
  for (size_t i = 0; i < std::min(trials.size(), view->source.winners.size()); ++i) {
    view->source.winners[i].trial = trials[i];
  }
  return view;
}

std::shared_ptr<const ExportDraft> draft_export(const DraftExportJob& job,
                                                const JobProgress& progress) {
  auto draft = std::make_shared<ExportDraft>();
  draft->of = job.request;
  try {
    fill(job, progress, *draft);
  } catch (const Error& error) {
    draft->failure = error.message();
  }
  return draft;
}

std::shared_ptr<const ExportVerdict> verify_numerics(const VerifyNumericsJob& job,
                                                     const JobProgress& progress) {
  auto verdict = std::make_shared<ExportVerdict>();
  verdict->kind = ExportVerdict::Kind::kNumerics;
  verdict->of = job.request;
  const ExportSource& source = job.request.view->source;
  verdict->check = numeric_check(source, source.selected(job.request.places),
                                 [&](double fraction) { progress.at(fraction); });
  return verdict;
}

std::shared_ptr<const ExportVerdict> verify_replay(const VerifyReplayJob& job,
                                                   const JobProgress& progress) {
  auto verdict = std::make_shared<ExportVerdict>();
  verdict->kind = ExportVerdict::Kind::kReplay;
  verdict->of = job.request;
  const ExportSource& source = job.request.view->source;
  const Plan plan = make_plan(source.run, source.selected(job.request.places));
  verdict->check = check_replay(
                       source.run, plan, job.db, [&](double fraction) { progress.tell(fraction); },
                       [&] { return progress.is_cancelled(); })
                       .check;
  progress.at(1);
  return verdict;
}

std::shared_ptr<const WrittenPlan> write_plan_file(const WriteExportJob& job) {
  const ExportDraft& draft = *job.draft;
  auto written = std::make_shared<WrittenPlan>();
  written->path = draft.of.path;
  written->written = write_export(draft.of.path, draft.text.text);
  written->what =
      draft.of.format == "plan"
          ? fmt::format("{} with {}",
                        format_counted(static_cast<int64_t>(draft.text.tables), "table"),
                        format_counted(static_cast<int64_t>(draft.text.ranges), "range"))
          : format_counted(draft.text.results, "result");
  return written;
}

}  // namespace tilewright
