#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewright {

/// Numbers as people read them, the same on screens, in reports and in messages.

/// "38.8 us", "1.506 ms", "12.3 s".
std::string format_us(double us);
/// "512 B", "64 KiB", "1.5 GiB".
std::string format_bytes(double bytes);
/// "1,234,567".
std::string format_count(int64_t value);
/// "1 cache hit", "1,234 cache hits".
std::string format_counted(int64_t value, std::string_view one);
/// "1,234,567.0": a number with so many decimals.
std::string format_decimals(double value, int decimals);
/// "54.5 %" from a fraction.
std::string format_share(double fraction);

}  // namespace tilewright
