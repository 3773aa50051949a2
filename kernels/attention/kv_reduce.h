#pragma once

#include "kernels/vector/ub_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// Merges the results of parts of a row's keys. Part p gives the largest score m_p of a row, the
/// sum s_p of exp(score - m_p), and O_p, the values weighted by exp(score - m_p). Parts are taken
/// in their order, with the running m, s and O rescaled as in an online softmax; the row is O / s.
///
/// Each task merges `rows` rows of `dim` columns; part p of a task begins p * part_rows rows behind
/// its first one. A part none of whose keys is visible has s_p = 0.
struct KvReduction {
  int64_t rows = 0;
  int64_t part_rows = 0;
  int64_t dim = 0;
  DType out_type = DType::kBF16;
  int partial = -1, maxima = -1, sums = -1;  ///< tensors: O_p, and one column of each of m_p, s_p
  int out = -1;                              ///< tensor of the results
  int parts_done = -1;                       ///< flag: all parts of all tasks are in the tensors
};

/// Bindings of a task.
enum KvReductionBinding {
  kMergeOut,     ///< first row of the result
  kMergeFirst,   ///< first row of part 0
  kMergeParts,   ///< how many parts, > 0
  kMergeBefore,  ///< parts that the core has merged before
  kMergeBindings
};

/// The reduction's part of UB.
struct KvReductionUb {
  KvReductionUb() = default;
  KvReductionUb(const KvReduction& reduction, const Machine& machine, UbPlan& plan);

  int64_t partial = 0, partial_slot = 0;
  int64_t part_maximum = 0, part_sum = 0, column_slot = 0;  // rings of two
  int64_t sum = 0, out = 0;
  int64_t maximum = 0, row_sum = 0, larger = 0, factor = 0, part_factor = 0;
};

/// Flags of a vector core that merges.
struct KvReductionFlags {
  explicit KvReductionFlags(Launch& launch);
  int full = -1, free = -1, out_full = -1, out_free = -1;
};

/// The template of a task. The `first` one of a core waits until all parts are done.
Template kv_reduction(const KvReduction& reduction, const KvReductionUb& ub,
                      const KvReductionFlags& flags, bool first);

/// Lowest score: what stands for minus infinity where a difference of two must stay a number.
constexpr double kLowestScore = -1e30;

}  // namespace tilewright
