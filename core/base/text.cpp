#include "core/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Levenshtein distance with transpositions of neighbours counted once (as ninja does).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

/// What of an option is its own: all options begin with dashes.
std::string_view without_dashes(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  return name;
}

unsigned char byte_of(char c) {
  return static_cast<unsigned char>(c);
}

/// Bytes of the UTF-8 character that `text` begins with; 0 where it begins with none (RFC 3629:
/// nothing overlong, no surrogates, nothing above U+10FFFF).
size_t character_size(std::string_view text) {
  const unsigned char lead = byte_of(text[0]);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  const unsigned char second = byte_of(text[1]);
  const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (const char c : text.substr(2, size - 2)) {
    if ((byte_of(c) & 0xc0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

int64_t parse_int(std::string_view text, std::string_view what) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc::result_out_of_range) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} '{}' does not fit 64 bits", what, printable(text)));
  }
  if (code != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} '{}' is not a whole number", what, printable(text)));
  }
  return value;
}

double parse_number(std::string_view text, std::string_view what) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw Error(ErrorKind::kUsage, fmt::format("{} '{}' is not a number", what, printable(text)));
  }
  return value;
}

double parse_ms(std::string_view text, std::string_view what) {
  struct Unit {
    std::string_view suffix;
    double ms;
  };
  constexpr Unit kUnits[] = {{"us", 1e-3}, {"ms", 1}, {"s", 1e3}};
  double factor = 1;
  std::string_view digits = text;
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.suffix)) continue;
    digits.remove_suffix(unit.suffix.size());
    factor = unit.ms;
    break;
  }
  const double value = parse_number(digits, what) * factor;
  if (value < 0) {
    throw Error(ErrorKind::kUsage, fmt::format("{} {} is below 0", what, printable(text)));
  }
  return value;
}

std::vector<std::pair<std::string, std::string>> parse_assignments(std::string_view text,
                                                                   std::string_view what) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::set<std::string_view> names;
  for (const std::string_view part : split(text, ',')) {
    const size_t equals = part.find('=');
    const std::string_view name = trim(part.substr(0, equals));
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : trim(part.substr(equals + 1));
    if (name.empty() || value.empty()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} '{}' is not a list like a=1,b=2: '{}' is not NAME=VALUE", what,
                              printable(text), printable(part)));
    }
    if (!names.insert(name).second) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} '{}' gives {} twice", what, printable(text), printable(name)));
    }
    pairs.emplace_back(name, value);
  }
  return pairs;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::string* nearest = nullptr;
  size_t nearest_distance = 0;
  if (name.size() > 64) return "";  // no typing error of ours; spares the quadratic table
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    // Not itself, nor what has no letter in common with it.
    const size_t letters = std::max(without_dashes(name).size(), without_dashes(candidate).size());
    if (distance == 0 || distance >= letters) continue;
    if (!nearest || distance < nearest_distance) {
      nearest = &candidate;
      nearest_distance = distance;
    }
  }
  if (!nearest || nearest_distance > std::max<size_t>(2, nearest->size() / 3)) return "";
  return fmt::format("; did you mean '{}'?", *nearest);
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts.begin(), parts.end(), separator));
}

std::string printable(std::string_view text, size_t limit) {
  std::string shown;
  size_t at = 0;
  while (at < text.size() && at < limit) {
    const size_t size = character_size(text.substr(at));
    if (size > limit - at && size > 0) break;
    const std::string_view character = text.substr(at, std::max<size_t>(size, 1));
    const bool is_c1 = size == 2 && character[0] == '\xc2' && byte_of(character[1]) < 0xa0;
    const bool is_c0 = size == 1 && (byte_of(character[0]) < 0x20 || character[0] == 0x7f);
    shown += size == 0 || is_c1 || is_c0 ? "?" : character;
    at += character.size();
  }
  if (at < text.size()) shown += "...";
  return shown;
}

}  // namespace tilewright
