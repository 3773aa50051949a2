#include "tuner/evaluate/table_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/space/listed_space.h"

namespace tilewright {

namespace {

/// Places of rows in the order of their values.
std::vector<size_t> sorted_rows(const ResultTable& table) {
  std::vector<size_t> order(table.rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {},
                    [&](size_t i) -> const std::vector<int64_t>& { return table.rows[i].values; });
  return order;
}

std::vector<std::string> names_of(const std::vector<Parameter>& parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

}  // namespace

std::string table_evaluator_id(const std::string& file_hash) {
  return "table/" + file_hash;
}

TableEvaluator::TableEvaluator(const ResultTable& table, const std::string& file_hash)
    : table_(table), id_(table_evaluator_id(file_hash)), order_(sorted_rows(table)) {}

Measurement TableEvaluator::evaluate(const Problem&, const Config& config) const {
  std::vector<int64_t> values;
  std::vector<std::string> names;
  for (const auto& [name, value] : config.values) {
    names.push_back(name);
    values.push_back(value);
  }
  const auto found = std::ranges::lower_bound(
      order_, values, {},
      [&](size_t i) -> const std::vector<int64_t>& { return table_.rows[i].values; });
  if (found == order_.end() || table_.rows[*found].values != values ||
      names != names_of(table_.parameters)) {
    return {AttemptStatus::kInfeasible, "the table has no row for this config", 0, 0, {}};
  }
  return measurement_of(table_.rows[*found]);
}

Measurement measurement_of(const ResultRow& row) {
  Measurement measurement;
  measurement.status = row.status;
  measurement.reason = row.reason;
  measurement.time_us = row.time_us;
  measurement.counters = row.metrics;
  measurement.times_us = row.times_us;
  return measurement;
}

Space table_space(const ResultTable& table) {
  std::vector<std::vector<int64_t>> rows;
  for (const ResultRow& row : table.rows) rows.push_back(row.values);
  return listed_space(table.parameters, std::move(rows));
}

}  // namespace tilewright
