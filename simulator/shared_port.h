#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tilewright {

/// Bandwidth shared by concurrent flows (processor sharing): n active flows each get
/// min(their class's cap, total / n) bytes a cycle. A class has one virtual clock, the bytes that a
/// flow active since ever would have got, so that a change costs the number of classes and not the
/// number of flows; flows of a class end in the order of clock-at-start + bytes.
///
/// All arithmetic is in whole numbers: time in ticks, rates in 1/1024 byte a cycle, clocks in 2^-20
/// byte.
class SharedPort {
 public:
  static constexpr int64_t kNever = INT64_MAX;

  /// Rates in bytes a cycle; `caps` has one entry a class.
  SharedPort(double total, const std::vector<double>& caps);

  /// A flow of `bytes` >= 0 starts at `now`; `id` names it when it ends.
  void start(int flow_class, int64_t bytes, int32_t id, int64_t now);

  /// When the next flow ends, kNever without one.
  int64_t next_end() const {
    if (stale_) find_next();
    return next_end_;
  }

  /// Ends that flow, at next_end(), and returns its id.
  int32_t finish_next();

  /// Ticks that a flow alone needs.
  int64_t alone(int flow_class, int64_t bytes) const;

  /// Whether the flows that have ended brought no more than the total rate until now allows.
  bool kept_to_rate() const;

 private:
  struct Flow {
    int64_t end_clock = 0;
    int64_t bytes = 0;
    int32_t id = 0;
  };
  struct Class {
    int64_t cap = 0;          // 1/1024 B a cycle
    int64_t clock = 0;        // 2^-20 B
    size_t first = 0;         // of the flows that have not ended
    std::vector<Flow> flows;  // earliest end first; equal ends in the order they came
    bool idle() const { return first == flows.size(); }
  };

  int64_t rate(const Class& c) const { return c.cap < share_ ? c.cap : share_; }
  void advance(int64_t now);
  void count_flow(int change);
  void find_next() const;

  int64_t total_ = 0;
  std::vector<Class> classes_;
  int64_t active_ = 0;
  int64_t share_ = 0;  // of one flow, before its class's cap
  int64_t now_ = 0;
  int64_t served_ = 0;       // bytes of ended flows
  int64_t most_active_ = 0;  // each gets at least one unit of rate
  mutable bool stale_ = false;
  mutable int64_t next_end_ = kNever;
  mutable size_t next_class_ = 0;
};

}  // namespace tilewright
