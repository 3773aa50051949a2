#pragma once

#include <cstdint>
#include <vector>

#include "core/model/ops.h"
#include "core/serving/executor.h"
#include "kernels/executor/host_timeline.h"
#include "kernels/executor/op_times.h"

namespace tilewright {

/// A stage's part of a step, priced but for its attention.
struct StagePrice {
  std::vector<HostedOps> ops;
  std::vector<OpTime> times;    ///< by op, with 0 for attention
  int64_t attention_calls = 0;  ///< layers of the stage
};

/// How a stage is priced.
struct PriceRequest {
  bool exact = false;  ///< every op simulated at its very rows
  /// ns of the host for each op of the layers, and of the ops behind them (a captured graph ends
  /// before the logits).
  int64_t op_ns = 0;
  int64_t last_op_ns = 0;
  /// Parts that an all-reduce and the GEMM before it are cut into by rows, as the fused kernel of
  /// Ascend does (mm_all_reduce): part i is reduced while the cube computes part i + 1,
  ///
  ///   g + (parts - 1) max(g, r) + r   with g and r of a part's rows
  ///
  /// 1: one after the other.
  int64_t all_reduce_parts = 1;
};

StagePrice price_stage(const std::vector<OpSection>& sections, const OpTimes& times,
                       const PriceRequest& request);

/// Adds to the time of an op by name, behind the others where it is new.
void add_time(std::vector<OpTime>& ops, const OpTime& time);

}  // namespace tilewright
