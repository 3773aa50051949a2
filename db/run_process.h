#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tilewright {

/// The process at hand, for the row of a run that it makes: JSON by which others on the same
/// machine know whether it still lives. A process number alone would not do, as they come again.
std::string this_process();

/// What is known of the process that a row names.
struct ProcessState {
  int64_t pid = 0;
  bool is_alive = false;
  bool is_gone = false;  ///< neither: it runs elsewhere, or nothing is known of it
};
/// Reads what this_process() wrote, by whatever version or hand; never fails.
ProcessState state_of_process(std::string_view text);

/// When a process began, in clock ticks since the machine did; nothing for one that is no more, and
/// where the system does not tell.
std::optional<int64_t> start_ticks(int64_t pid);

/// The command line of a process, on one line; empty where it is not known.
std::string command_of_process(int64_t pid);

}  // namespace tilewright
