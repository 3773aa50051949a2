#include "core/base/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tilewright {

std::string format_us(double us) {
  const double size = std::abs(us);
  if (size >= 1e6) return fmt::format("{:.3f} s", us / 1e6);
  if (size >= 1e3) return fmt::format("{:.3f} ms", us / 1e3);
  return fmt::format("{:.2f} us", us);
}

std::string format_bytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (std::abs(bytes) >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  const bool whole = bytes == std::floor(bytes);
  return whole ? fmt::format("{:.0f} {}", bytes, kUnits[unit])
               : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string format_count(int64_t value) {
  std::string digits = std::to_string(value < 0 ? -value : value);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return value < 0 ? "-" + digits : digits;
}

std::string format_counted(int64_t value, std::string_view one) {
  return fmt::format("{} {}{}", format_count(value), one, value == 1 ? "" : "s");
}

std::string format_decimals(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  for (size_t at = std::min(text.find('.'), text.size()); at > 3; at -= 3) text.insert(at - 3, ",");
  return value < 0 ? "-" + text : text;
}

std::string format_share(double fraction) {
  return fmt::format("{:.1f} %", fraction * 100);
}

}  // namespace tilewright
