#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tilewright {

/// A value of a result row: NULL, whole number, number or text, as a query gives them.
using ResultValue = std::variant<std::monostate, int64_t, double, std::string>;

/// What a query gave. Never changed again: the interface and its workers read it side by side.
struct QueryTable {
  std::vector<std::string> columns;
  std::vector<std::vector<ResultValue>> rows;
  bool is_cut = false;              ///< there is more than kMostResultRows
  std::vector<bool> is_right = {};  ///< columns that hold numbers
  std::vector<int> widths = {};     ///< in which columns are drawn, cells
};

/// Rows that a result holds at most; the screen says where there are more.
constexpr int64_t kMostResultRows = 100'000;

/// Fills in how a table is drawn from its first rows.
void settle_columns(QueryTable& table);

/// As the grid shows it, "-" for NULL; and whole, for the clipboard and filters.
std::string shown_value(const ResultValue& value);
std::string whole_value(const ResultValue& value);

/// Place of the column of that name.
std::optional<size_t> column_named(const QueryTable& table, std::string_view name);

/// Rows that are shown: those whose text holds `text` in some column, or whose value in `column` is
/// exactly `text`.
struct RowFilter {
  std::string text;
  int column = -1;       ///< -1: any, letters of either case
  bool is_null = false;  ///< those without a value in `column`

  bool is_empty() const { return text.empty() && column < 0; }
  friend bool operator==(const RowFilter&, const RowFilter&) = default;
};

/// How the rows of a table are to be shown.
struct RowOrder {
  int column = -1;  ///< sorted by it; -1: as the query gave them
  bool is_descending = false;
  RowFilter filter;

  friend bool operator==(const RowOrder&, const RowOrder&) = default;
};

/// The rows of a table in an order: NULL before numbers before texts; equal ones as they came.
struct ArrangedRows {
  std::shared_ptr<const QueryTable> table;  // shared: the interface draws it meanwhile
  RowOrder order;
  std::vector<uint32_t> rows;
};
ArrangedRows arrange(std::shared_ptr<const QueryTable> table, const RowOrder& order);

/// How often a value stands in a column.
struct ValueCount {
  std::string value;
  bool is_null = false;
  int64_t count = 0;
};

/// What the values of a column are like.
struct ColumnFacts {
  std::shared_ptr<const ArrangedRows> rows;  // of these rows; shared as they are
  int column = 0;
  int64_t count = 0;
  int64_t nulls = 0;
  int64_t distinct = 0;
  std::vector<ValueCount> frequent;  ///< most frequent first, at most kMostFrequent
  bool has_numbers = false;          ///< then the following are of the finite ones among them
  double min = 0;
  double p50 = 0;
  double max = 0;
  double mean = 0;
  std::vector<int64_t> histogram;  ///< kBins equal parts from min to max
};
constexpr size_t kMostFrequent = 1000;
constexpr size_t kBins = 24;
ColumnFacts describe(std::shared_ptr<const ArrangedRows> rows, int column);

}  // namespace tilewright
