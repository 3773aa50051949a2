#pragma once

#include <cstdint>
#include <string_view>

#include "app/tui/role.h"

namespace tilewright {

/// Colours that the terminal has.
enum class ColorDepth : uint8_t { kMono, k8, k16, k256 };
/// "mono", "8", "16", "256".
std::string_view name_of(ColorDepth depth);
ColorDepth parse_color_depth(std::string_view name);

enum class Theme : uint8_t {
  kDark,
  kLight,
  kColorBlind,  ///< dark, blue and orange instead of green and red
};
/// "dark", "light", "colorblind".
std::string_view name_of(Theme theme);
/// Error (usage) suggests the nearest name.
Theme parse_theme(std::string_view name);

/// How a terminal draws a cell. Colours are palette numbers, -1 is the terminal's own.
struct Paint {
  int16_t foreground = -1;
  int16_t background = -1;
  bool bold = false;
  bool reverse = false;
  bool underline = false;
  bool dim = false;

  friend bool operator==(const Paint&, const Paint&) = default;
};

/// Each role lists its value at each depth: nothing is mixed or rounded while drawing.
Paint paint_of(Role role, Theme theme, ColorDepth depth);

}  // namespace tilewright
