#pragma once

#include <map>
#include <string>
#include <vector>

#include "db/formats/result_table.h"
#include "tuner/evaluate/evaluator.h"

namespace tilewright {

/// The evaluator part of keys of measurements that come from a file: "table/<hash>".
std::string table_evaluator_id(const std::string& file_hash);

/// Replays a measured table: a config gets what was measured of it, its failure included.
class TableEvaluator : public Evaluator {
 public:
  /// The table must outlive the evaluator. `file_hash`: of the file that it was read from.
  TableEvaluator(const ResultTable& table, const std::string& file_hash);

  std::string id() const override { return id_; }
  /// A config that the table has no row for is infeasible.
  Measurement evaluate(const Problem& problem, const Config& config) const override;

 private:
  const ResultTable& table_;
  std::string id_;
  std::vector<size_t> order_;  // of the rows by their values
};

/// The table with the parameters of a space, so that it can be replayed there: values are found by
/// what they are called, numbers by their value. Rows with values that the space does not have are
/// left out. Error (usage) when the table has other parameters than the space, or no such row.
ResultTable matched_table(const ResultTable& table, const Space& space);

/// Replays the tables of several problems of one file.
class TablesEvaluator : public Evaluator {
 public:
  /// By the texts of problems; all others are infeasible.
  TablesEvaluator(std::map<std::string, ResultTable> tables, const std::string& file_hash);

  std::string id() const override { return id_; }
  Measurement evaluate(const Problem& problem, const Config& config) const override;

 private:
  std::map<std::string, ResultTable> tables_;
  std::map<std::string, TableEvaluator> evaluators_;  // refer to the tables
  std::string id_;
};

/// The space of a table: just the configs that it has a row for, failures among them.
Space table_space(const ResultTable& table);

}  // namespace tilewright
