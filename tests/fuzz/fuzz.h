#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "tests/temp_folder.h"

namespace tilewright {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Runs `parse`, for which an Error with a message is as good an answer as a result; any other
/// exception, and everything that the sanitizers see, ends the fuzzer. True without an Error.
inline bool accepted(const std::function<void()>& parse) {
  try {
    parse();
    return true;
  } catch (const Error& error) {
    TW_CHECK(!error.message().empty(), "every error says what happened");
    return false;
  }
}

/// Takes small numbers from the input, zeros when it is used up.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool empty() const { return size_ == 0; }
  uint8_t byte() {
    if (empty()) return 0;
    --size_;
    return *data_++;
  }
  /// Uniform enough in [0, bound), from as many bytes as the bound needs.
  int64_t below(int64_t bound) {
    uint64_t value = 0;
    for (int64_t range = 1; range < bound; range *= 256) value = value * 256 + byte();
    return static_cast<int64_t>(value % static_cast<uint64_t>(bound));
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

/// A file with the given bytes for readers that take a path; gone with the object. Run fuzzers with
/// TMPDIR on a file system in memory.
class FuzzFile {
 public:
  explicit FuzzFile(const std::string& name) : name_(name) {}

  std::string path() const { return folder_.path(name_); }
  void write(std::string_view bytes) const { folder_.file(name_, bytes); }

 private:
  TempFolder folder_;
  std::string name_;
};

}  // namespace tilewright
