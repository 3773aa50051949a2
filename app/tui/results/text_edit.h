#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "app/tui/event.h"

namespace tilewright {

/// A text of several lines that is being typed.
struct TextEdit {
  std::u32string text;
  size_t cursor = 0;  ///< characters before it

  TextEdit() = default;
  /// With the cursor at the end.
  explicit TextEdit(std::string_view utf8);

  std::string utf8() const;
  /// Where the cursor is, both from 0.
  size_t line() const;
  size_t column() const;
  size_t line_count() const;

  /// Takes a key that edits or moves; false when it is not one. Enter begins a line.
  bool take(Key key);
  /// Puts a text in at the cursor, line ends and tabs included; what is no character is left out.
  void insert(std::u32string_view glyphs);
  /// Replaces the characters from `begin` to the cursor.
  void replace_before(size_t begin, std::u32string_view glyphs);

 private:
  size_t line_begin(size_t position) const;
  size_t line_end(size_t position) const;
  void move_lines(int step);
};

}  // namespace tilewright
