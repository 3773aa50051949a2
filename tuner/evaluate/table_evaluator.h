#pragma once

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

/// What a row says, as a measurement.
Measurement measurement_of(const ResultRow& row);

/// The space of a table: just the configs that it has a row for, failures among them.
Space table_space(const ResultTable& table);

}  // namespace tilewright
