#include "app/cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

Stream::Stream(int descriptor) : descriptor_(descriptor), is_terminal_(::isatty(descriptor) == 1) {}

Stream::Stream(std::function<void(std::string_view)> listener)
    : descriptor_(-1), is_terminal_(false), listener_(std::move(listener)) {}

int Stream::columns() const {
  winsize size = {};
  if (::ioctl(descriptor_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string Stream::styled(Style style, std::string_view text) const {
  if (!color_) return std::string(text);
  constexpr const char* kCodes[] = {"1", "2", "32", "1;31"};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(style)], text);
}

void Stream::write(std::string_view text) const {
  if (listener_) return listener_(text);
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("cannot write to {}: {}",
                              descriptor_ == 1 ? "standard output" : "standard error",
                              std::strerror(errno)));
    }
    text.remove_prefix(static_cast<size_t>(count));
  }
}

void Console::flush() {
  const std::string data = std::exchange(data_, {});
  out_.write(data);
}

void Console::message(std::string_view line) const {
  try {
    err_.write(std::string(line) + "\n");
  } catch (const Error&) {
  }
}

}  // namespace tilewright
