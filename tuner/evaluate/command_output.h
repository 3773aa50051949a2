#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/space/measurement.h"

namespace tilewright {

/// What an external command says of one run of it.
struct CommandOutput {
  AttemptStatus status = AttemptStatus::kOk;
  std::string reason;            ///< of a failure, as the command gives it; may be empty
  std::vector<double> times_us;  ///< at least one when ok, each finite and above 0
  std::vector<std::pair<std::string, double>> counters;
};

/// Reads the last line of stdout that is not empty. It is one of
/// - numbers in us, separated by commas or white space: repetitions;
/// - time_us=, time_ms= or time_s= followed by such numbers;
/// - an object {"time_us": number or list (or time_ms, time_s), "counters": {name: number},
///   "status": a status of an attempt, "reason": text}; without "status" it is ok.
/// Error (failed), quoting the line, for anything else and for a time that is not finite and above
/// 0.
CommandOutput read_command_output(std::string_view out);

/// The last line that is not empty, without white space around it; "" when there is none.
std::string_view last_line(std::string_view text);

}  // namespace tilewright
