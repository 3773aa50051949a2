#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/home/home_state.h"
#include "app/tui/results/own_queries.h"
#include "app/tui/results/query_table.h"
#include "app/tui/results/sql_text.h"
#include "app/tui/results/text_edit.h"

namespace tilewright {

/// What can be asked: saved queries, and what a query can read from.
struct ResultsCatalog {
  struct Saved {
    std::string name;
    std::string description;
    std::string sql;
    bool is_own = false;  ///< the user's, behind those of the program
  };
  bool exists = false;  ///< whether there is a database yet
  std::vector<Saved> saved;
  std::vector<CatalogEntry> entries;
  std::string own_failure;  ///< why the user's own are not among the saved ones; empty: they are
};

/// The user's own queries after a change of them.
struct OwnQueries {
  std::vector<OwnQuery> queries;
  std::string name;         ///< that was kept or deleted
  bool is_deleted = false;  ///< else kept
};

/// Puts the user's own queries behind those of the program, in place of what was there.
void set_own_queries(ResultsCatalog& catalog, const std::vector<OwnQuery>& own);

/// How a query went.
struct QueryOutcome {
  std::string sql;
  std::shared_ptr<const ArrangedRows> rows;  // as they came; null when it failed
  double ms = 0;
  std::string failure;
  int offset = -1;  ///< bytes of the SQL before what is wrong; -1: not known
};

/// What became of a result that was to be written.
struct WrittenResult {
  std::string path;
  int64_t rows = 0;
  bool would_replace = false;  ///< there is such a file, and nothing was written
};

/// A run by what it ran, as far as it is a kernel's.
struct FoundRun {
  int64_t run = 0;
  std::string kind;
  std::string problem;  ///< empty for other kinds
  std::string config;
  std::string machine;
};

/// A line of the comparison of two runs.
struct ComparedRow {
  enum class Verdict : uint8_t { kEqual, kBetter, kWorse, kOther };
  std::string name;
  std::string a;  ///< amounts, "-" where there is none
  std::string b;
  std::string change;
  Verdict verdict = Verdict::kOther;  ///< kOther: more is neither better nor worse, or only in one
  double share = 0;  ///< of everything that was gained in the section, 0 to 1; only of a gain
};

struct ComparedSection {
  std::string title;
  std::vector<ComparedRow> rows;  ///< largest change first, then those without
  int only_a = 0;
  int only_b = 0;
};

/// Run B beside run A, the baseline.
struct ComparedRuns {
  int64_t a = 0;
  int64_t b = 0;
  std::vector<std::string> facts;  ///< "both: x" and "config: x -> y", a line each
  ComparedRow total;
  std::vector<ComparedSection> sections;
};

/// A word of the SQL that Tab completes, again and again.
struct OpenCompletion {
  SqlCompletion completion;
  size_t chosen = 0;
};

struct ResultsState {
  std::shared_ptr<const ResultsCatalog>
      catalog;                       ///< null until it was read; shared with its worker
  int64_t catalog_job = 0;           ///< reads it; 0: none
  std::string catalog_failure;       ///< why it could not be read; empty: it could
  ListCursor source;                 ///< in the list of queries, tables and history
  std::vector<std::string> history;  ///< what was run, oldest first, each once
  /// Of the history, while Up and Down bring it into the editor: entries from the newest; 0: none.
  size_t recalled = 0;

  TextEdit sql;
  bool is_typing = false;  ///< keys go into the SQL
  std::optional<OpenCompletion> completion;

  int64_t query_job = 0;
  std::shared_ptr<const QueryOutcome> outcome;  ///< of the last query; shared with its worker
  std::shared_ptr<const ArrangedRows> rows;     ///< what the grid shows, of the last success
  double ms = 0;                                ///< that it took
  std::string shown_sql;                        ///< that gave it
  RowOrder wanted;                              ///< how the rows are to be arranged
  int64_t arrange_job = 0;
  ListCursor row;
  int column = 0;
  std::shared_ptr<const ColumnFacts> facts;  ///< of the chosen column; null until they are there
  int64_t facts_job = 0;
  ListCursor frequent;  ///< in the list of its values

  std::string unwritten;  ///< the file that must be confirmed before it is replaced
  int64_t run_job = 0;    ///< looks for the run to open

  int64_t mark_a = 0;  ///< runs to be compared; 0: none
  int64_t mark_b = 0;
  int64_t compare_job = 0;
  std::string compare_failure;  ///< why the two could not be compared; empty: they could
  std::shared_ptr<const ComparedRuns> compared;
  int compared_row = 0;         ///< first row that is shown
  bool shows_compared = false;  ///< else the chosen column, below the grid
};

}  // namespace tilewright
