#pragma once

#include <cstdint>
#include <string>

namespace tilewright {

/// What somebody who watches a serving run wants of it.
struct ServeCommand {
  enum class Kind : uint8_t { kPause, kResume, kStep, kPace, kEnd };
  Kind kind = Kind::kPause;
  int64_t steps = 1;  ///< kStep
  double pace = 0;    ///< kPace: simulated seconds a second; 0: as fast as possible
};

/// How fast a serving run goes on: given what was wanted of it, how long it has to wait behind a
/// step. Times are handed in, so that it needs no clock.
class ServePace {
 public:
  ServePace(double pace, bool is_paused) : pace_(pace), is_paused_(is_paused) {}

  void take(const ServeCommand& command, int64_t steps, int64_t now_ns, double wall);

  /// Seconds to wait before the run may go on that has made so many steps and stands at `now_ns`;
  /// kForever: until a command comes. 0: it may go on.
  static constexpr double kForever = 3600;
  double wait(int64_t steps, int64_t now_ns, double wall);

  /// Steps that may be made before the next look: one at a time when it is slowed down.
  int64_t most_repeated() const;

  bool is_paused() const { return is_paused_; }
  bool has_ended() const { return has_ended_; }
  double pace() const { return pace_; }

 private:
  /// Simulated and real time from which the pace counts.
  void anchor(int64_t now_ns, double wall);

  double pace_;
  bool is_paused_;
  bool has_ended_ = false;
  int64_t stop_behind_ = -1;  ///< steps; -1: no end of a stretch
  bool is_anchored_ = false;
  int64_t from_ns_ = 0;
  double from_wall_ = 0;
};

/// The next faster (1) or slower (-1) pace of the list 0.1, 0.2, 0.5, 1, ... 100, as fast as
/// possible.
double next_pace(double pace, int direction);

/// "2x real time", "as fast as possible".
std::string pace_text(double pace);

}  // namespace tilewright
