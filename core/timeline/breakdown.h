#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/timeline/lanes.h"

namespace tilewright {

/// Why time passed: the one list of causes. Those that can lie on a critical path come first, so that
/// the simulator's running sums stay short.
class Cause {
 public:
  static constexpr int kOnPath = 16;   ///< busy of 7 pipes and 9 others
  static constexpr int kCount = kOnPath + kPipeCount + kMemoryCount + 3;

  static constexpr Cause busy(Pipe pipe) { return Cause(static_cast<int>(pipe)); }
  static constexpr Cause hbm() { return Cause(7); }
  static constexpr Cause l2() { return Cause(8); }
  static constexpr Cause link() { return Cause(9); }
  static constexpr Cause issue() { return Cause(10); }
  static constexpr Cause conflict() { return Cause(11); }
  static constexpr Cause handover() { return Cause(12); }
  static constexpr Cause barrier() { return Cause(13); }
  static constexpr Cause launch() { return Cause(14); }
  static constexpr Cause host() { return Cause(15); }
  static constexpr Cause wait_data(Pipe pipe) { return Cause(kOnPath + static_cast<int>(pipe)); }
  static constexpr Cause wait_space(Memory space) {
    return Cause(kOnPath + kPipeCount + static_cast<int>(space));
  }
  static constexpr Cause fill() { return Cause(kCount - 3); }
  static constexpr Cause drain() { return Cause(kCount - 2); }
  static constexpr Cause tail() { return Cause(kCount - 1); }

  constexpr size_t id() const { return static_cast<size_t>(id_); }
  /// "busy:CUBE", "wait_space:L1", "hbm", ...
  std::string name() const;

  static constexpr Cause of_id(size_t id) { return Cause(static_cast<int>(id)); }

 private:
  constexpr explicit Cause(int id) : id_(static_cast<uint8_t>(id)) {}
  uint8_t id_;
};

/// Time by cause. The entries sum to the whole.
struct Breakdown {
  std::array<int64_t, Cause::kCount> ticks{};

  int64_t total() const;
  void add(Cause cause, int64_t amount) { ticks[cause.id()] += amount; }

  struct Entry {
    std::string cause;
    int64_t ticks = 0;
    double share = 0;  ///< of the total
  };
  /// The causes that have time, longest first (ties in the order of the list).
  std::vector<Entry> entries() const;
};

}  // namespace tilewright
