#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/timeline/lanes.h"

namespace tilewright {

/// What an event's start waited for last: why it did not start earlier.
enum class StartReason : uint8_t {
  kLaunch,  ///< nothing before it: the core began
  kPipe,    ///< the event before it on its pipe
  kIssue,   ///< the scalar unit's issue (the predecessor, if any, made room in a full queue)
  kFlag,    ///< a flag that the predecessor set
};
std::string_view name_of(StartReason reason);

/// Why nothing ran on a lane for a while.
enum class IdleCause : uint8_t {
  kLaunch,  ///< no instruction of the launch had started yet
  kFlag,    ///< its next instruction waited for a flag
  kIssue,   ///< its next instruction was not issued yet
  kDone,    ///< nothing left to run on it
};
std::string_view name_of(IdleCause cause);

/// What the gap on a lane before an event goes to: whatever the event's start waited for last.
constexpr IdleCause idle_cause(StartReason reason) {
  return reason == StartReason::kFlag ? IdleCause::kFlag : IdleCause::kIssue;
}

/// One instruction that ran: a span on the lane (core, pipe). Times in ticks from the launch's
/// start.
struct TimelineEvent {
  int64_t id = 0;  ///< in the order in which instructions started to be simulated
  int64_t start = 0;
  int64_t end = 0;
  int32_t core = 0;
  Pipe pipe = Pipe::kScalar;
  StartReason reason = StartReason::kLaunch;
  int32_t flag = -1;           ///< into TimelineLanes::flags, of reason kFlag
  int64_t predecessor = -1;    ///< id of the event that its start waited for last, -1 for none
  int32_t name = 0;            ///< into TimelineLanes::names
  int32_t task = 0;            ///< number of the task in its core's list
  int32_t iteration = 0;       ///< of the body
  int64_t bytes = 0;           ///< moved, 0 for compute
  int64_t flops = 0;           ///< done, 0 for transfers
  int64_t l2_ticks = 0;        ///< of its duration: waiting for its share of the L2 port
  int64_t hbm_ticks = 0;       ///< waiting for HBM
  int64_t conflict_ticks = 0;  ///< bank or address conflicts
  int64_t link_ticks = 0;      ///< on the links to another chip
};

/// The names that events refer to.
struct TimelineLanes {
  std::vector<std::string> cores;  ///< "AIC 0", "AIV 1", ...
  std::vector<std::string> names;  ///< of instructions
  std::vector<std::string> flags;
  double ticks_per_us = 1;
};

/// Takes the events of a launch as they end. Events of one lane come in the order of time.
class TimelineSink {
 public:
  virtual ~TimelineSink() = default;
  virtual void begin(const TimelineLanes& lanes) = 0;
  virtual void add(const TimelineEvent& event) = 0;
  virtual void finish() = 0;
};

/// Passes everything on to two others.
class TeeSink : public TimelineSink {
 public:
  TeeSink(TimelineSink& first, TimelineSink& second) : first_(first), second_(second) {}

  void begin(const TimelineLanes& lanes) override {
    first_.begin(lanes);
    second_.begin(lanes);
  }
  void add(const TimelineEvent& event) override {
    first_.add(event);
    second_.add(event);
  }
  void finish() override {
    first_.finish();
    second_.finish();
  }

 private:
  TimelineSink& first_;
  TimelineSink& second_;
};

/// All events of a launch, in the order of (end, core, pipe).
class Timeline : public TimelineSink {
 public:
  TimelineLanes lanes;
  std::vector<TimelineEvent> events;

  void begin(const TimelineLanes& names) override { lanes = names; }
  void add(const TimelineEvent& event) override { events.push_back(event); }
  void finish() override;
};

}  // namespace tilewright
