#pragma once

#include <array>

#include "kernels/attention/attention_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// Numbers of an attention launch's tensors; -1: it has none.
struct AttentionTensors {
  int q = -1, k = -1, v = -1, scores = -1, probabilities = -1, partial = -1, out = -1, mask = -1,
      parts = -1;
};

/// A buffer slot or ring: data are there, room is there.
struct FlagPair {
  int full = -1;
  int free = -1;
};

/// Flags between the pipes of a core, and between a cube core and its vector cores (one for each of
/// those that share a tile).
struct AttentionFlags {
  explicit AttentionFlags(Launch& launch, const AttentionPlan& plan);

  // Cube core: rings of L1, and those of two slots of L0A with L0B and of L0C; the sum of 3 stages.
  FlagPair q, k, v, p, l0, l0c, sum;
  // Vector core: rings of UB.
  FlagPair ub_scores, ub_probabilities, ub_partial, ub_out, ub_mask;
  // Between them: slots of the workspaces. `rows` (3 stages): the scores of a whole task.
  std::array<FlagPair, 2> scores, probabilities, partial, rows;
  int parts_done = -1;  ///< of all vector cores: results of parts of keys are stored
};

}  // namespace tilewright
