#include "app/tui/results/text_edit.h"

#include <algorithm>

#include "app/tui/grid.h"

namespace tilewright {

namespace {

/// Longer statements are files for `tilewright query "$(cat FILE)"`.
constexpr size_t kMostCharacters = 64 * 1024;

/// Characters that the grid can show, each one column wide, and line ends.
std::u32string clean(std::u32string_view glyphs) {
  std::u32string text;
  for (const char32_t glyph : glyphs) {
    if (glyph == U'\n') {
      text += glyph;
    } else if (glyph == U'\t') {
      text += U"  ";
    } else if (glyph >= U' ' && glyph != 0x7f) {
      text += cells_of(utf8_of(std::u32string(1, glyph)));
    }
  }
  return text;
}

}  // namespace

TextEdit::TextEdit(std::string_view utf8) {
  size_t begin = 0;
  while (true) {
    const size_t end = utf8.find('\n', begin);
    text += cells_of(utf8.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) break;
    text += U'\n';
    begin = end + 1;
  }
  cursor = text.size();
}

std::string TextEdit::utf8() const {
  return utf8_of(text);
}

size_t TextEdit::line_begin(size_t position) const {
  if (position == 0) return 0;
  const size_t before = text.rfind(U'\n', position - 1);
  return before == std::u32string::npos ? 0 : before + 1;
}

size_t TextEdit::line_end(size_t position) const {
  return std::min(text.find(U'\n', position), text.size());
}

size_t TextEdit::line() const {
  const auto upto = text.begin() + static_cast<std::ptrdiff_t>(cursor);
  return static_cast<size_t>(std::count(text.begin(), upto, U'\n'));
}

size_t TextEdit::column() const {
  return cursor - line_begin(cursor);
}

size_t TextEdit::line_count() const {
  return static_cast<size_t>(std::ranges::count(text, U'\n')) + 1;
}

void TextEdit::move_lines(int step) {
  const size_t wanted = column();
  const size_t begin = line_begin(cursor);
  size_t target = 0;
  if (step < 0) {
    if (begin == 0) return;
    target = line_begin(begin - 1);
  } else {
    if (line_end(cursor) == text.size()) return;
    target = line_end(cursor) + 1;
  }
  cursor = std::min(target + wanted, line_end(target));
}

bool TextEdit::take(Key key) {
  if (key == keys::kLeft) {
    cursor -= cursor > 0 ? 1 : 0;
  } else if (key == keys::kRight) {
    cursor = std::min(cursor + 1, text.size());
  } else if (key == keys::kUp) {
    move_lines(-1);
  } else if (key == keys::kDown) {
    move_lines(1);
  } else if (key == keys::kHome || key == keys::ctrl('a')) {
    cursor = line_begin(cursor);
  } else if (key == keys::kEnd || key == keys::ctrl('e')) {
    cursor = line_end(cursor);
  } else if (key == keys::kBackspace) {
    if (cursor > 0) text.erase(--cursor, 1);
  } else if (key == keys::kDelete) {
    if (cursor < text.size()) text.erase(cursor, 1);
  } else if (key == keys::ctrl('u')) {
    replace_before(line_begin(cursor), U"");
  } else if (key == keys::ctrl('k')) {
    text.erase(cursor, line_end(cursor) - cursor);
  } else if (key == keys::kEnter) {
    insert(U"\n");
  } else if (key.code >= U' ' && key.code < keys::kEnter.code) {
    insert(std::u32string(1, key.code));
  } else {
    return false;
  }
  return true;
}

void TextEdit::insert(std::u32string_view glyphs) {
  const std::u32string added = clean(glyphs);
  if (text.size() + added.size() > kMostCharacters) return;
  text.insert(cursor, added);
  cursor += added.size();
}

void TextEdit::replace_before(size_t begin, std::u32string_view glyphs) {
  text.erase(begin, cursor - begin);
  cursor = begin;
  insert(glyphs);
}

}  // namespace tilewright
