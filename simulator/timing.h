#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "core/timeline/breakdown.h"
#include "core/timeline/timeline.h"
#include "simulator/launch.h"
#include "simulator/memory.h"

namespace tilewright {

/// Changes whenever the timing of some launch changes: part of the key of every measurement.
constexpr int kTimingRevision = 3;

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
  int64_t chips = 1;
  int64_t merged_iterations = 1;  ///< at most so many ran as one (composed timing)
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

/// How closely a launch is timed.
enum class Fidelity : uint8_t {
  kAuto,      ///< composed where it holds and pays, else detailed
  kDetailed,  ///< every instruction of every core
  kComposed,  ///< work merged that need not be told apart (simulator/composed.h)
};
std::string_view name_of(Fidelity fidelity);
/// Error (usage) suggests the nearest name.
Fidelity parse_fidelity(std::string_view name);

/// What kAuto means for a launch: composed for long launches that can be composed.
Fidelity resolve(Fidelity fidelity, const Launch& launch, const Machine& machine);

/// Whether a launch can be composed: only cube cores, each for itself, can.
bool can_be_composed(const Launch& launch);

/// Composed timing: within 15 % of detailed (half of the cases within 2 %), and several times
/// faster. Loads whose latencies hide each other are timed in detail all the same.
/// Error (failed) when the launch cannot be composed.
TimingResult time_composed(const Launch& launch, const Machine& machine);

/// Detailed or composed timing, as resolve() says.
TimingResult time_launch(const Launch& launch, const Machine& machine, Fidelity fidelity);

/// Counters by profiler name (aic_cube_ratio, ...), in a fixed order; docs/formats.md lists them.
std::vector<std::pair<std::string, double>> profiler_counters(const TimingResult& result,
                                                              const Machine& machine);

}  // namespace tilewright
