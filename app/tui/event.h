#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/tui/rect.h"

namespace tilewright {

/// A key as the terminal gave it: a character, or one of the named ones.
struct Key {
  char32_t code = 0;

  friend bool operator==(const Key&, const Key&) = default;
};

/// Keys that are no characters stand behind the last code point of Unicode.
namespace keys {
constexpr Key kEnter{0x110000};
constexpr Key kEscape{0x110001};
constexpr Key kTab{0x110002};
constexpr Key kBackTab{0x110003};
constexpr Key kBackspace{0x110004};
constexpr Key kDelete{0x110005};
constexpr Key kUp{0x110006};
constexpr Key kDown{0x110007};
constexpr Key kLeft{0x110008};
constexpr Key kRight{0x110009};
constexpr Key kHome{0x11000A};
constexpr Key kEnd{0x11000B};
constexpr Key kPageUp{0x11000C};
constexpr Key kPageDown{0x11000D};
constexpr Key kF1{0x11000E};
constexpr Key kF5{0x11000F};
constexpr Key kSpace{U' '};
constexpr Key ctrl(char letter) {
  return Key{static_cast<char32_t>(letter - 'a' + 1)};
}
}  // namespace keys

/// "Enter", "Ctrl-L", "Space", "g": as hints, help and the manual write keys.
std::string name_of(Key key);
/// The key of that name, which must be one.
Key parse_key(std::string_view name);

struct MouseEvent {
  enum class Kind : uint8_t { kPress, kDrag, kRelease, kWheelUp, kWheelDown };
  Kind kind = Kind::kPress;
  int x = 0;
  int y = 0;
};

struct ResizeEvent {
  int width = 0;
  int height = 0;
};

/// What was pasted, where the terminal tells pastes from keys.
struct PasteEvent {
  std::u32string text;
};

using InputEvent = std::variant<Key, MouseEvent, ResizeEvent, PasteEvent>;

}  // namespace tilewright
