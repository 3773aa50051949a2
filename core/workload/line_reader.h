#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright {

/// Reads a text file line by line with bounded memory: neither a file without line ends nor an
/// endless device can take more than its limits.
class LineReader {
 public:
  /// Error (not found) when the file does not exist, (failed) when it is not readable.
  LineReader(const std::string& path, int64_t max_bytes, size_t max_line_bytes);

  /// The next line without its LF or CRLF, and without a byte order mark in the first; valid until
  /// the next call. Nothing at the end of the file. Error (failed) when a limit is passed.
  std::optional<std::string_view> next();

  /// What is read of the file at the start, at most 64 KiB; to be called before next().
  std::string_view head();

  /// "path:line" of the line that next() gave last.
  std::string where() const;

 private:
  /// False at the end of the file.
  bool fill();

  std::string path_;
  std::ifstream file_;
  int64_t max_bytes_;
  size_t max_line_bytes_;
  int64_t bytes_ = 0;
  int64_t line_number_ = 0;
  std::vector<char> block_;
  size_t at_ = 0;
  size_t end_ = 0;
  std::string line_;
};

}  // namespace tilewright
