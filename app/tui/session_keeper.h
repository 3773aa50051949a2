#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "db/store.h"

namespace tilewright {

/// Writes sessions to a database on a thread of its own, so that the interface waits for no disk
/// and no lock. Of sessions that come faster than they are written the newest counts.
class SessionKeeper {
 public:
  explicit SessionKeeper(std::string db);
  /// Waits for the write under way; what was not begun is not written.
  ~SessionKeeper();
  SessionKeeper(const SessionKeeper&) = delete;
  SessionKeeper& operator=(const SessionKeeper&) = delete;

  /// A failure is not told: whoever leaves the session writes it once more.
  void keep(SavedSession session);

 private:
  void write_all(const std::stop_token& stop);

  std::string db_;
  std::mutex mutex_;  ///< guards next_
  std::condition_variable_any came_;
  std::optional<SavedSession> next_;
  std::jthread writer_;  ///< last: it uses the others
};

}  // namespace tilewright
