#include "tuner/evaluate/table_evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
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

[[noreturn]] void refuse_parameters(const ResultTable& table, const Space& space) {
  throw Error(ErrorKind::kUsage, fmt::format("the table of {} has the parameters {}, not {}",
                                             printable(table.problem.text(), 160),
                                             join(names_of(table.parameters), ", "),
                                             join(names_of(space.parameters()), ", ")));
}

/// Whether two texts are the same value of a parameter, however each file writes it.
bool same_value(const std::string& a, const std::string& b, ValueKind kind) {
  if (a == b) return true;
  if (kind == ValueKind::kBoolean) return lower_case(a) == lower_case(b);
  if (kind == ValueKind::kText) return false;
  try {
    return parse_number(a, "value") == parse_number(b, "value");
  } catch (const Error&) {
    return false;
  }
}

/// What the values of a column are in the space's parameter; those that it has not are absent.
std::map<int64_t, int64_t> values_in(const ResultTable& table, size_t column,
                                     const Parameter& wanted) {
  std::map<int64_t, int64_t> values;
  const Space space({wanted}, {});
  for (const int64_t value : table.parameters[column].values) {
    const std::string text = value_text(table, column, value);
    const auto same = std::ranges::find_if(wanted.values, [&](int64_t each) {
      return same_value(text, space.value_text(wanted.name, each), table.kinds[column]);
    });
    if (same != wanted.values.end()) values.emplace(value, *same);
  }
  return values;
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

ResultTable matched_table(const ResultTable& table, const Space& space) {
  const std::vector<Parameter>& wanted = space.parameters();
  std::vector<size_t> columns;
  std::vector<std::map<int64_t, int64_t>> values(wanted.size());
  const std::vector<std::string> names = names_of(table.parameters);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto column = std::ranges::find(names, wanted[i].name);
    if (column == names.end()) refuse_parameters(table, space);
    columns.push_back(static_cast<size_t>(column - names.begin()));
    values[i] = values_in(table, columns.back(), wanted[i]);
  }
  if (names.size() != wanted.size()) refuse_parameters(table, space);
  ResultTable matched{table.kernel, table.device, table.problem, wanted, {}, {}};
  for (const size_t column : columns) matched.kinds.push_back(table.kinds[column]);
  for (const ResultRow& row : table.rows) {
    ResultRow mapped = row;
    bool known = true;
    for (size_t i = 0; i < columns.size() && known; ++i) {
      const auto value = values[i].find(row.values[columns[i]]);
      known = value != values[i].end();
      if (known) mapped.values[i] = value->second;
    }
    if (known) matched.rows.push_back(std::move(mapped));
  }
  if (matched.rows.empty()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the table of {} has no row whose values are of the space",
                            printable(table.problem.text(), 160)));
  }
  return matched;
}

TablesEvaluator::TablesEvaluator(std::map<std::string, ResultTable> tables,
                                 const std::string& file_hash)
    : tables_(std::move(tables)), id_(table_evaluator_id(file_hash)) {
  for (const auto& [problem, table] : tables_) {
    evaluators_.emplace(problem, TableEvaluator(table, file_hash));
  }
}

Measurement TablesEvaluator::evaluate(const Problem& problem, const Config& config) const {
  const auto found = evaluators_.find(problem.text());
  if (found != evaluators_.end()) return found->second.evaluate(problem, config);
  return {AttemptStatus::kInfeasible, "the file has no table for this problem", 0, 0, {}};
}

Space table_space(const ResultTable& table) {
  std::vector<std::vector<int64_t>> rows;
  for (const ResultRow& row : table.rows) rows.push_back(row.values);
  return listed_space(table.parameters, std::move(rows));
}

}  // namespace tilewright
