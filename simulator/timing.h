#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "core/timeline/breakdown.h"
#include "core/timeline/timeline.h"
#include "simulator/launch.h"
#include "simulator/memory.h"

namespace tilewright {

/// Changes whenever the timing of some launch changes: part of the key of every measurement.
constexpr int kTimingRevision = 2;

/// Instructions and busy time of one core, by pipe.
struct CoreCounters {
  CoreKind kind = CoreKind::kAic;
  std::array<int64_t, kPipeCount> busy_ticks{};
  std::array<int64_t, kPipeCount> wait_ticks{};  ///< before and between its instructions
  std::array<int64_t, kPipeCount> instructions{};
  int64_t end_ticks = 0;    ///< end of its last instruction
  int64_t load_bytes = 0;   ///< MTE2
  int64_t store_bytes = 0;  ///< FIXP and MTE3
  int64_t flops = 0;        ///< by mmad and vector instructions, real rows and columns only
};

/// What the timing of a launch found. `ticks` includes launch and dispatch.
struct TimingResult {
  int64_t ticks = 0;
  std::vector<CoreCounters> cores;
  MemoryCounters memory;
  Breakdown critical_path;  ///< sums to ticks
  Breakdown engine;         ///< mean over the working cores; sums to ticks (within rounding)
};

/// Detailed timing: every instruction of every core through in-order pipes, flags and the shared
/// memory. Deterministic. `sink` gets every instruction as an event.
/// Error (failed) names core, instruction and flag when the launch deadlocks.
TimingResult time_detailed(const Launch& launch, const Machine& machine,
                           TimelineSink* sink = nullptr);

/// Counters by profiler name (aic_cube_ratio, ...), in a fixed order; docs/formats.md lists them.
std::vector<std::pair<std::string, double>> profiler_counters(const TimingResult& result,
                                                              const Machine& machine);

}  // namespace tilewright
