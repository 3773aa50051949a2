#include "core/base/hash.h"

#include <fmt/format.h>

namespace tilewright {

Hasher& Hasher::add(std::string_view bytes) {
  for (char c : bytes) {
    state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return *this;
}

Hasher& Hasher::add(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  for (int byte = 0; byte < 8; ++byte) {
    state_ = (state_ ^ ((bits >> (8 * byte)) & 0xffu)) * 0x100000001b3u;
  }
  return *this;
}

std::string Hasher::hex() const {
  return fmt::format("{:016x}", state_);
}

}  // namespace tilewright
