#include "app/tui/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.h"

namespace tilewright {

namespace {

volatile std::sig_atomic_t g_pipe = -1;

void put_byte(int descriptor, int value) {
  const int before = errno;
  const auto byte = static_cast<unsigned char>(value);
  [[maybe_unused]] const ssize_t written = ::write(descriptor, &byte, 1);
  errno = before;
}

void pass_on(int signal) {
  if (g_pipe >= 0) put_byte(static_cast<int>(g_pipe), signal);
}

}  // namespace

SignalPipe::SignalPipe() {
  TW_CHECK(::pipe2(ends_.data(), O_NONBLOCK | O_CLOEXEC) == 0, "a pipe can be made");
  g_pipe = ends_[1];
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH}) {
    Saved saved;
    saved.signal = signal;
    struct sigaction action {};
    action.sa_handler = pass_on;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, &saved.action);
    saved_.push_back(saved);
  }
}

SignalPipe::~SignalPipe() {
  for (const Saved& saved : saved_) ::sigaction(saved.signal, &saved.action, nullptr);
  g_pipe = -1;
  ::close(ends_[0]);
  ::close(ends_[1]);
}

void SignalPipe::wake() const {
  put_byte(ends_[1], 0);
}

std::vector<int> SignalPipe::take() const {
  std::vector<int> signals;
  std::array<unsigned char, 64> bytes{};
  for (;;) {
    const ssize_t count = ::read(ends_[0], bytes.data(), bytes.size());
    if (count <= 0) return signals;
    for (ssize_t i = 0; i < count; ++i) {
      if (const int signal = bytes[static_cast<size_t>(i)]; signal != 0) signals.push_back(signal);
    }
  }
}

}  // namespace tilewright
