#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tilewright {

struct ChildLimits {
  double seconds = 60;                      ///< of wall time, from its start to its end
  int64_t memory_bytes = 0;                 ///< of address space, for each process; 0: no limit
  int64_t output_bytes = int64_t{1} << 20;  ///< of stdout and stderr together
};

/// How a child process ended.
enum class ChildEnd {
  kExited,       ///< by itself; code: its exit status
  kSignal,       ///< by a signal; code: which
  kTimeLimit,    ///< killed at the limit
  kOutputLimit,  ///< killed because it wrote more than allowed
  kNotStarted,   ///< code: errno
  kStopped,      ///< killed because the caller said so
};

struct ChildResult {
  ChildEnd end = ChildEnd::kExited;
  int code = 0;
  std::string out;  ///< stdout, as far as the limit allows
  std::string err;  ///< stderr
};

/// The file that `name` means: itself when it has a slash, otherwise the first executable of that
/// name in the folders of PATH in `environment` ("NAME=value" each); empty when there is none.
std::string find_program(std::string_view name, std::span<const std::string> environment);

/// Runs a program (words[0], found as find_program()) to its end, without a shell: stdin is empty,
/// stdout and stderr are read, no other file of this process is open in it. It leads a process
/// group of its own, so a Ctrl-C of the terminal does not reach it; whatever is left of the group
/// is killed when the program ends, at a limit, and when stop() says true (asked every 50 ms).
/// Processes that leave the group are not followed. The program is killed also when this process
/// dies. Thread-safe. Error (failed) when the system has no pipe, process or timer left.
ChildResult run_child(std::span<const std::string> words, std::span<const std::string> environment,
                      const ChildLimits& limits, const std::function<bool()>& stop);

}  // namespace tilewright
