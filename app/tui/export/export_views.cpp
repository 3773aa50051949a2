#include "app/tui/export/export_views.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/export/export_update.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/widgets.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/problem.h"

namespace tilewright {

namespace {

/// Rows below the list that say more of the chosen winner.
constexpr int kFactRows = 2;

/// "qkv 16x4608x3584"
std::string what_of(const Winner& winner) {
  try {
    const Problem problem = parse_problem(winner.problem);
    std::string sizes;
    for (const auto& [name, value] : problem.sizes) {
      sizes += (sizes.empty() ? "" : "x") + std::to_string(value);
    }
    return printable(
        fmt::format("{} {}", winner.ops.empty() ? problem.kernel : join(winner.ops, ","), sizes),
        160);
  } catch (const Error&) {
    return printable(winner.problem, 160);  // of another tool
  }
}

std::string tile_of(const Winner& winner) {
  try {
    return short_config(parse_config(winner.config));
  } catch (const Error&) {
    return printable(winner.config, 40);
  }
}

Role role_of_state(WinnerState state) {
  switch (state) {
    case WinnerState::kFresh:
      return Role::kText;
    case WinnerState::kUnfinished:
      return Role::kWarn;
    case WinnerState::kNoGain:
      return Role::kDim;
    case WinnerState::kStale:
    case WinnerState::kNoPlan:
      return Role::kBad;
  }
  return Role::kText;
}

TableRow winner_row(const ExportState& exporting, int row) {
  const auto place = static_cast<size_t>(row);
  const ListedWinner& listed = exporting.view->source.winners[place];
  const Winner& winner = listed.winner;
  const bool has_baseline = winner.baseline_us > 0;
  const std::string mark = !listed.can_be_exported()   ? "[!]"
                           : exporting.selected[place] ? "[x]"
                                                       : "[ ]";
  return {{mark, std::to_string(row + 1), what_of(winner),
           has_baseline ? fmt::format("{:+.1f}", 100 * (winner.gain() - 1)) : "-",
           std::string(name_of(listed.state)), tile_of(winner),
           listed.trial > 0 ? std::to_string(listed.trial) : "-", format_us(winner.time_us)},
          role_of_state(listed.state)};
}

void draw_nothing(const State& state, Canvas& canvas) {
  const ExportState& exporting = state.exporting;
  std::string text;
  if (!exporting.failure.empty()) {
    text = exporting.failure + "; R chooses another run";
  } else if (!exporting.view) {
    text = "reading the winners ...";
  } else if (exporting.view->source.run.id == 0) {
    text = "no tuning yet: 4 opens Tune, whose winners are exported here";
  } else {
    text = fmt::format(
        "run {} has no winners: its search found nothing, or has not ended yet. R chooses another "
        "run, 4 opens Tune",
        exporting.view->source.run.id);
  }
  draw_wrapped(canvas, 0, 0, text, Role::kDim);
}

bool has_winners(const ExportState& exporting) {
  return exporting.view && exporting.view->has_winners() && exporting.failure.empty();
}

/// What the table has no room for.
void draw_chosen(const ExportState& exporting, Canvas canvas) {
  const ListedWinner* row = chosen_winner(exporting);
  if (!row) return;
  if (!row->reason.empty()) {
    draw_wrapped(canvas, 0, 0, fmt::format("{}: {}", name_of(row->state), row->reason),
                 row->can_be_exported() ? Role::kWarn : Role::kBad);
    return;
  }
  draw_wrapped(canvas, 0, 0, printable(row->winner.config, 400), Role::kDim);
}

struct CheckSign {
  std::string_view sign;
  Role role;
};

CheckSign sign_of(const ShownCheck& shown) {
  if (shown.job != 0) return {"..", Role::kWarn};
  switch (shown.check.status) {
    case CheckStatus::kOk:
      return {"OK", Role::kGood};
    case CheckStatus::kFailed:
      return {"!!", Role::kBad};
    case CheckStatus::kNote:
      return {"..", Role::kWarn};
    case CheckStatus::kNotRun:
      return {"--", Role::kDim};
  }
  return {"--", Role::kDim};
}

std::string text_of(const State& state, const ShownCheck& shown) {
  const auto job = std::ranges::find(state.jobs, shown.job, &JobSnapshot::id);
  if (shown.job != 0 && job != state.jobs.end()) {
    return fmt::format("{}: at work {:.0f} %, K cancels", shown.check.name, 100 * job->fraction);
  }
  return fmt::format("{}: {}", shown.check.name, printable(shown.check.text, 600));
}

constexpr int kSignColumns = 4;

std::string checks_words(const ExportState& exporting) {
  if (exporting.format != "plan") {
    return "checks are of a plan; this format holds what the run measured, as it is";
  }
  if (!export_request(exporting)) return "no winner is selected: Space selects one, a all";
  return "";
}

std::string draft_failure(const ExportState& exporting) {
  const ExportDraft* draft = current_draft(exporting);
  return draft ? draft->failure : "";
}

struct DiffLook {
  char32_t sign;
  Role role;
};

DiffLook look_of(DiffLine::Kind kind) {
  switch (kind) {
    case DiffLine::Kind::kAdded:
      return {U'+', Role::kGood};
    case DiffLine::Kind::kRemoved:
      return {U'-', Role::kBad};
    case DiffLine::Kind::kSame:
    case DiffLine::Kind::kSkipped:
      return {U' ', Role::kDim};
  }
  return {U' ', Role::kText};
}

}  // namespace

int winner_rows(const ExportState& exporting, int height) {
  const int facts = has_winners(exporting) && height >= 8 ? kFactRows : 0;
  return std::max(1, height - 1 - facts);
}

std::string export_winners_title(const State& state) {
  const ExportState& exporting = state.exporting;
  if (!has_winners(exporting)) return "Winners";
  const std::vector<ListedWinner>& winners = exporting.view->source.winners;
  const auto blocked = std::ranges::count(winners, false, &ListedWinner::can_be_exported);
  std::string title =
      fmt::format("Winners of run {}  {} of {} selected", exporting.view->source.run.id,
                  selected_places(exporting).size(), winners.size());
  if (blocked > 0) title += fmt::format(", {} blocked", blocked);
  return title;
}

void draw_export_winners(const State& state, Canvas canvas) {
  const ExportState& exporting = state.exporting;
  if (!has_winners(exporting)) return draw_nothing(state, canvas);
  const int rows = winner_rows(exporting, canvas.height());
  TableView table;
  table.columns = fit_columns({{"", 3},
                               {"#", 4, true},
                               {"what", 20},
                               {"gain %", 7, true},
                               {"state", 10},
                               {"tile", 15},
                               {"try", 5, true},
                               {"time", 10, true}},
                              2, canvas.width());
  table.rows = static_cast<int>(exporting.view->source.winners.size());
  table.chosen = exporting.winner.row;
  table.has_focus = state.pane().pane == kExportWinners;
  Canvas list = canvas.part({0, 0, canvas.width(), rows + 1});
  draw_table(list, table, [&](int row) { return winner_row(exporting, row); });
  const int left = canvas.height() - rows - 1;
  if (left > 0) draw_chosen(exporting, canvas.part({0, rows + 1, canvas.width(), left}));
}

std::string export_checks_title(const State& state) {
  int failed = 0;
  for (const ShownCheck& shown : shown_checks(state)) {
    failed += shown.check.status == CheckStatus::kFailed ? 1 : 0;
  }
  return failed == 0 ? "Checks" : fmt::format("Checks  {} failed", failed);
}

int check_lines(const State& state, int width) {
  int lines = 0;
  for (const ShownCheck& shown : shown_checks(state)) {
    lines += static_cast<int>(wrapped(text_of(state, shown), width - kSignColumns).size());
  }
  return lines;
}

void draw_export_checks(const State& state, Canvas canvas) {
  const ExportState& exporting = state.exporting;
  if (!has_winners(exporting)) return;
  if (const std::string words = checks_words(exporting); !words.empty()) {
    draw_wrapped(canvas, 0, 0, words, Role::kDim);
    return;
  }
  if (const std::string failure = draft_failure(exporting); !failure.empty()) {
    draw_wrapped(canvas, 0, 0, printable(failure, 600), Role::kBad);
    return;
  }
  int y = -exporting.check_row;
  if (!current_draft(exporting)) canvas.text(0, y++, "at work ...", Role::kDim);
  for (const ShownCheck& shown : shown_checks(state)) {
    const CheckSign sign = sign_of(shown);
    canvas.text(0, y, sign.sign, sign.role);
    const bool is_quiet = shown.check.status == CheckStatus::kNotRun && shown.job == 0;
    const Role role = shown.check.status == CheckStatus::kFailed ? Role::kBad
                      : is_quiet                                 ? Role::kDim
                                                                 : Role::kText;
    y = draw_wrapped(canvas, kSignColumns, y, text_of(state, shown), role);
  }
}

std::string export_preview_title(const State& state) {
  const ExportState& exporting = state.exporting;
  std::string title = fmt::format("{} to {}", exporting.format, printable(exporting.path, 160));
  const ExportDraft* draft = current_draft(exporting);
  if (!draft || !draft->failure.empty()) return title;
  if (draft->has_file && draft->diff.is_empty()) return title + "  as it is there";
  return title + fmt::format("  +{} -{} lines{}", format_count(draft->diff.added),
                             format_count(draft->diff.removed),
                             draft->has_file ? "" : ", a new file");
}

void draw_export_preview(const State& state, Canvas canvas) {
  const ExportState& exporting = state.exporting;
  if (!has_winners(exporting)) return;
  const ExportDraft* draft = current_draft(exporting);
  if (!draft) {
    canvas.text(0, 0, export_request(exporting) ? "at work ..." : "nothing to be written",
                Role::kDim);
    return;
  }
  if (!draft->failure.empty()) {
    draw_wrapped(canvas, 0, 0, printable(draft->failure, 600), Role::kBad);
    return;
  }
  for (int y = 0; y < canvas.height(); ++y) {
    const auto index = static_cast<size_t>(exporting.preview_row + y);
    if (index >= draft->diff.lines.size()) break;
    const DiffLine& line = draft->diff.lines[index];
    const DiffLook look = look_of(line.kind);
    canvas.put(0, y, look.sign, look.role);
    const bool is_skipped = line.kind == DiffLine::Kind::kSkipped;
    canvas.text(2, y,
                is_skipped ? fmt::format("... {}", line.text)
                           : printable(line.text, static_cast<size_t>(4 * canvas.width())),
                look.role);
  }
}

}  // namespace tilewright
