#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "app/cli/fuse_graph.h"
#include "app/tui/kernel_request.h"
#include "tuner/fusion/fusion_plan.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

/// What is to be planned, and by whom.
struct FusionRequest {
  FuseSource source;
  double launch_us = 0;
  bool fuses_gemms = false;
  std::vector<std::string> planners;
  MachineRef machine;

  /// Whether plans of the one are plans of the other: all but the planners.
  bool is_of_one_graph(const FusionRequest& other) const {
    return source == other.source && launch_us == other.launch_us &&
           fuses_gemms == other.fuses_gemms && machine == other.machine;
  }
};

/// Something that is asked of a plan.
struct FusionAsk {
  enum class Kind : uint8_t {
    kMerge,
    kSplit,     ///< before the first of `ops`
    kSimulate,  ///< the kernel of `a`, or where that is none all that have an estimate alone
    kExplain
  };
  Kind kind = Kind::kMerge;
  size_t region = 0;
  PlanUnit a = {};
  PlanUnit b = {};
  OpPair ops = {};
};

}  // namespace tilewright
