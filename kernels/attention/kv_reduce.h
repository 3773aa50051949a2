#pragma once

#include "kernels/vector/ub_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// Merges the results of parts of a row's keys. Part p gives O_p, the values weighted by
/// exp(score - m_p), where m_p is the largest score of the row, and the sum s_p of these weights.
/// Parts are taken in their order, with the running m, s and O rescaled as in an online softmax;
/// the row is O / s. A part none of whose keys is visible has m_p = kLowestScore and s_p = 0.
///
/// A row of the partial results holds `dim` columns of O, then kStatColumns / 2 times m_p and as
/// often s_p, so that one load brings all of it. Each task merges `rows` rows; part p of a task
/// begins p * part_rows rows behind its first one.
struct KvReduction {
  int64_t rows = 0;
  int64_t part_rows = 0;  ///< where it is `rows`, short parts are loaded together
  int64_t dim = 0;
  DType out_type = DType::kBF16;
  int partial = -1;     ///< tensor, f32
  int out = -1;         ///< tensor of the results
  int parts_done = -1;  ///< flag: all parts of all tasks are in the tensor

  static constexpr int64_t kStatColumns = 16;
  int64_t columns() const { return dim + kStatColumns; }
  /// Parts that one load brings: enough rows for a burst that is requested ahead.
  int64_t parts_a_load(const Machine& machine) const;
};

/// Bindings of a task.
enum KvReductionBinding {
  kMergeOut,     ///< first row of the result
  kMergeFirst,   ///< first row of part 0
  kMergeLoads,   ///< loads of as many parts as a load brings
  kMergeBefore,  ///< loads that the core has done before
  kMergeBindings
};

/// The reduction's part of UB.
struct KvReductionUb {
  KvReductionUb() = default;
  KvReductionUb(const KvReduction& reduction, const Machine& machine, UbPlan& plan);

  int64_t parts_a_load = 1;
  int64_t partial = 0, partial_slot = 0;  // a ring of two
  int64_t sum = 0, out = 0;
  int64_t maximum = 0, row_sum = 0, larger = 0, factor = 0, part_factor = 0;
};

/// Flags of a vector core that merges.
struct KvReductionFlags {
  explicit KvReductionFlags(Launch& launch);
  int full = -1, free = -1, out_full = -1, out_free = -1;
};

/// What templates of tasks differ in.
struct KvReductionVariant {
  bool whole = true;  ///< kMergeLoads > 0
  int64_t rest = 0;   ///< parts behind the whole loads, less than a load
  bool first = true;  ///< task of a core: waits until all parts are done

  friend auto operator<=>(const KvReductionVariant&, const KvReductionVariant&) = default;
};

Template kv_reduction(const KvReduction& reduction, const KvReductionUb& ub,
                      const KvReductionFlags& flags, const KvReductionVariant& variant);

/// Lowest score: what stands for minus infinity where a difference of two must stay a number.
constexpr double kLowestScore = -1e30;

}  // namespace tilewright
