#pragma once

#include <cstdint>
#include <string>

#include "tuner/fusion/fusion_study.h"

namespace tilewright {

/// Why two ops are in one kernel of a plan, or are not.
struct FusionExplanation {
  size_t region = 0;
  OpPair ops = {};
  bool is_fused = false;
  std::string reason = {};       ///< the rule, or the difference that decided
  std::string kernel_of_a = {};  ///< the result that names its kernel; empty where there is none
  std::string kernel_of_b = {};
  /// What is at stake: bytes of memory that one kernel moves less than two, and us that it takes
  /// less (below 0: more); 0 where they cannot be one.
  int64_t saved_bytes = 0;
  double saved_us = 0;
};

/// Two ops of one region, by name. Error (not found) when there is no such op, or no region that
/// has both.
struct NamedPair {
  size_t region = 0;
  OpPair ops = {};
};
NamedPair find_pair(const FusionStudy& study, const std::string& a, const std::string& b);

/// "A and B are fused: REASON".
std::string text_of(const FusionGraph& graph, const FusionExplanation& why);

FusionExplanation explain(FusionStudy& study, const GraphPlan& plan, const NamedPair& pair);

}  // namespace tilewright
