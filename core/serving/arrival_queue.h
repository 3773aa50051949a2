#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "core/workload/workload.h"

namespace tilewright {

/// A request that arrives, and when.
struct Arrival {
  int64_t request = 0;
  int64_t at_ns = 0;
};

/// When the requests of a workload arrive: at their own time (open loop), when one of
/// Workload::concurrency places is free (closed loop), and those of a session so long after the one
/// before has ended. The workload must outlive this.
class ArrivalQueue {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  /// Error (usage) when a request follows one that is not before it, or a time is negative.
  explicit ArrivalQueue(const Workload& workload);

  /// When the next one arrives, as far as is known now; kNever when none is known.
  int64_t next_ns() const;

  /// The next one, if it has arrived by `now_ns`.
  std::optional<Arrival> take(int64_t now_ns);

  /// A request that was taken has ended.
  void end(int64_t request, int64_t now_ns);

 private:
  using Time = std::pair<int64_t, int64_t>;  // ns, request
  template <typename T>
  using Earliest = std::priority_queue<T, std::vector<T>, std::greater<T>>;

  const Workload& workload_;
  Earliest<Time> ready_;  // whose time is known
  bool is_closed_;
  Earliest<int64_t> places_;  // closed loop: since when each free one is
  /// Followers of each request: followers_[first_follower_[i]] to before the next request's.
  std::vector<int64_t> followers_;
  std::vector<size_t> first_follower_;
};

}  // namespace tilewright
