#pragma once

#include <optional>
#include <string>

namespace tilewright {

struct LinkMessage {
  int from = 0;
  std::string bytes;
};

/// What joins the processes of a job, rank 0 to size() - 1. Nothing here waits for another process:
/// it may be dead. Used by one thread.
class MessageLink {
 public:
  virtual ~MessageLink() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Messages to one process arrive in the order sent, or never.
  virtual void send(int to, std::string bytes) = 0;
  /// The next message that has arrived.
  virtual std::optional<LinkMessage> receive() = 0;
  /// A moment for somebody who has nothing to do; longer when nothing arrives.
  virtual void pause() = 0;
  /// Whether the process is known to have died. A dead process may go unnoticed.
  virtual bool is_lost(int rank) = 0;
};

}  // namespace tilewright
