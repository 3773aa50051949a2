#include "core/space/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <set>
#include <span>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Far beyond any problem; bounds what a hostile text can make us do.
constexpr size_t kMaxTextBytes = 4096;

constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::string_view kEpilogueCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_+.-";

[[noreturn]] void fail(std::string_view text, const std::string& what) {
  throw Error(ErrorKind::kFailed,
              fmt::format("problem '{}': {} (expected KERNEL TYPES LAYOUTS NAME=SIZE ... "
                          "epilogue=NAME)",
                          printable(text, 120), what));
}

bool consists_of(std::string_view word, std::string_view characters) {
  return !word.empty() && word.find_first_not_of(characters) == std::string_view::npos;
}

std::optional<DType> dtype_of(std::string_view word) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kI32}) {
    if (name_of(type) == word) return type;
  }
  return std::nullopt;
}

/// A size in its one canonical spelling: no sign, no leading zero, fits 63 bits.
std::optional<int64_t> parse_size(std::string_view digits) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  const bool canonical = digits[0] != '-' && (digits[0] != '0' || digits.size() == 1);
  return canonical ? std::optional(value) : std::nullopt;
}

/// Reads `words`, all of the form name=value, into sizes, epilogue and mask.
void parse_fields(std::string_view text, std::span<const std::string_view> words,
                  Problem& problem) {
  std::set<std::string_view> names;
  problem.epilogue.clear();
  for (const std::string_view& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
      fail(text, fmt::format("'{}' stands after the sizes have begun", printable(word)));
    }
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    if (!consists_of(name, kNameCharacters)) {
      fail(text, fmt::format("'{}' is not NAME=VALUE", printable(word)));
    }
    if (!names.insert(name).second) fail(text, fmt::format("'{}' stands twice", name));
    if (name == "mask") {
      if (&word != &words.back() || problem.epilogue.empty())
        fail(text, "mask is not the last field, behind epilogue");
      if (!consists_of(value, kNameCharacters))
        fail(text, fmt::format("'{}' is no name of a mask", printable(value)));
      problem.mask = value;
      return;
    }
    if (!problem.epilogue.empty()) fail(text, "epilogue is not the last field");
    if (name == "epilogue") {
      if (!consists_of(value, kEpilogueCharacters)) {
        fail(text, fmt::format("'{}' is no name of an epilogue", printable(value)));
      }
      problem.epilogue = value;
      continue;
    }
    const std::optional<int64_t> size = parse_size(value);
    if (!size) fail(text, fmt::format("'{}' is not a size", printable(word)));
    problem.sizes.emplace_back(name, *size);
  }
  if (problem.epilogue.empty()) fail(text, "epilogue is missing");
}

}  // namespace

std::string Problem::text() const {
  fmt::memory_buffer out;
  const auto end = std::back_inserter(out);
  fmt::format_to(end, "{}", kernel);
  for (const DType type : types) fmt::format_to(end, " {}", name_of(type));
  for (const std::string& layout : layouts) fmt::format_to(end, " {}", layout);
  for (const auto& [name, value] : sizes) fmt::format_to(end, " {}={}", name, value);
  fmt::format_to(end, " epilogue={}", epilogue);
  if (!mask.empty()) fmt::format_to(end, " mask={}", mask);
  return fmt::to_string(out);
}

int64_t Problem::size(std::string_view name) const {
  const auto found = std::ranges::find(sizes, name, &std::pair<std::string, int64_t>::first);
  TW_CHECK(found != sizes.end(), "the problem has no size of that name");
  return found->second;
}

bool Problem::has(std::string_view name) const {
  return std::ranges::find(sizes, name, &std::pair<std::string, int64_t>::first) != sizes.end();
}

Problem Problem::with(std::string_view name, int64_t value) const {
  Problem changed = *this;
  const auto found =
      std::ranges::find(changed.sizes, name, &std::pair<std::string, int64_t>::first);
  TW_CHECK(found != changed.sizes.end(), "the problem has no size of that name");
  found->second = value;
  return changed;
}

Problem parse_problem(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    fail(text, fmt::format("longer than {} bytes", kMaxTextBytes));
  }
  const std::vector<std::string_view> words = split(text, ' ');
  Problem problem;
  problem.kernel = words[0];
  if (!consists_of(words[0], kNameCharacters)) {
    fail(text, fmt::format("'{}' is no name of a kernel", printable(words[0])));
  }
  size_t at = 1;
  for (; at < words.size(); ++at) {
    const std::optional<DType> type = dtype_of(words[at]);
    if (!type) break;
    problem.types.push_back(*type);
  }
  for (; at < words.size() && words[at].find('=') == std::string_view::npos; ++at) {
    if (!consists_of(words[at], kNameCharacters) || dtype_of(words[at])) {
      fail(text, fmt::format("'{}' is no layout", printable(words[at])));
    }
    problem.layouts.emplace_back(words[at]);
  }
  parse_fields(text, std::span(words).subspan(at), problem);
  return problem;
}

}  // namespace tilewright
