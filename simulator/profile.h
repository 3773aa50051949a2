#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/timeline/timeline.h"
#include "simulator/launch.h"
#include "simulator/timing.h"

namespace tilewright {

/// An instruction of the program with all its runs. Ticks are sums over the cores.
struct OpProfile {
  std::string name;  ///< "tile[body 0] load"
  CoreKind kind = CoreKind::kAic;
  Pipe pipe = Pipe::kScalar;
  int64_t count = 0;
  int64_t ticks = 0;
  int64_t bytes = 0;
  int64_t flops = 0;
};

/// A pipe of all cores of a kind. Ticks are sums over those cores; they add up to the launch's time
/// after launch and dispatch, once for each core.
struct PipeProfile {
  CoreKind kind = CoreKind::kAic;
  Pipe pipe = Pipe::kScalar;
  int64_t cores = 0;  ///< that ran something, on whatever pipe
  int64_t busy_ticks = 0;
  int64_t wait_ticks = 0;  ///< before and between instructions
  int64_t idle_ticks = 0;  ///< after the last one
};

/// Why a pipe did not work, or not at full speed. Ticks are sums over the cores.
struct WaitProfile {
  CoreKind kind = CoreKind::kAic;
  Pipe pipe = Pipe::kScalar;
  /// "flag full of MTE2", "issue": what the start of its next instruction waited for last. "hbm",
  /// "l2", "conflict", "link": what slowed its instructions down.
  std::string on;
  int64_t count = 0;
  int64_t ticks = 0;
};

/// Where the time of a launch went, by instruction, pipe and reason.
struct LaunchProfile {
  TimingResult timing;
  std::vector<OpProfile> ops;      ///< those that ran, in the order of the program
  std::vector<PipeProfile> pipes;  ///< those that ran, by kind and pipe
  std::vector<WaitProfile> waits;  ///< longest first
};

/// Adds events up while they end: memory does not grow with their number.
class ProfileSink : public TimelineSink {
 public:
  /// The launch must outlive the sink.
  explicit ProfileSink(const Launch& launch) : launch_(launch) {}

  void begin(const TimelineLanes& lanes) override;
  void add(const TimelineEvent& event) override;
  void finish() override {}

  LaunchProfile profile(const TimingResult& timing) const;

 private:
  struct Sum {
    int64_t count = 0;
    int64_t ticks = 0;
    void add(int64_t more) {
      if (more <= 0) return;
      ++count;
      ticks += more;
    }
  };
  /// Sums by reason to wait, of one pipe of one kind of core: flags, then the five others.
  using Sums = std::vector<Sum>;
  /// A pipe of one core.
  struct Lane {
    int64_t free_at = -1;  ///< -1: nothing ran yet
    int64_t first_start = 0;
    size_t first_reason = 0;
  };

  size_t lane_of(int core, Pipe pipe) const {
    return static_cast<size_t>(core) * kPipeCount + static_cast<size_t>(pipe);
  }
  size_t sums_of(int core, Pipe pipe) const {
    const CoreKind kind = launch_.cores[static_cast<size_t>(core)].kind;
    return static_cast<size_t>(kind) * kPipeCount + static_cast<size_t>(pipe);
  }
  std::string name_of_wait(size_t reason) const;
  void add_pipes(LaunchProfile& profile, int64_t launch_ticks) const;
  void add_waits(LaunchProfile& profile, int64_t launch_ticks) const;

  const Launch& launch_;
  std::vector<OpProfile> ops_;  ///< by TimelineEvent::name
  std::vector<Sums> waits_;     ///< by kind and pipe
  std::vector<Lane> lanes_;
};

/// Times a launch in detail and adds its events up; `beside` takes them too.
LaunchProfile profile_launch(const Launch& launch, const Machine& machine,
                             TimelineSink* beside = nullptr);

}  // namespace tilewright
