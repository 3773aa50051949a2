#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace tilewright {

/// The whole text of a file. Error (not found) when it does not exist, (failed) when it cannot be
/// read or is larger than `max_bytes`.
std::string read_file(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

/// A file that is written bit by bit and appears only when it is whole: the text goes to a
/// temporary file beside it, which commit() renames over it once it is safely on disk. Without
/// commit() nothing is left of it and `path` is untouched. Symbolic links stay; devices and pipes
/// are written in place. Errors (failed) give the system's reason.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(std::string_view text);
  void commit();

 private:
  Error failure() const;

  std::string given_;      ///< as errors name it
  std::string target_;     ///< behind symbolic links
  std::string temporary_;  ///< empty: written in place
  int file_ = -1;
};

/// Replaces `path` as a FileWriter does, in one go.
void write_file(const std::string& path, std::string_view text);

}  // namespace tilewright
