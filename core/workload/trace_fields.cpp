#include "core/workload/trace_fields.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr double kMaxSeconds = 4e9;

/// All of `text` as digits, in [min, max].
bool read_digits(std::string_view text, int64_t min, int64_t max, int64_t& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() && text.front() != '-' &&
         value >= min && value <= max;
}

bool parse_timestamp(std::string_view text, int64_t& ns) {
  for (std::string_view utc : {"Z", "+00:00"}) {
    if (text.ends_with(utc)) text.remove_suffix(utc.size());
  }
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' ||
      (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':') {
    return false;
  }
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!read_digits(text.substr(0, 4), 1970, 2200, year) ||
      !read_digits(text.substr(5, 2), 1, 12, month) ||
      !read_digits(text.substr(8, 2), 1, 31, day) ||
      !read_digits(text.substr(11, 2), 0, 23, hour) ||
      !read_digits(text.substr(14, 2), 0, 59, minute) ||
      !read_digits(text.substr(17, 2), 0, 60, second)) {
    return false;
  }
  int64_t fraction = 0;
  if (text.size() > 19) {
    const std::string_view digits = text.substr(20);
    if (text[19] != '.' || digits.empty() || digits.size() > 9 ||
        !read_digits(digits, 0, 999'999'999, fraction)) {
      return false;
    }
    for (size_t i = digits.size(); i < 9; ++i) fraction *= 10;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  ns = ((days * 24 + hour) * 60 + minute) * 60 + second;
  ns = ns * 1'000'000'000 + fraction;
  return true;
}

}  // namespace

void fail_at(const std::string& where, const std::string& message) {
  throw Error(ErrorKind::kFailed, fmt::format("{}: {}", where, message));
}

int64_t read_count(std::string_view text, std::string_view column, int64_t min, int64_t max,
                   const std::string& where) {
  int64_t value = 0;
  if (text.empty() || !read_digits(text, min, max, value)) {
    fail_at(where, fmt::format("{} is '{}'; expected a whole number from {} to {}", column,
                               printable(text), min, max));
  }
  return value;
}

int64_t read_tokens(std::string_view text, std::string_view column, const std::string& where) {
  return read_count(text, column, 1, kMaxRequestTokens, where);
}

int64_t read_seconds(std::string_view text, std::string_view column, const std::string& where) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() ||
      !(value >= 0 && value <= kMaxSeconds)) {
    fail_at(where, fmt::format("{} is '{}'; expected seconds from 0 to {:g}", column,
                               printable(text), kMaxSeconds));
  }
  return std::llround(value * 1e9);
}

int64_t read_timestamp(std::string_view text, std::string_view column, const std::string& where) {
  int64_t ns = 0;
  if (!parse_timestamp(text, ns)) {
    fail_at(where, fmt::format("{} is '{}'; expected YYYY-MM-DD hh:mm:ss.fraction", column,
                               printable(text)));
  }
  return ns;
}

}  // namespace tilewright
