#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright {

/// Fields of one line of CSV (RFC 4180): separated by commas, quoted fields may hold commas and
/// doubled quotes. Error (failed), naming `where`, for a quote that is not closed on the line or
/// that is followed by anything but a comma.
std::vector<std::string> split_csv_line(std::string_view line, const std::string& where);

/// Fields of the record that begins with `line`. Where a quoted field is open at its end, `more`
/// gives what follows in the file: the line end, and the next line; nothing at the end of the file.
/// Quoted fields are as they were written, 1 MiB at most, the others without white space at their
/// ends. Error (failed) as above.
std::vector<std::string> split_csv_record(
    std::string_view line, const std::string& where,
    const std::function<std::optional<std::pair<std::string, std::string_view>>()>& more);

}  // namespace tilewright
