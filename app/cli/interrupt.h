#pragma once

namespace tilewright {

/// While one of these lives, the first SIGINT or SIGTERM only makes interrupted() true, so that the
/// command can finish what is in flight and save; the second one ends the process at once. Without
/// one both signals end it as usual.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// While one of these lives, within an InterruptGuard, the first signal already ends the process,
/// with a line on stderr and the exit status of an interrupt: for long work that nothing can stop
/// and that has written nothing yet.
class InterruptExit {
 public:
  InterruptExit();
  ~InterruptExit();
  InterruptExit(const InterruptExit&) = delete;
  InterruptExit& operator=(const InterruptExit&) = delete;
};

/// Whether such a signal has come. Cheap; any thread may ask.
bool interrupted();

}  // namespace tilewright
