#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tilewright {

/// Bytes that start at a cache line, so that rows of fractals do not straddle lines. They begin as
/// 0xff, a NaN in every floating-point type.
class AlignedBytes {
 public:
  /// Makes room for at least `size` bytes and keeps those that are there.
  uint8_t* with_size(int64_t size) {
    const size_t lines = (static_cast<size_t>(size) + sizeof(Line) - 1) / sizeof(Line);
    if (lines_.size() < lines) lines_.resize(lines, kUntouched);
    return lines_.front().bytes;
  }
  void clear() { std::fill(lines_.begin(), lines_.end(), kUntouched); }

 private:
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  static constexpr Line make_untouched() {
    Line line{};
    for (uint8_t& byte : line.bytes) byte = 0xff;
    return line;
  }
  static const Line kUntouched;

  std::vector<Line> lines_;
};

inline constexpr AlignedBytes::Line AlignedBytes::kUntouched = AlignedBytes::make_untouched();

}  // namespace tilewright
