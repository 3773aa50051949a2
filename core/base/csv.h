#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// Fields of one line of CSV (RFC 4180): separated by commas, quoted fields may hold commas and
/// doubled quotes. Error (failed), naming `where`, for a quote that is not closed on the line or
/// that is followed by anything but a comma.
std::vector<std::string> split_csv_line(std::string_view line, const std::string& where);

}  // namespace tilewright
