#include "core/graph/hlo_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_part(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '-';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char closing_of(char open) {
  return open == '(' ? ')' : open == '[' ? ']' : '}';
}

/// Value of a digit of a number to base 16, or -1.
int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Takes up to `most` digits to that base from the front of `text`.
char take_code(std::string_view& text, int base, size_t most) {
  int code = 0;
  for (size_t i = 0; i < most && !text.empty(); ++i) {
    const int digit = digit_value(text.front());
    if (digit < 0 || digit >= base) break;
    code = code * base + digit;
    text.remove_prefix(1);
  }
  return static_cast<char>(static_cast<unsigned char>(code));
}

/// The character behind a backslash at the front of `text`, which is taken.
char take_escape(std::string_view& text) {
  const char kind = text.front();
  if (kind >= '0' && kind <= '7') return take_code(text, 8, 3);
  text.remove_prefix(1);
  switch (kind) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'x':
      return take_code(text, 16, 2);
    default:
      return kind;
  }
}

}  // namespace

HloCursor::HloCursor(std::string_view text, std::string_view source)
    : text_(text), source_(source), end_(text.size()) {}

HloCursor HloCursor::within(std::string_view part) const {
  HloCursor cursor = *this;
  cursor.at_ = static_cast<size_t>(part.data() - text_.data());
  cursor.end_ = cursor.at_ + part.size();
  return cursor;
}

void HloCursor::advance(size_t count) {
  const size_t end = std::min(at_ + count, end_);
  for (; at_ < end; ++at_) line_ += text_[at_] == '\n' ? 1 : 0;
}

bool HloCursor::skip_comment() {
  if (text_[at_] != '/' || at_ + 1 >= end_) return false;
  const std::string_view rest = this->rest();
  if (rest[1] == '/') {
    advance(std::min(rest.find('\n'), rest.size()));
    return true;
  }
  if (rest[1] != '*') return false;
  const size_t close = rest.find("*/", 2);
  if (close == std::string_view::npos) fail("the comment has no end");
  advance(close + 2);
  return true;
}

void HloCursor::skip_blanks() {
  while (at_ < end_) {
    const char c = text_[at_];
    if (is_blank(c)) {
      line_ += c == '\n' ? 1 : 0;
      ++at_;
    } else if (c != '/' || !skip_comment()) {
      return;
    }
  }
}

char HloCursor::peek() {
  skip_blanks();
  return at_ < end_ ? text_[at_] : '\0';
}

bool HloCursor::follows(std::string_view text) {
  skip_blanks();
  return rest().substr(0, text.size()) == text;
}

bool HloCursor::accept(char wanted) {
  if (at_end() || text_[at_] != wanted) return false;
  ++at_;
  return true;
}

bool HloCursor::accept(std::string_view wanted) {
  if (!follows(wanted)) return false;
  at_ += wanted.size();
  return true;
}

void HloCursor::expect(char wanted, std::string_view what) {
  if (!accept(wanted)) fail_expecting(what);
}

void HloCursor::expect_end(std::string_view what) {
  if (!at_end()) fail_expecting(fmt::format("nothing more in {}", what));
}

std::string_view HloCursor::name(std::string_view what) {
  const size_t mark = peek() == '%' ? 1 : 0;
  const size_t begin = at_ + mark;
  if (begin >= end_ || !is_letter(text_[begin])) fail_expecting(what);
  size_t end = begin + 1;
  while (end < end_ && is_name_part(text_[end])) ++end;
  // "name->..." is a name and an arrow.
  if (end < end_ && text_[end] == '>' && text_[end - 1] == '-') --end;
  at_ = end;
  return text_.substr(begin, end - begin);
}

bool HloCursor::accept_word(std::string_view word) {
  if (!follows(word)) return false;
  const size_t end = at_ + word.size();
  if (end < end_ && is_name_part(text_[end])) return false;
  at_ = end;
  return true;
}

int64_t HloCursor::integer(std::string_view what) {
  skip_blanks();
  int64_t value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, failure] = std::from_chars(begin, text_.data() + end_, value);
  if (failure == std::errc::result_out_of_range) {
    fail(fmt::format("{} {} does not fit 64 bits", what,
                     printable(std::string_view(begin, static_cast<size_t>(end - begin)), 40)));
  }
  if (failure != std::errc()) fail_expecting(what);
  at_ += static_cast<size_t>(end - begin);
  return value;
}

int64_t HloCursor::integer(std::string_view what, int64_t min, int64_t max) {
  skip_blanks();
  const std::string_view place = rest();
  const int64_t value = integer(what);
  if (value < min || value > max) {
    fail_at(place, fmt::format("{} is {}, outside {} to {}", what, value, min, max));
  }
  return value;
}

bool HloCursor::boolean(std::string_view what) {
  if (accept_word("true")) return true;
  if (!accept_word("false")) fail_expecting(what);
  return false;
}

double HloCursor::number(std::string_view what) {
  const double sign = accept('-') ? -1 : 1;
  if (accept_word("inf")) return sign * std::numeric_limits<double>::infinity();
  if (accept_word("nan")) {
    if (accept('(')) {
      balanced("the payload of NaN");
      expect(')', "')' behind the payload of NaN");
    }
    return std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
  }
  skip_blanks();
  if (at_ >= end_ || (!is_digit(text_[at_]) && text_[at_] != '.')) fail_expecting(what);
  double value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, failure] = std::from_chars(begin, text_.data() + end_, value);
  if (failure == std::errc::result_out_of_range) {
    fail(fmt::format("{} {} is outside the range of f64", what,
                     printable(std::string_view(begin, static_cast<size_t>(end - begin)), 40)));
  }
  if (failure != std::errc()) fail_expecting(what);
  at_ += static_cast<size_t>(end - begin);
  return sign * value;
}

void HloCursor::skip_string(std::string_view what) {
  const HloCursor start = *this;
  const char quote = text_[at_++];
  while (at_ < end_ && text_[at_] != quote) {
    if (text_[at_] == '\\') advance(1);
    advance(1);
  }
  if (at_ >= end_) start.fail(fmt::format("the string of {} has no end", what));
  ++at_;
}

std::string HloCursor::quoted(std::string_view what) {
  if (peek() != '"' && peek() != '\'') fail_expecting(what);
  const size_t begin = at_ + 1;
  skip_string(what);
  std::string_view raw = text_.substr(begin, at_ - 1 - begin);
  std::string value;
  while (!raw.empty()) {
    const char c = raw.front();
    raw.remove_prefix(1);
    value += c == '\\' && !raw.empty() ? take_escape(raw) : c;
  }
  return value;
}

/// Moves behind one bracketed group, or up to what ends a value outside of brackets.
void HloCursor::scan(std::string_view what, bool one_group) {
  std::string open;
  do {
    const char c = text_[at_];
    if (open.empty() && (c == ',' || c == '\n')) return;
    if (c == '"' || c == '\'') {
      skip_string(what);
      continue;
    }
    if (c == '/' && skip_comment()) continue;
    if (c == '(' || c == '[' || c == '{') {
      if (open.size() >= kMaxNesting) fail(fmt::format("{} nests more than 1,000 levels", what));
      open += closing_of(c);
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) return;
      if (c != open.back())
        fail(fmt::format("expected '{}' in {}, found '{}'", open.back(), what, c));
      open.pop_back();
    }
    line_ += c == '\n' ? 1 : 0;
    ++at_;
    if (one_group && open.empty()) return;
  } while (at_ < end_);
  if (!open.empty()) fail(fmt::format("expected '{}' before the end of {}", open.back(), what));
}

std::string_view HloCursor::balanced(std::string_view what) {
  skip_blanks();
  const size_t begin = at_;
  if (at_ < end_) scan(what, false);
  const std::string_view value = trim(text_.substr(begin, at_ - begin));
  if (value.empty()) fail_expecting(what);
  return value;
}

std::string_view HloCursor::group(std::string_view what) {
  const char open = peek();
  if (open != '(' && open != '[' && open != '{') fail_expecting(what);
  const size_t begin = at_;
  scan(what, true);
  return text_.substr(begin, at_ - begin);
}

void HloCursor::fail(const std::string& message) const {
  fail_at(rest(), message);
}

void HloCursor::fail_at(std::string_view part, const std::string& message) const {
  const std::string_view before = text_.substr(0, static_cast<size_t>(part.data() - text_.data()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_end = before.rfind('\n');
  const size_t column =
      line_end == std::string_view::npos ? before.size() + 1 : before.size() - line_end;
  throw Error(ErrorKind::kFailed, fmt::format("{}:{}:{}: {}", source_, line, column, message));
}

void HloCursor::fail_expecting(std::string_view what) {
  skip_blanks();
  const std::string_view rest = this->rest();
  if (rest.empty()) fail(fmt::format("expected {}, found the end", what));
  const auto stop = std::find_if(rest.begin() + 1, rest.end(), [](char c) {
    return is_blank(c) || c == ',' || c == '(' || c == '{';
  });
  const std::string_view found = rest.substr(0, static_cast<size_t>(stop - rest.begin()));
  fail(fmt::format("expected {}, found '{}'", what, printable(found, 40)));
}

}  // namespace tilewright
