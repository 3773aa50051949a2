#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "core/plan/plan.h"
#include "core/space/problem.h"
#include "kernels/executor/lowering.h"
#include "kernels/executor/op_memo.h"
#include "kernels/gemm/row_table.h"
#include "kernels/kernel.h"

namespace tilewright {

/// The problem of kernel `gemm` that a GEMM op of a model is: the model's type, or i8 with scales
/// of tokens and columns where the op is quantised; weights in the fractal format, rows rounded up
/// to kRowMultiple.
Problem gemm_problem(const ModelConfig& model, const ModelOp& op);

/// How ops become launches.
struct OpLowering {
  Parallel parallel = {};
  Lowering lowering = Lowering::kXyserve;
  const Plan* plan = nullptr;  ///< configs of GEMMs; null: untuned defaults. Must outlive its user.
  int64_t expert_skew = 0;     ///< rows of routed experts: shares 1 / rank^(skew / 100)
};

/// The kernel launch that an op is.
struct OpLaunch {
  Problem problem;
  Config config;
  bool is_tuned = false;  ///< by the plan
};

/// Times of all ops of a step but attention, each a launch of its kernel.
///
/// GEMMs of up to 128 rows are simulated for the rows that they have. Above, their time is a stair
/// with a step at each row of tiles and almost level between, so that it is simulated on the first
/// and on the last cube granule of a step. What streams rows through (vector ops,
/// collectives) takes nearly a fixed time for each row, so it is simulated for a few numbers of
/// rows (row_nodes(); of collectives powers of two), and lies on straight lines between them.
class OpTimes {
 public:
  /// Error (infeasible) when the plan holds a config that is not legal on the machine.
  OpTimes(const ModelConfig& model, const Machine& machine, const OpLowering& lowering,
          OpMemo& memo);

  /// ns of one execution.
  int64_t ns(const ModelOp& op) const;
  /// The same, simulated at the op's very rows.
  int64_t simulated_ns(const ModelOp& op) const;
  /// What is launched for the op: GEMMs in whole cube granules, vector ops of at least one.
  OpLaunch launch_of(const ModelOp& op) const;
  /// ns of a launch of `gather` that moves `rows` rows of `columns` elements.
  int64_t move_ns(int64_t rows, int64_t columns) const;

 private:
  void index_plan();
  void check_plan() const;
  int64_t gemm_ns(const ModelOp& op) const;
  int64_t gemm_on_stair(const ModelOp& op, const Config& config) const;
  bool is_tuned(const Problem& problem) const;
  /// The op's kernel and problem for so many rows.
  Problem problem_of(const ModelOp& op, int64_t rows) const;
  Config config_of(const Problem& problem) const;
  struct GemmTable {
    RowTable rows;
    int64_t most_rows = 0;  ///< that were tuned
  };
  Config tuned_config(const GemmTable& table, const Problem& problem) const;

  const ModelConfig& model_;
  const Machine& machine_;
  OpLowering lowering_;
  OpMemo& memo_;
  std::string fingerprint_;
  /// The plan's tables, by type, n, k and epilogue.
  std::map<std::tuple<DType, int64_t, int64_t, std::string>, GemmTable> gemm_tables_;
};

/// The largest number of rows up to `rows` (> 0) at which streams are simulated, and the smallest
/// above it: multiples of kRowMultiple up to 64, from there two for each doubling.
struct RowNodes {
  int64_t below = 0;
  int64_t above = 0;
};
RowNodes row_nodes(int64_t rows);

}  // namespace tilewright
