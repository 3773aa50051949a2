#pragma once

#include <cstdint>
#include <string>

#include "core/workload/workload.h"

namespace tilewright {

/// Latest arrival that a workload may have (about three years), so that virtual time cannot
/// overflow.
inline constexpr int64_t kMaxArrivalNs = 100'000'000'000'000'000;

/// Longest prompt or output that a trace may state.
inline constexpr int64_t kMaxRequestTokens = int64_t{1} << 30;

/// Reads a trace file line by line; the format is told from the first line that is not blank:
/// - Azure LLM inference traces: CSV with the header TIMESTAMP,ContextTokens,GeneratedTokens; time
///   stamps are "YYYY-MM-DD hh:mm:ss[.fraction]" of up to 9 digits, in UTC;
/// - Mooncake: one JSON object a line with timestamp [ms], input_length, output_length, and
///   optionally hash_ids, one for each 512 prompt tokens.
/// Arrivals are counted from the first row. Lines may end in LF or CRLF; blank ones are skipped.
///
/// Error (not found) for a missing file; (failed), with file and line and what was expected, for a
/// line that breaks the format, a token count outside [1, kMaxRequestTokens], a time before that of
/// the line above, no requests at all, or more bytes than a trace may have (1 GiB).
Workload read_workload(const std::string& path);

}  // namespace tilewright
