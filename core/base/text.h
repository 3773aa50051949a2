#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright {

/// Pieces of `text` between separators; "a,,b" has three. An empty text has one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The pieces would outlive a temporary text.
std::vector<std::string_view> split(std::string&& text, char separator) = delete;

/// `text` without white space at both ends.
std::string_view trim(std::string_view text);

/// `text` with its ASCII letters in lower case, whatever the locale.
std::string lower_case(std::string_view text);

/// The whole of `text` as a decimal integer; throws Error (usage) naming `what` otherwise, also on
/// overflow.
int64_t parse_int(std::string_view text, std::string_view what);

/// The whole of `text` as a finite decimal number, independent of locale; throws as parse_int.
double parse_number(std::string_view text, std::string_view what);

/// "500ms", "2s", "800us" or a plain number of ms, in ms; throws as parse_int, also below 0.
double parse_ms(std::string_view text, std::string_view what);

/// "a=1,b=2" as pairs in their order; Error (usage), naming `what`, for an empty name or value and
/// for a name twice.
std::vector<std::pair<std::string, std::string>> parse_assignments(std::string_view text,
                                                                   std::string_view what);

/// "; did you mean 'x'?" for the candidate nearest to `name` by edit distance, or "" when none is
/// near enough to be a typing error: neither `name` itself nor what has no letter in common.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// "a, b, c".
std::string join(std::span<const std::string> parts, std::string_view separator);

/// Greek and accented text survives: what cannot be shown on a terminal line (control characters)
/// is replaced by '?', and texts longer than `limit` bytes are cut with "...". For messages that
/// quote hostile input.
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace tilewright
