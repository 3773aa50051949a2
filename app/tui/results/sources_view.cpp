#include <fmt/format.h>

#include <algorithm>

#include "app/tui/results/results_update.h"
#include "app/tui/results/results_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Rows at the foot of the list that describe the chosen entry.
int described_rows(int height) {
  if (height >= 30) return 6;
  return height >= 14 ? 4 : 0;
}

/// The line of the cursor.
int chosen_line(const ResultsState& results) {
  const std::vector<SourceLine> lines = source_lines(results);
  int row = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].kind == SourceLine::Kind::kHeading) continue;
    if (row++ == results.source.row) return static_cast<int>(i);
  }
  return 0;
}

/// A statement in one line.
std::string in_one_line(const std::string& sql) {
  std::string text;
  for (const char c : sql) {
    const bool is_blank = c == ' ' || c == '\n';
    if (!is_blank) {
      text += c;
    } else if (!text.empty() && text.back() != ' ') {
      text += ' ';
    }
  }
  return text;
}

void draw_line(const ResultsState& results, const SourceLine& line, Canvas& canvas, int y) {
  switch (line.kind) {
    case SourceLine::Kind::kHeading:
      canvas.text(0, y, line.heading, Role::kHeading);
      break;
    case SourceLine::Kind::kSaved: {
      const ResultsCatalog::Saved& saved = results.catalog->saved[line.index];
      canvas.text(1, y, saved.is_own ? "my: " + printable(saved.name) : saved.name, Role::kField);
      break;
    }
    case SourceLine::Kind::kHistory:
      canvas.text(1, y, in_one_line(sql_of(results, line)));
      break;
    case SourceLine::Kind::kEntry: {
      const CatalogEntry& entry = results.catalog->entries[line.index];
      const std::string rows = entry.rows ? format_count(*entry.rows) : "";
      canvas.text(1, y, entry.name, entry.is_view ? Role::kText : Role::kDim,
                  canvas.width() - columns_of(rows) - 2);
      canvas.text_right(canvas.width(), y, rows, Role::kDim);
      break;
    }
  }
}

std::string description_of(const ResultsState& results, const SourceLine& line) {
  switch (line.kind) {
    case SourceLine::Kind::kSaved: {
      const ResultsCatalog::Saved& saved = results.catalog->saved[line.index];
      return saved.is_own ? in_one_line(saved.sql) : saved.description;
    }
    case SourceLine::Kind::kHistory:
      return in_one_line(sql_of(results, line));
    case SourceLine::Kind::kEntry: {
      const CatalogEntry& entry = results.catalog->entries[line.index];
      std::string text = entry.is_view ? "view:" : "table:";
      for (const std::string& column : entry.columns) text += " " + column;
      return text;
    }
    case SourceLine::Kind::kHeading:
      break;
  }
  return "";
}

}  // namespace

int first_source_line(const ResultsState& results, int height) {
  const int count = static_cast<int>(source_lines(results).size());
  // The heading above the first entry is worth seeing.
  const int chosen = results.source.row == 0 ? 0 : chosen_line(results);
  return first_row(chosen, count, height - described_rows(height));
}

void draw_sources(const State& state, Canvas canvas) {
  const ResultsState& results = state.results;
  if (!results.catalog && !results.catalog_failure.empty()) {
    draw_wrapped(canvas, 0, 0, results.catalog_failure + "; R reads it again", Role::kBad);
    return;
  }
  if (!results.catalog) {
    draw_wrapped(canvas, 0, 0, "reading the database ...", Role::kDim);
    return;
  }
  if (!results.catalog->exists) {
    draw_wrapped(canvas, 0, 0,
                 "no database yet: every run, tuning and replay is kept in it. Run a kernel in the "
                 "Lab, and come back.",
                 Role::kDim);
    return;
  }
  const std::vector<SourceLine> lines = source_lines(results);
  const int first = first_source_line(results, canvas.height());
  const int described = described_rows(canvas.height());
  const int chosen = chosen_line(results);
  for (int y = 0; y < canvas.height() - described; ++y) {
    const int index = first + y;
    if (index >= static_cast<int>(lines.size())) break;
    draw_line(results, lines[static_cast<size_t>(index)], canvas, y);
    if (index != chosen) continue;
    canvas.put(0, y, canvas.glyphs().cursor);
    if (state.pane().pane == kSourcesPane) {
      canvas.restyle({0, y, canvas.width(), 1}, Role::kCursor);
    }
  }
  if (described == 0 || chosen >= static_cast<int>(lines.size())) return;
  const int y = canvas.height() - described;
  canvas.fill({0, y, canvas.width(), 1}, canvas.glyphs().horizontal, Role::kFrame);
  Canvas foot = canvas.part({0, y + 1, canvas.width(), described - 1});
  if (!results.catalog_failure.empty()) {
    draw_wrapped(foot, 0, 0, "not as it is now: " + results.catalog_failure, Role::kBad);
    return;
  }
  draw_wrapped(foot, 0, 0, description_of(results, lines[static_cast<size_t>(chosen)]), Role::kDim);
}

}  // namespace tilewright
