#pragma once

#include <algorithm>
#include <optional>

namespace tilewright {

/// When Home reads the database again by itself: some seconds after the last read, while it is in
/// front. Times are seconds of a steady clock.
class HomeClock {
 public:
  /// Told what is so now; whether it is time to read.
  bool is_due(bool is_in_front, bool is_reading, double now) {
    if (is_reading) {
      if (!began_at_) began_at_ = now;
      due_at_.reset();
      return false;
    }
    if (began_at_) interval_ = std::max(kInterval, kLeastRest * (now - *began_at_));
    began_at_.reset();
    if (!is_in_front) due_at_.reset();
    if (is_in_front && !due_at_) due_at_ = now + interval_;
    return due_at_ && now >= *due_at_;
  }
  /// Seconds until then; nothing where it is not waited for.
  std::optional<double> wait(double now) const {
    if (!due_at_) return std::nullopt;
    return std::max(0.0, *due_at_ - now);
  }

 private:
  static constexpr double kInterval = 3;
  /// A large database is not read all the time: the pause is so much longer than the last read.
  static constexpr double kLeastRest = 20;

  double interval_ = kInterval;
  std::optional<double> began_at_;  ///< of the read under way
  std::optional<double> due_at_;
};

}  // namespace tilewright
