#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"
#include "simulator/timing.h"

namespace tilewright {

/// What a core works with, as the component roofline of the Ascend architecture sees it ("Squeezing
/// Operator Performance Potential for the Ascend Architecture", ASPLOS 2025), with the fixpipe
/// beside the three transfer engines.
enum class Component : uint8_t { kCube, kVector, kScalar, kMteGm, kMteL1, kMteUb, kFixp };
constexpr int kComponentCount = 7;
/// "Cube", "Vector", "Scalar", "MTE-GM", "MTE-L1", "MTE-UB", "FIXP".
std::string_view name_of(Component component);

/// Work of a launch on one precision or path of a component, all cores together.
struct ComponentWork {
  Component component = Component::kCube;
  CoreKind kind = CoreKind::kAic;
  std::string path;   ///< "f16", "L1 to L0A", ...
  double amount = 0;  ///< operations, bytes, or instructions of the scalar unit
  /// Core ticks that it takes at the path's own peak rate. Sums over paths weigh their peaks by the
  /// harmonic mean.
  double ideal_ticks = 0;
};

/// What a launch has to do: every instruction of every task by its real sizes, without padding.
/// Peaks: the cube at fractal rate, vector instructions at their slope, transfers at the rate of
/// their own port.
std::vector<ComponentWork> work_of(const Launch& launch, const Machine& machine);

/// U = E x R of one component. E is that of the cores that worked; R is the mean over all cores
/// that the machine has of the kinds with work for it, or over those that worked where memory that
/// all share is used to more than kBoundUse.
struct ComponentUse {
  Component component = Component::kCube;
  double efficiency = 0;    ///< E: achieved rate while active / peak rate
  double active_ratio = 0;  ///< R: active time / whole time
  double utilisation() const { return efficiency * active_ratio; }
};

enum class Verdict : uint8_t {
  kComputeBound,             ///< a computing component is used to more than kBoundUse
  kMemoryBound,              ///< a transferring one is
  kInsufficientParallelism,  ///< none, and none is active for more than kActiveEnough
  kInefficientTransfer,      ///< none, but a transferring one is active all the time
  kInefficientCompute,       ///< none, but a computing one is
};
/// "compute_bound", "memory_bound", "insufficient_parallelism", "inefficient_transfer",
/// "inefficient_compute".
std::string_view name_of(Verdict verdict);

/// Above this utilisation a component bounds the kernel: the rule of the Ascend profiler's
/// roofline.
constexpr double kBoundUse = 0.8;
/// Below this the busiest component leaves time unused: the profiler calls a kernel bound by
/// latency where no pipe is busy for longer.
constexpr double kActiveEnough = 0.8;

struct Roofline {
  std::vector<ComponentUse> components;  ///< those with work, in the order of the enumeration
  Verdict verdict = Verdict::kInsufficientParallelism;
  std::string reason;  ///< the numbers that decided, in words
};

/// The verdict of the launch that `result` timed and whose work is `work`. The peak of MTE-GM is
/// the least of its ports, the L2's reads and the HBM; that of the two writers the least of their
/// ports and the L2's writes.
Roofline component_roofline(const TimingResult& result, const std::vector<ComponentWork>& work,
                            const Machine& machine);

}  // namespace tilewright
