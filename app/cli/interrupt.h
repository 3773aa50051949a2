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

/// Whether such a signal has come. Cheap; any thread may ask.
bool interrupted();

}  // namespace tilewright
