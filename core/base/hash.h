#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewright {

/// FNV-1a over bytes, 64 bits: identity of canonical texts (machines, launches, files), not
/// security.
class Hasher {
 public:
  Hasher& add(std::string_view bytes);
  Hasher& add(int64_t value);
  uint64_t value() const { return state_; }
  /// 16 hexadecimal digits.
  std::string hex() const;

 private:
  uint64_t state_ = 0xcbf29ce484222325u;
};

}  // namespace tilewright
