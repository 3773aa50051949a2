#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewright {

/// A place in HLO text that moves forward over names, numbers, strings and balanced statements.
/// White space and comments ("// ..." and "/*index=5*/") between them are skipped. Reads that do
/// not find what they ask for throw Error (failed): "source:line:column: expected ..., found ...".
/// The text must outlive the cursor and every view that it gives.
class HloCursor {
 public:
  /// `source` names the text in errors.
  HloCursor(std::string_view text, std::string_view source);

  /// A cursor over a part of this text, such as the value of an attribute.
  HloCursor within(std::string_view part) const;

  /// The next character that is neither blank nor comment; 0 at the end.
  char peek();
  bool at_end() { return peek() == '\0'; }
  /// Whether the rest begins with `text`.
  bool follows(std::string_view text);

  bool accept(char wanted);
  bool accept(std::string_view wanted);
  /// `what` completes "expected ...".
  void expect(char wanted, std::string_view what);
  /// Nothing but blanks may be left of `what`.
  void expect_end(std::string_view what);

  /// [A-Za-z_][A-Za-z0-9_.-]*, with or without a '%' before it, which is no part of the name.
  std::string_view name(std::string_view what);
  /// Takes `word` when it is the whole next name.
  bool accept_word(std::string_view word);
  int64_t integer(std::string_view what);
  int64_t integer(std::string_view what, int64_t min, int64_t max);
  bool boolean(std::string_view what);
  /// A number with optional fraction and exponent, "inf", "nan" or "nan(0x...)", each with an
  /// optional '-'. NaN loses its payload.
  double number(std::string_view what);
  /// Between " or ', with the escapes \n \t \r \" \' \\ and octal and hexadecimal ones decoded.
  std::string quoted(std::string_view what);

  /// Everything up to a comma, a closing bracket or a line end outside of brackets, strings and
  /// comments; without blanks around it. Brackets inside must match, to kMaxNesting levels.
  std::string_view balanced(std::string_view what);

  /// The bracket that comes next with everything up to the one that closes it, in the same way.
  std::string_view group(std::string_view what);

  /// What is left, from the current place.
  std::string_view rest() const { return text_.substr(at_, end_ - at_); }
  /// Line of the current place, from 1, for a cursor that began at the start of the text.
  int32_t line() const { return line_; }
  /// Throws "source:line:column: message" for the current place, or for one in `part`.
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void fail_at(std::string_view part, const std::string& message) const;

  static constexpr int64_t kMaxNesting = 1000;

 private:
  [[noreturn]] void fail_expecting(std::string_view what);
  void skip_blanks();
  void scan(std::string_view what, bool one_group);
  void skip_string(std::string_view what);
  bool skip_comment();
  void advance(size_t count);

  std::string_view text_;  ///< all of it, so that places are those of the file
  std::string_view source_;
  size_t at_ = 0;
  size_t end_ = 0;
  int32_t line_ = 1;
};

}  // namespace tilewright
