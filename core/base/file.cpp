#include "core/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {
    const int result = fd_ >= 0 ? ::close(fd_) : 0;
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

Error system_error(std::string_view doing, const std::string& path) {
  const int code = errno;
  return {code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kFailed,
          fmt::format("cannot {} {}: {}", doing, path, std::strerror(code))};
}

/// Where something cannot be written, a missing folder is a failure like any other.
Error write_error(const std::string& path) {
  return {ErrorKind::kFailed, system_error("write", path).message()};
}

}  // namespace

std::string read_file(const std::string& path, int64_t max_bytes) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw system_error("open", path);
  struct stat info = {};
  if (::fstat(file.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
    throw Error(ErrorKind::kFailed, fmt::format("{} is a folder, a file is needed", path));
  }
  std::string text;
  char block[1 << 16];
  for (;;) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error("read", path);
    if (count == 0) return text;
    text.append(block, static_cast<size_t>(count));
    if (static_cast<int64_t>(text.size()) > max_bytes) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{} is larger than {} MiB, the limit for such a file", path,
                              max_bytes >> 20));
    }
  }
}

namespace {

void write_all(int file, std::string_view text, const auto& failure) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure();
    text.remove_prefix(static_cast<size_t>(count));
  }
}

/// Devices and pipes are written as they are: a rename would put a file in their place.
void write_in_place(const std::string& path, std::string_view text) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) throw write_error(path);
  write_all(file.get(), text, [&] { return write_error(path); });
  if (file.close() != 0) throw write_error(path);
}

/// The file that a chain of symbolic links leads to, so that the links stay.
std::string resolved(const std::string& path) {
  char* target = ::realpath(path.c_str(), nullptr);
  if (!target) return path;
  std::string text = target;
  std::free(target);
  return text;
}

}  // namespace

void write_file(const std::string& given_path, std::string_view text) {
  struct stat info = {};
  if (::stat(given_path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    write_in_place(given_path, text);
    return;
  }
  const std::string path = resolved(given_path);
  std::string temporary = path + ".tmp-XXXXXX";
  Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) throw write_error(given_path);
  const auto give_up = [&] {
    const Error error = write_error(given_path);
    ::unlink(temporary.c_str());
    return error;
  };
  // mkstemp makes files private; a file that the user asked for follows the umask.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(file.get(), 0666 & ~mask) != 0) throw give_up();
  write_all(file.get(), text, give_up);
  if (::fsync(file.get()) != 0 || file.close() != 0) throw give_up();
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw give_up();
}

}  // namespace tilewright
