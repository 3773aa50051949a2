#pragma once

#include <cstdint>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"

namespace tilewright {

/// What a launch asks of L2 and HBM, worked out without simulating: cores are taken to do their
/// tasks in step, the i-th of each at one time.
struct LaunchTraffic {
  /// By core and task: bit l says that the l-th load of the task's template has to wait for HBM,
  /// since nobody loaded those bytes in a step before or L2 has dropped them since. Loads beyond 64
  /// have no bit.
  std::vector<std::vector<uint64_t>> misses;
  /// By template and load: cores that load the same bytes in a step, on average.
  std::vector<std::vector<double>> sharers;
  double hbm_bytes = 0;  ///< read from HBM
};

/// O(tasks x loads of a template).
LaunchTraffic traffic_of(const Launch& launch, const Machine& machine);

}  // namespace tilewright
