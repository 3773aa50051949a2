#include "app/tui/results/query_table.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "app/cli/table.h"
#include "core/base/statistics.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

bool is_number(const ResultValue& value) {
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

double number_of(const ResultValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return 0;
}

/// NULL, numbers, texts; a NaN cannot come out of SQLite.
int rank_of(const ResultValue& value) {
  return value.index() == 0 ? 0 : is_number(value) ? 1 : 2;
}

bool is_before(const ResultValue& a, const ResultValue& b) {
  const int rank = rank_of(a);
  if (rank != rank_of(b)) return rank < rank_of(b);
  if (rank == 0) return false;
  if (rank == 2) return std::get<std::string>(a) < std::get<std::string>(b);
  const auto* whole_a = std::get_if<int64_t>(&a);
  const auto* whole_b = std::get_if<int64_t>(&b);
  if (whole_a && whole_b) return *whole_a < *whole_b;
  return number_of(a) < number_of(b);
}

bool passes(const std::vector<ResultValue>& row, const RowFilter& filter,
            const std::string& wanted) {
  if (filter.column >= 0) {
    const ResultValue& value = row[static_cast<size_t>(filter.column)];
    const bool is_null = value.index() == 0;
    return is_null == filter.is_null && (is_null || whole_value(value) == filter.text);
  }
  return std::ranges::any_of(row, [&](const ResultValue& value) {
    return lower_case(whole_value(value)).find(wanted) != std::string::npos;
  });
}

void count_values(const ArrangedRows& rows, ColumnFacts& facts) {
  struct Counted {
    ValueCount told = {};
    const ResultValue* value = nullptr;
  };
  std::unordered_map<std::string, Counted> counts;
  for (const uint32_t row : rows.rows) {
    const ResultValue& value = rows.table->rows[row][static_cast<size_t>(facts.column)];
    const bool is_null = value.index() == 0;
    facts.nulls += is_null ? 1 : 0;
    std::string text = whole_value(value);
    // NULL and an empty text are two values.
    Counted& counted = counts[(is_null ? "n" : "v") + text];
    if (counted.told.count++ == 0) counted = {{std::move(text), is_null, 1}, &value};
  }
  facts.distinct = std::ssize(counts);
  std::vector<Counted> sorted;
  for (auto& [key, counted] : counts) sorted.push_back(std::move(counted));
  const size_t kept = std::min(kMostFrequent, sorted.size());
  std::ranges::partial_sort(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(kept),
                            [](const Counted& a, const Counted& b) {
                              if (a.told.count != b.told.count) return a.told.count > b.told.count;
                              return is_before(*a.value, *b.value);
                            });
  for (size_t i = 0; i < kept; ++i) facts.frequent.push_back(std::move(sorted[i].told));
}

void measure_numbers(const ArrangedRows& rows, ColumnFacts& facts) {
  std::vector<double> numbers;
  for (const uint32_t row : rows.rows) {
    const ResultValue& value = rows.table->rows[row][static_cast<size_t>(facts.column)];
    if (is_number(value) && std::isfinite(number_of(value))) numbers.push_back(number_of(value));
  }
  if (numbers.empty()) return;
  std::ranges::sort(numbers);
  facts.has_numbers = true;
  facts.min = numbers.front();
  facts.max = numbers.back();
  facts.p50 = percentile(numbers, 50);
  facts.mean = mean(numbers);
  facts.histogram.assign(kBins, 0);
  // Halves: the difference of two huge numbers may not be one.
  const double range = facts.max / 2 - facts.min / 2;
  for (const double number : numbers) {
    const double place = range > 0 ? (number / 2 - facts.min / 2) / range : 0;
    const auto bin = static_cast<size_t>(place * static_cast<double>(kBins));
    ++facts.histogram[std::min(bin, kBins - 1)];
  }
}

}  // namespace

void settle_columns(QueryTable& table) {
  constexpr size_t kRowsLookedAt = 1000;
  constexpr int kWidest = 40;
  table.widths.clear();
  table.is_right.clear();
  for (size_t column = 0; column < table.columns.size(); ++column) {
    // Bytes: a text with other letters gets more room than it needs.
    size_t width = table.columns[column].size();
    bool has_text = false;
    bool has_number = false;
    for (size_t row = 0; row < std::min(kRowsLookedAt, table.rows.size()); ++row) {
      const ResultValue& value = table.rows[row][column];
      width = std::max(width, shown_value(value).size());
      has_text |= rank_of(value) == 2;
      has_number |= is_number(value);
    }
    table.widths.push_back(std::clamp(static_cast<int>(width), 3, kWidest));
    table.is_right.push_back(has_number && !has_text);
  }
}

std::string shown_value(const ResultValue& value) {
  return value.index() == 0 ? "-" : shown_text(value);
}

std::string whole_value(const ResultValue& value) {
  return to_text(value);
}

std::optional<size_t> column_named(const QueryTable& table, std::string_view name) {
  const auto found = std::ranges::find(table.columns, name);
  if (found == table.columns.end()) return std::nullopt;
  return static_cast<size_t>(found - table.columns.begin());
}

ArrangedRows arrange(std::shared_ptr<const QueryTable> table, const RowOrder& order) {
  ArrangedRows arranged{std::move(table), order, {}};
  const std::vector<std::vector<ResultValue>>& all = arranged.table->rows;
  const std::string wanted = lower_case(order.filter.text);
  for (size_t row = 0; row < all.size(); ++row) {
    if (order.filter.is_empty() || passes(all[row], order.filter, wanted)) {
      arranged.rows.push_back(static_cast<uint32_t>(row));
    }
  }
  if (order.column < 0) return arranged;
  const auto column = static_cast<size_t>(order.column);
  std::ranges::stable_sort(arranged.rows, [&](uint32_t a, uint32_t b) {
    const ResultValue& x = all[a][column];
    const ResultValue& y = all[b][column];
    return order.is_descending ? is_before(y, x) : is_before(x, y);
  });
  return arranged;
}

ColumnFacts describe(std::shared_ptr<const ArrangedRows> rows, int column) {
  ColumnFacts facts;
  facts.column = column;
  facts.count = std::ssize(rows->rows);
  count_values(*rows, facts);
  measure_numbers(*rows, facts);
  facts.rows = std::move(rows);
  return facts;
}

}  // namespace tilewright
