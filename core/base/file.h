#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewright {

/// The whole text of a file. Error (not found) when it does not exist, (failed) when it cannot be
/// read or is larger than `max_bytes`.
std::string read_file(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

/// Replaces `path` atomically: the text goes to a temporary file beside it, which is renamed over
/// it once it is safely on disk. Symbolic links stay; devices and pipes are written in place. Error
/// (failed) with the system's reason; `path` is then untouched.
void write_file(const std::string& path, std::string_view text);

}  // namespace tilewright
