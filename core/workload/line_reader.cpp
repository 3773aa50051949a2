#include "core/workload/line_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/error.h"

namespace tilewright {

LineReader::LineReader(const std::string& path, int64_t max_bytes, size_t max_line_bytes)
    : path_(path), max_bytes_(max_bytes), max_line_bytes_(max_line_bytes), block_(1 << 16) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Error(ErrorKind::kFailed, fmt::format("{} is a folder, a file is needed", path));
  }
  errno = 0;
  file_.open(path, std::ios::binary);
  if (!file_) {
    const int code = errno;
    throw Error(code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kFailed,
                fmt::format("cannot open {}: {}", path, std::strerror(code)));
  }
}

bool LineReader::fill() {
  file_.read(block_.data(), static_cast<std::streamsize>(block_.size()));
  if (file_.bad()) throw Error(ErrorKind::kFailed, fmt::format("cannot read {}", path_));
  at_ = 0;
  end_ = static_cast<size_t>(file_.gcount());
  bytes_ += file_.gcount();
  if (bytes_ > max_bytes_) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} is larger than {} MiB, the limit for such a file", path_,
                            max_bytes_ >> 20));
  }
  return end_ > 0;
}

std::optional<std::string_view> LineReader::next() {
  line_.clear();
  ++line_number_;
  for (;;) {
    if (at_ == end_ && !fill()) {
      if (line_.empty()) return std::nullopt;
      break;
    }
    const char* begin = block_.data() + at_;
    const char* stop = block_.data() + end_;
    const char* newline = std::find(begin, stop, '\n');
    line_.append(begin, newline);
    if (line_.size() > max_line_bytes_) {
      throw Error(ErrorKind::kFailed, fmt::format("{}: the line is longer than {} KiB", where(),
                                                  max_line_bytes_ >> 10));
    }
    at_ = static_cast<size_t>(newline - block_.data()) + (newline != stop ? 1 : 0);
    if (newline != stop) break;
  }
  std::string_view line = line_;
  if (line_number_ == 1 && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view LineReader::head() {
  if (end_ == 0) fill();
  return {block_.data(), end_};
}

std::string LineReader::where() const {
  return fmt::format("{}:{}", path_, line_number_);
}

}  // namespace tilewright
