#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewright {

/// Latest arrival that a workload may have (about three years), so that virtual time cannot
/// overflow.
inline constexpr int64_t kMaxArrivalNs = 100'000'000'000'000'000;

/// Longest prompt or output that a trace may state.
inline constexpr int64_t kMaxRequestTokens = int64_t{1} << 30;

/// Error (failed) "where: message".
[[noreturn]] void fail_at(const std::string& where, const std::string& message);

// Fields of a row of CSV as numbers. They fail with `where`, the column's name and what was
// expected.

/// A whole number in [min, max].
int64_t read_count(std::string_view text, std::string_view column, int64_t min, int64_t max,
                   const std::string& where);

/// A number of tokens, from 1 to kMaxRequestTokens.
int64_t read_tokens(std::string_view text, std::string_view column, const std::string& where);

/// Seconds, from 0 to 4e9 (so that seconds since 1970 fit), as ns.
int64_t read_seconds(std::string_view text, std::string_view column, const std::string& where);

/// "YYYY-MM-DD hh:mm:ss[.fraction]" of up to 9 digits, in UTC, with T instead of the space and with
/// Z or +00:00 at the end if one likes, as ns since 1970.
int64_t read_timestamp(std::string_view text, std::string_view column, const std::string& where);

}  // namespace tilewright
