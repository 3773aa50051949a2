#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tests/app/terminal_program.h"

namespace tilewright {

/// Milliseconds from keys to what they show.
class AnswerTimes {
 public:
  void add(double milliseconds) {
    times_.insert(std::ranges::upper_bound(times_, milliseconds), milliseconds);
  }
  double median() const { return share(0.5); }
  double p95() const { return share(0.95); }
  /// "WHAT: median 1.2 ms, 95 % within 3.4 ms".
  std::string text(std::string_view what) const {
    return fmt::format("{}: median {:.1f} ms, 95 % within {:.1f} ms", what, median(), p95());
  }

 private:
  double share(double part) const {
    return times_.at(std::min(times_.size() - 1,
                              static_cast<size_t>(part * static_cast<double>(times_.size()))));
  }

  std::vector<double> times_;  ///< ascending
};

/// Milliseconds until a condition holds, `keys` being typed at the beginning.
template <typename Condition>
double milliseconds_until(TerminalProgram& program, std::string_view keys,
                          const Condition& condition) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point asked = Clock::now();
  program.type(keys);
  EXPECT_TRUE(condition());
  return std::chrono::duration<double, std::milli>(Clock::now() - asked).count();
}

/// How fast keys are answered: help is opened and closed again and again. Of many answers, as
/// others use this machine too.
inline AnswerTimes answer_times(TerminalProgram& program, int count = 20) {
  AnswerTimes times;
  for (int i = 0; i < count; ++i) {
    const bool opens = i % 2 == 0;
    times.add(milliseconds_until(program, opens ? "?" : "x", [&] {
      return opens ? program.shows("Keys and commands") : program.hides("Keys and commands");
    }));
  }
  return times;
}

}  // namespace tilewright
