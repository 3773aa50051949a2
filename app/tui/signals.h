#pragma once

#include <array>
#include <csignal>
#include <vector>

namespace tilewright {

/// While it lives, signals become bytes on a pipe that a loop can wait for together with input:
/// SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT and SIGWINCH. One object at a time.
class SignalPipe {
 public:
  SignalPipe();
  ~SignalPipe();
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  /// Becomes readable when a signal came or wake() was called.
  int descriptor() const { return ends_[0]; }
  /// Ends the wait of the loop; any thread may call it.
  void wake() const;
  /// Signals that came since the last call, in their order.
  std::vector<int> take() const;

 private:
  std::array<int, 2> ends_{};
  struct Saved {
    int signal = 0;
    struct sigaction action {};
  };
  std::vector<Saved> saved_;
};

}  // namespace tilewright
