#pragma once

#include <cstddef>
#include <vector>

namespace tilewright {

/// Turns in an order of time, earliest first. Few wait at a time and most come after all that wait,
/// so that a sorted array with a moving front beats a heap. `Turn::later(a, b)`: a comes after b.
template <typename Turn>
class TurnQueue {
 public:
  bool empty() const { return turns_.empty(); }
  const Turn& front() const { return turns_[first_]; }

  void push(const Turn& turn) {
    auto place = turns_.end();
    const auto first = turns_.begin() + static_cast<ptrdiff_t>(first_);
    while (place != first && Turn::later(*(place - 1), turn)) --place;
    turns_.insert(place, turn);
  }

  Turn pop() {
    const Turn turn = turns_[first_++];
    if (first_ == turns_.size()) {
      turns_.clear();
      first_ = 0;
    } else if (first_ == kTaken) {
      turns_.erase(turns_.begin(), turns_.begin() + static_cast<ptrdiff_t>(kTaken));
      first_ = 0;
    }
    return turn;
  }

 private:
  /// Turns that were taken before the gap that they leave is closed.
  static constexpr size_t kTaken = 256;

  std::vector<Turn> turns_;
  size_t first_ = 0;  // that was not taken
};

}  // namespace tilewright
