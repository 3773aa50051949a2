#pragma once

#include <functional>
#include <string_view>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "core/timeline/breakdown.h"
#include "simulator/launch.h"
#include "simulator/profile.h"
#include "simulator/roofline.h"

namespace tilewright {

/// A launch that was timed in detail, with all that led to it.
struct MeasuredLaunch {
  const Problem& problem;
  const Config& config;
  const Machine& machine;
  const Launch& launch;
  const LaunchProfile& profile;
  const Roofline& roofline;
};

/// The numbers of a measured launch that rules ask for. Shares are of its whole time.
class Evidence : public MeasuredLaunch {
 public:
  explicit Evidence(const MeasuredLaunch& measured) : MeasuredLaunch(measured) {}

  double us() const { return machine.us_of_ticks(profile.timing.ticks); }

  /// Of the critical path, and of the mean core's working pipe.
  double path(Cause cause) const { return share(profile.timing.critical_path, cause); }
  double engine(Cause cause) const { return share(profile.timing.engine, cause); }

  /// Whether instructions of the pipe ran.
  bool uses(Pipe pipe) const;
  double busy(Pipe pipe) const;
  /// Mean share that cores with the pipe wait for a flag on it: one that says that bytes are there
  /// or one that says that a buffer is free again.
  double waits_for_data(Pipe pipe) const;
  double waits_for_space(Pipe pipe, Memory space) const;
  /// Mean share that its instructions took longer for "hbm", "l2", "conflict", or that it waited
  /// for "issue".
  double loses(Pipe pipe, std::string_view reason) const;

  /// Sums over the instructions of an opcode.
  struct Ops {
    double count = 0;
    double bytes = 0;
    double flops = 0;
    double cycles = 0;
    double cycles_each() const { return count > 0 ? cycles / count : 0; }
    double bytes_each() const { return count > 0 ? bytes / count : 0; }
  };
  Ops ops(Pipe pipe) const;

  /// Cores of a kind that ran something, and that the machine has.
  int64_t working(CoreKind kind) const;
  int64_t available(CoreKind kind) const;
  /// The kind that does the op's work.
  CoreKind kind() const { return uses(Pipe::kCube) ? CoreKind::kAic : CoreKind::kAiv; }
  /// Share of the time that the mean core of that kind which works has ended while the last still
  /// runs.
  double imbalance() const;

 private:
  double share(const Breakdown& breakdown, Cause cause) const;
  double waits(Pipe pipe, const std::function<bool(std::string_view)>& reason) const;
  double waits_for_flags(Pipe pipe, FlagMeaning meaning, Memory space) const;
};

}  // namespace tilewright
