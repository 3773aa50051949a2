#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "db/store.h"

namespace tilewright {

/// A value of a result row: NULL, whole number, number or text.
using Cell = std::variant<std::monostate, int64_t, double, std::string>;

/// "" for NULL, otherwise the value; numbers in the shortest form that reads back the same.
std::string to_text(const Cell& cell);

struct QueryResult {
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
  bool is_cut = false;  ///< there is more than the limits allow
};

/// The result as CSV (RFC 4180, line ends are \n) with a header line.
std::string to_csv(const QueryResult& result);

/// A question with a name, asked with `tilewright query NAME`.
struct SavedQuery {
  std::string name;
  std::string description;  ///< one line
  std::string sql;
};

/// All saved queries, sorted by name.
std::span<const SavedQuery> saved_queries();

/// What is current; measurements of anything else are stale.
struct CurrentRevisions {
  std::vector<std::pair<std::string, int>> kernels;
  std::vector<std::string>
      evaluators;  ///< simulator evaluators, "sim/<timing revision>/<fidelity>"
};

struct QueryLimits {
  int64_t max_rows = 1'000'000;
  int64_t max_bytes = int64_t{256} << 20;
  bool cuts = false;  ///< what exceeds them is left out; otherwise it is an Error
  /// Asked now and then while the query runs; true ends it with an Error. May be empty.
  std::function<bool()> stop;
};

/// Texts that are bound to a statement's parameters, by name (":name").
using QueryTexts = std::vector<std::pair<std::string, std::string>>;

/// Runs the saved query of that name, or else the text as SQL: one statement that only reads.
/// Errors: (usage) for wrong SQL or SQL that writes, (not found) for a single word that is no saved
/// query, suggesting the nearest, (failed) when a limit is exceeded or it was stopped.
QueryResult query(Store& store, std::string_view name_or_sql, const CurrentRevisions& current,
                  const QueryLimits& limits = {}, const QueryTexts& texts = {});

}  // namespace tilewright
