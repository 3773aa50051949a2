#include "app/cli/progress.h"

#include "app/cli/clock.h"
#include "core/base/error.h"

namespace tilewright {

namespace {
constexpr double kTerminalInterval = 0.1;  // seconds
constexpr double kLogInterval = 10;
}  // namespace

Progress::Progress(const Stream& stream, bool quiet)
    : stream_(stream),
      quiet_(quiet),
      next_(wall_seconds() + (stream.is_terminal() ? kTerminalInterval : kLogInterval)) {}

Progress::~Progress() {
  clear();
}

void Progress::update(const std::function<std::string()>& line) {
  if (quiet_) return;
  const std::lock_guard lock(mutex_);
  const double now = wall_seconds();
  if (now < next_) return;
  next_ = now + (stream_.is_terminal() ? kTerminalInterval : kLogInterval);
  show(line());
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (!shown_) return;
  shown_ = false;
  try {
    stream_.write("\r\x1b[K");
  } catch (const Error&) {  // nobody is looking any more
  }
}

void Progress::show(const std::string& text) {
  try {
    if (!stream_.is_terminal()) {
      stream_.write(text + "\n");
      return;
    }
    const auto columns = static_cast<size_t>(stream_.columns());
    stream_.write("\r\x1b[K" + elide_middle(text, columns - 1));
    shown_ = true;
  } catch (const Error&) {
    quiet_ = true;
  }
}

std::string elide_middle(const std::string& text, size_t columns) {
  constexpr size_t kDots = 3;
  if (text.size() <= columns) return text;
  if (columns <= kDots) return text.substr(0, columns);
  const size_t kept = columns - kDots;
  return text.substr(0, kept - kept / 2) + "..." + text.substr(text.size() - kept / 2);
}

}  // namespace tilewright
