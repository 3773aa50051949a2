#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace tilewright {

/// A new folder for one test, gone with the object. Tests run beside each other in processes of
/// their own: no two may share a path.
class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "tilewright-XXXXXX").string()) {
    TW_CHECK(mkdtemp(path_.data()), "a folder for temporary files can be made");
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  /// The path of an entry, which need not be there.
  std::string path(const std::string& name) const { return path_ + "/" + name; }

  /// Writes (again) a file of the given bytes; returns its path.
  std::string file(const std::string& name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }

 private:
  std::string path_;
};

}  // namespace tilewright
