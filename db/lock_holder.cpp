#include "db/lock_holder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>

#include "db/run_process.h"

namespace tilewright {

namespace {

constexpr int64_t kWalWriteLock = 120;  // its byte in FILE-shm

/// 0 when there is no such file.
uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// One line of /proc/locks: "1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120", where an arrow
/// behind the number marks a process that waits.
struct LockLine {
  std::string number, kind, advice, access;
  int64_t pid = 0;
  std::string file;
  int64_t first = 0;
};

int64_t holder_pid(const std::string& path) {
  const std::string database = fmt::format(":{}", inode_of(path));
  const std::string shared_memory = fmt::format(":{}", inode_of(path + "-shm"));
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    LockLine lock;
    std::istringstream fields(line);
    fields >> lock.number >> lock.kind >> lock.advice >> lock.access >> lock.pid >> lock.file >>
        lock.first;
    if (!fields || lock.access != "WRITE" || lock.pid <= 0) continue;
    // Without a log, and while the log is set up, a writer locks bytes of the file itself.
    if (lock.file.ends_with(database)) return lock.pid;
    if (lock.file.ends_with(shared_memory) && lock.first == kWalWriteLock) return lock.pid;
  }
  return 0;
}

/// Negative when it is not known.
double age_seconds(int64_t pid) {
  const std::optional<int64_t> start = start_ticks(pid);
  double uptime = 0;
  std::ifstream("/proc/uptime") >> uptime;
  if (!start) return -1;
  return uptime - static_cast<double>(*start) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

std::string lock_holder(const std::string& path) {
  const int64_t pid = holder_pid(path);
  if (pid == 0) return "";
  if (pid == ::getpid()) return "this process itself";
  std::string text = fmt::format("process {}", pid);
  if (const std::string command = command_of_process(pid); !command.empty()) {
    text += fmt::format(", `{}`", command);
  }
  if (const double age = age_seconds(pid); age >= 0) {
    text += fmt::format(", running for {:.0f} s", age);
  }
  return text;
}

}  // namespace tilewright
