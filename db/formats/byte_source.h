#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/hash.h"

namespace tilewright {

/// What a file from outside may take.
struct ByteLimits {
  int64_t max_bytes = int64_t{4} << 30;  ///< of the text, unpacked
  /// A packed file may hold so many times its size,
  int64_t max_ratio = 300;
  /// or so much whatever its size.
  int64_t harmless_bytes = int64_t{16} << 20;
  /// What a reader keeps at once: one line, or one value with its spaces.
  size_t max_piece_bytes = size_t{16} << 20;
};

/// The text of a file from front to back with bounded memory, unpacked when it is gzip (told from
/// its first bytes). Errors name the file: (not found), (failed) when it cannot be read, is
/// damaged or passes a limit.
class ByteSource {
 public:
  explicit ByteSource(const std::string& path, const ByteLimits& limits = {});
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Whether there is nothing more. An answer of true is remembered: see was_exhausted().
  bool at_end() { return next_ == end_ && !refill(); }
  /// The character at hand; not at_end().
  char peek() const { return *next_; }
  void advance() { ++next_; }

  /// The next line without its LF or CRLF, and without a byte order mark in the first; valid until
  /// the next call. Nothing at the end.
  std::optional<std::string_view> line();
  /// What ended that line: "\n", "\r\n", or what stands of it at the end of the file.
  const std::string& line_end() const { return line_end_; }

  /// Begins a new piece: max_piece_bytes counts from here.
  void begin_piece() { piece_begin_ = offset(); }

  /// Whether somebody wanted to read on behind the last byte.
  bool was_exhausted() const { return exhausted_; }
  /// Whether the packed file ends before its text does.
  bool is_cut() const { return cut_; }

  const std::string& path() const { return path_; }
  /// "path:line:column" of the last character read (1-based, as editors count).
  std::string where() const;
  /// "path:line" of the character at hand.
  std::string where_line();
  /// 16 hexadecimal digits over the text so far read, unpacked; call it at the end.
  std::string hash() const { return hash_.hex(); }

 private:
  class Input;

  bool refill();
  int64_t offset() const { return before_ + (next_ - begin_); }

  std::string path_;
  ByteLimits limits_;
  std::unique_ptr<Input> input_;
  const char* begin_ = nullptr;  // of the block at hand
  const char* next_ = nullptr;
  const char* end_ = nullptr;
  int64_t before_ = 0;             // bytes of earlier blocks
  int64_t lines_before_ = 0;       // line ends in them
  const char* counted_ = nullptr;  // in the block: up to here its line ends are in
  int64_t lines_counted_ = 0;
  int64_t line_begin_ = 0;  // offset of the line that the block begins in
  int64_t piece_begin_ = 0;
  Hasher hash_;
  bool exhausted_ = false;
  bool cut_ = false;
  std::string line_;
  std::string line_end_;
};

/// All of a file, unpacked. Errors as ByteSource.
std::string text_of_file(const std::string& path, int64_t max_bytes);

/// The first bytes of a file, unpacked; fewer than asked for in a shorter file. Errors as
/// ByteSource.
std::string head_of(const std::string& path, size_t bytes);

}  // namespace tilewright
