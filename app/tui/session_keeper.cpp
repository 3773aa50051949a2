#include "app/tui/session_keeper.h"

#include <utility>

#include "core/base/error.h"

namespace tilewright {

SessionKeeper::SessionKeeper(std::string db)
    : db_(std::move(db)), writer_([this](const std::stop_token& stop) { write_all(stop); }) {}

SessionKeeper::~SessionKeeper() = default;

void SessionKeeper::keep(SavedSession session) {
  {
    const std::scoped_lock lock(mutex_);
    next_ = std::move(session);
  }
  came_.notify_one();
}

void SessionKeeper::write_all(const std::stop_token& stop) {
  constexpr int kBusyMs = 1000;
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!came_.wait(lock, stop, [this] { return next_.has_value(); }) || stop.stop_requested()) {
      return;
    }
    const SavedSession session = *std::exchange(next_, std::nullopt);
    lock.unlock();
    try {
      Store::open(db_, OpenMode::kReadWrite, kBusyMs).save_session(session);
    } catch (const Error&) {
      continue;  // a locked or full disk: the next one may fare better
    }
  }
}

}  // namespace tilewright
