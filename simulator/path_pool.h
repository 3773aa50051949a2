#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/timeline/breakdown.h"

namespace tilewright {

/// Critical paths to moments of a simulation: how the time until then splits by cause. Moments
/// share nodes by reference count, so that memory follows what is still of interest, not the number
/// of events. Invariant: a node's ticks sum to its time.
class PathPool {
 public:
  /// A moment: the node's path, plus whatever is missing to `time` under `cause`.
  struct Stamp {
    int64_t time = 0;
    int32_t node = 0;
    Cause cause = Cause::issue();
  };

  /// Node 0 is the start of the launch, after `launch_ticks` of cause launch. It lives for ever.
  explicit PathPool(int64_t launch_ticks) {
    nodes_.emplace_back();
    nodes_[0].ticks[Cause::launch().id()] = launch_ticks;
    nodes_[0].time = launch_ticks;
    nodes_[0].references = kImmortal;
  }

  int64_t time_of(int32_t node) const { return nodes_[static_cast<size_t>(node)].time; }
  const std::array<int64_t, Cause::kOnPath>& ticks_of(int32_t node) const {
    return nodes_[static_cast<size_t>(node)].ticks;
  }

  void hold(int32_t node) {
    if (node != 0) ++nodes_[static_cast<size_t>(node)].references;
  }
  void release(int32_t node) {
    if (node != 0 && --nodes_[static_cast<size_t>(node)].references == 0) free_.push_back(node);
  }

  /// A new node (held once) at the stamp's moment. When `owned` is the stamp's node and nobody else
  /// holds it, that node itself moves on.
  int32_t extend(const Stamp& stamp, int32_t owned) {
    int32_t id = stamp.node;
    if (id != owned || nodes_[static_cast<size_t>(id)].references != 1) {
      if (free_.empty()) {
        id = static_cast<int32_t>(nodes_.size());
        nodes_.emplace_back();
      } else {
        id = free_.back();
        free_.pop_back();
      }
      Node& copy = nodes_[static_cast<size_t>(id)];
      copy = nodes_[static_cast<size_t>(stamp.node)];
      copy.references = 1;
      if (owned >= 0) release(owned);
    }
    add(id, stamp.cause, stamp.time - nodes_[static_cast<size_t>(id)].time);
    return id;
  }

  void add(int32_t node, Cause cause, int64_t ticks) {
    nodes_[static_cast<size_t>(node)].ticks[cause.id()] += ticks;
    nodes_[static_cast<size_t>(node)].time += ticks;
  }

 private:
  static constexpr int32_t kImmortal = INT32_MAX / 2;

  /// Whole cache lines, with what every use touches in the first.
  struct alignas(64) Node {
    int64_t time = 0;
    int32_t references = 0;
    std::array<int64_t, Cause::kOnPath> ticks{};
  };
  std::vector<Node> nodes_;
  std::vector<int32_t> free_;
};

}  // namespace tilewright
