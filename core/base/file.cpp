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

/// The file that a chain of symbolic links leads to, so that the links stay.
std::string resolved(const std::string& path) {
  char* target = ::realpath(path.c_str(), nullptr);
  if (!target) return path;
  std::string text = target;
  std::free(target);
  return text;
}

/// Devices and pipes are written as they are: a rename would put a file in their place. A standard
/// stream stays what it is wherever it leads, with its position.
int open_in_place(const std::string& path) {
  if (path == "/dev/stdout") return ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (path == "/dev/stderr") return ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  return ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
}

bool is_in_place(const std::string& path) {
  struct stat info = {};
  return path == "/dev/stdout" || path == "/dev/stderr" ||
         (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode));
}

}  // namespace

FileWriter::FileWriter(const std::string& path) : given_(path) {
  if (is_in_place(path)) {
    file_ = open_in_place(path);
    if (file_ < 0) throw failure();
    return;
  }
  target_ = resolved(path);
  temporary_ = target_ + ".tmp-XXXXXX";
  file_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (file_ < 0) throw failure();
}

FileWriter::~FileWriter() {
  if (file_ < 0) return;
  ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Error FileWriter::failure() const {
  // Where something cannot be written, a missing folder is a failure like any other.
  return {ErrorKind::kFailed, system_error("write", given_).message()};
}

void FileWriter::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure();
    text.remove_prefix(static_cast<size_t>(count));
  }
}

void FileWriter::commit() {
  if (!temporary_.empty()) {
    // mkstemp makes files private; a file that the user asked for follows the umask.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file_, 0666 & ~mask) != 0 || ::fsync(file_) != 0) throw failure();
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw failure();
  }
  const int closed = ::close(file_);
  file_ = -1;
  if (closed != 0) throw failure();
}

void write_file(const std::string& path, std::string_view text) {
  FileWriter file(path);
  file.write(text);
  file.commit();
}

}  // namespace tilewright
