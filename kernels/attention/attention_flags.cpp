#include "kernels/attention/attention_flags.h"

#include <string>

namespace tilewright {

AttentionFlags::AttentionFlags(Launch& launch, const AttentionPlan& plan) {
  const auto local = [&](const std::string& name, Memory space, int64_t slots) {
    const auto add = [&](const char* suffix, FlagMeaning meaning, int64_t initial) {
      return launch.add_flag(
          {name + suffix, FlagScope::kCore, meaning, space, static_cast<int>(initial), 1});
    };
    return FlagPair{add("_full", FlagMeaning::kData, 0), add("_free", FlagMeaning::kSpace, slots)};
  };
  const auto between = [&](const std::string& name, int half, int64_t slots) {
    const auto add = [&](const char* suffix, FlagMeaning meaning, int64_t initial) {
      return launch.add_flag({name + suffix + std::to_string(half), FlagScope::kGroup, meaning,
                              Memory::kGm, static_cast<int>(initial), 1});
    };
    return FlagPair{add("_ready_", FlagMeaning::kData, 0),
                    add("_free_", FlagMeaning::kSpace, slots)};
  };
  const bool whole_rows = plan.pipeline == 3;
  q = local("q", Memory::kL1, plan.q_slots);
  k = local("k", Memory::kL1, plan.k_slots);
  if (!plan.latent) v = local("v", Memory::kL1, plan.v_slots);
  p = local("p", Memory::kL1, plan.p_slots);
  l0 = local("l0", Memory::kL0A, 2);
  l0c = local("l0c", Memory::kL0C, 2);
  if (whole_rows) sum = local("sum", Memory::kL0C, 1);
  ub_scores = local("ub_scores", Memory::kUb, 2);
  ub_probabilities = local("ub_probabilities", Memory::kUb, 2);
  ub_partial = local("ub_partial", Memory::kUb, plan.ub.partial_slots);
  ub_out = local("ub_out", Memory::kUb, 1);
  if (plan.ub.mask > 0) ub_mask = local("ub_mask", Memory::kUb, 1);
  for (int half = 0; half < plan.halves; ++half) {
    const auto at = static_cast<size_t>(half);
    scores[at] = between("scores", half, plan.fifo);
    probabilities[at] = between("probabilities", half, plan.fifo);
    partial[at] = between("partial", half, whole_rows ? 2 : plan.fifo);
    if (whole_rows) rows[at] = between("rows", half, 2);
  }
}

}  // namespace tilewright
