#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/dtype.h"
#include "core/space/space.h"

namespace tilewright {

/// The version of the plan format that this program writes and the newest that it reads.
constexpr int kPlanSchema = 1;

/// The config for all m in [m_min, m_max].
struct PlanRange {
  int64_t m_min = 1;
  int64_t m_max = 1;
  Config config;
  double time_us = 0;  ///< time of the config at m_max

  friend bool operator==(const PlanRange&, const PlanRange&) = default;
};

/// What was tuned for one weight matrix: configs by number of rows.
struct PlanTable {
  std::string kernel;
  int revision = 0;
  DType dtype = DType::kF16;  ///< type of the first tensor
  int64_t n = 0;
  int64_t k = 0;
  std::string epilogue = "none";
  std::vector<std::string> layouts;
  std::vector<std::string> ops;   ///< names of the model's ops that it was tuned for
  std::vector<PlanRange> ranges;  ///< ascending, not overlapping, at least one

  friend bool operator==(const PlanTable&, const PlanTable&) = default;
};

/// Ops of a decoder layer that share a launch, for the numbers of rows at which that is faster. The
/// launch's configs are in the table of its GEMM with that epilogue.
struct PlanFusion {
  struct Range {
    int64_t m_min = 1;
    int64_t m_max = 1;
    friend bool operator==(const Range&, const Range&) = default;
  };
  std::string ops;            ///< names of the model's ops, joined: "gate_up+silu_mul"
  std::string epilogue;       ///< of the GEMM, without its dequantisation
  std::vector<Range> ranges;  ///< ascending, not overlapping, at least one

  bool covers(int64_t m) const;
  friend bool operator==(const PlanFusion&, const PlanFusion&) = default;
};

/// Where a part of the plan comes from.
struct PlanProvenance {
  int64_t run = 0;  ///< id in the results database
  std::string date;
  std::string tool;

  friend bool operator==(const PlanProvenance&, const PlanProvenance&) = default;
};

/// The export of tuning (docs/formats.md, "Plan"): what a serving engine needs to know, and for
/// which machine, model and workload it holds.
struct Plan {
  std::string machine_name;
  std::string machine_fingerprint;
  std::string model;
  std::string workload_class;
  std::vector<PlanTable> tables;
  std::vector<PlanFusion> fusions;  ///< written only when there are some
  /// Batching knobs of the serving engine by name; written only when there are some.
  std::vector<std::pair<std::string, double>> serving;
  std::vector<PlanProvenance> provenance;

  /// The range to use for m rows: the first that reaches up to m; the last one beyond all of them.
  /// Null when no table has this key. The pointer lives as long as the plan is unchanged.
  const PlanRange* find(std::string_view kernel, DType dtype, int64_t n, int64_t k,
                        std::string_view epilogue, int64_t m) const;
  /// Whether ops so joined share a launch at m rows.
  bool fuses(std::string_view ops, int64_t m) const;

  friend bool operator==(const Plan&, const Plan&) = default;
};

/// The JSON text; the same plan gives the same bytes.
std::string write_plan(const Plan& plan);

/// Reads a plan; `where` names its source in errors. Error (failed) for anything that is not a
/// plan, for ranges that overlap or descend, for two tables of one key, and for a newer schema.
Plan parse_plan(std::string_view text, const std::string& where);

/// Error (check failed), naming both fingerprints, when the plan is of another machine and not
/// forced.
void check_plan_machine(const Plan& plan, std::string_view machine_name,
                        std::string_view fingerprint, bool force);

/// The winner of tuning at m rows.
struct TunedRow {
  int64_t m = 0;
  Config config;
  double time_us = 0;
};

/// `header` with the ranges that follow from the winners: a winner covers the rows from the
/// previous tuned m (not included) up to its own, the first one from 1; neighbours with equal
/// configs become one range. The rows are in any order, with distinct positive m.
PlanTable make_table(PlanTable header, std::span<const TunedRow> rows);

}  // namespace tilewright
