#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "app/tui/event.h"

namespace tilewright {

/// A line of text that is being typed.
struct LineEdit {
  std::u32string text;
  size_t cursor = 0;

  explicit LineEdit(std::string_view utf8 = {});
  std::string utf8() const;
  /// Takes a key that edits a line; false when it is not one.
  bool take(Key key);
};

}  // namespace tilewright
