#include "app/tui/theme.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<std::string_view, 4> kDepthNames = {"mono", "8", "16", "256"};
constexpr std::array<std::string_view, 3> kThemeNames = {"dark", "light", "colorblind"};

template <typename Value, size_t kSize>
Value parse_name(std::string_view name, const std::array<std::string_view, kSize>& names,
                 std::string_view what) {
  std::array<std::string, kSize> known;
  for (size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<Value>(i);
    known[i] = names[i];
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("unknown {} '{}'{}; known are {}", what, printable(name),
                          did_you_mean(name, known), join(known, ", ")));
}

/// The colour of a role by theme at 256 colours, and at 16: the lower 8 of those serve 8 colours,
/// where bright ones are told by bold letters.
struct Color {
  int16_t of256 = -1;
  int16_t of16 = -1;
};

struct RoleStyle {
  Color dark = {};
  Color light = {};
  Color color_blind = {};
  /// Attributes without colours, so that what matters stands out there as well.
  bool bold = false;
  bool reverse = false;
  bool underline = false;
  bool dim = false;
  bool keeps_attributes = false;  ///< also with colours
};

/// Plain dark blue is avoided as text on dark ground, yellow on light ground.
RoleStyle style_of(Role role) {
  switch (role) {
    case Role::kText:
      return {};
    case Role::kDim:
      return {.dark = {245, 8}, .light = {243, 8}, .color_blind = {245, 8}};
    case Role::kHeading:
      return {.bold = true, .keeps_attributes = true};
    case Role::kFrame:
      return {.dark = {240, 8}, .light = {249, 7}, .color_blind = {240, 8}};
    case Role::kFocus:
      return {.dark = {81, 14},
              .light = {25, 4},
              .color_blind = {81, 14},
              .bold = true,
              .keeps_attributes = true};
    case Role::kKey:
      return {.dark = {222, 11}, .light = {94, 1}, .color_blind = {222, 11}, .bold = true};
    case Role::kCursor:
      return {.reverse = true, .keeps_attributes = true};
    case Role::kField:
      return {.dark = {123, 14},
              .light = {25, 4},
              .color_blind = {123, 14},
              .underline = true,
              .keeps_attributes = true};
    case Role::kGood:
      return {.dark = {114, 10}, .light = {28, 2}, .color_blind = {75, 12}};
    case Role::kWarn:
      return {.dark = {221, 11}, .light = {130, 3}, .color_blind = {221, 11}, .bold = true};
    case Role::kBad:
      return {.dark = {210, 9},
              .light = {160, 1},
              .color_blind = {208, 3},
              .bold = true,
              .keeps_attributes = true};
    case Role::kTab:
      return {.dark = {250, 7}, .light = {240, 8}, .color_blind = {250, 7}};
    case Role::kActiveTab:
      return {.bold = true, .reverse = true, .keeps_attributes = true};
    case Role::kCube:
      return {.dark = {75, 12}, .light = {26, 4}, .color_blind = {75, 12}};
    case Role::kCubeAlt:
      return {.dark = {68, 12}, .light = {32, 12}, .color_blind = {68, 12}};
    case Role::kVec:
      return {.dark = {114, 10}, .light = {28, 2}, .color_blind = {180, 11}};
    case Role::kVecAlt:
      return {.dark = {71, 2}, .light = {34, 10}, .color_blind = {137, 3}};
    case Role::kScalar:
      return {.dark = {250, 7}, .light = {240, 8}, .color_blind = {250, 7}};
    case Role::kScalarAlt:
      return {.dark = {244, 8}, .light = {246, 7}, .color_blind = {244, 8}};
    case Role::kMte1:
      return {.dark = {180, 11}, .light = {94, 3}, .color_blind = {208, 3}};
    case Role::kMte1Alt:
      return {.dark = {137, 3}, .light = {136, 11}, .color_blind = {166, 11}};
    case Role::kMte2:
      return {.dark = {209, 9}, .light = {166, 1}, .color_blind = {117, 14}};
    case Role::kMte2Alt:
      return {.dark = {167, 1}, .light = {202, 9}, .color_blind = {73, 6}};
    case Role::kMte3:
      return {.dark = {176, 13}, .light = {90, 5}, .color_blind = {176, 13}};
    case Role::kMte3Alt:
      return {.dark = {133, 5}, .light = {127, 13}, .color_blind = {133, 5}};
    case Role::kFixp:
      return {.dark = {116, 14}, .light = {30, 6}, .color_blind = {229, 15}};
    case Role::kFixpAlt:
      return {.dark = {73, 6}, .light = {37, 14}, .color_blind = {187, 7}};
    case Role::kShared:
      return {.dark = {216, 9}, .light = {131, 1}, .color_blind = {214, 3}};
    case Role::kWait:
      return {.dark = {247, 7}, .light = {242, 8}, .color_blind = {247, 7}};
    case Role::kPath:
      return {.dark = {227, 11},
              .light = {161, 5},
              .color_blind = {227, 11},
              .bold = true,
              .underline = true,
              .keeps_attributes = true};
    case Role::kMatch:
      return {.dark = {220, 11},
              .light = {130, 3},
              .color_blind = {220, 11},
              .reverse = true,
              .keeps_attributes = true};
  }
  return {};
}

}  // namespace

std::string_view name_of(ColorDepth depth) {
  return kDepthNames[static_cast<size_t>(depth)];
}

ColorDepth parse_color_depth(std::string_view name) {
  return parse_name<ColorDepth>(name, kDepthNames, "number of colours");
}

std::string_view name_of(Theme theme) {
  return kThemeNames[static_cast<size_t>(theme)];
}

Theme parse_theme(std::string_view name) {
  return parse_name<Theme>(name, kThemeNames, "theme");
}

Paint paint_of(Role role, Theme theme, ColorDepth depth) {
  const RoleStyle style = style_of(role);
  Paint paint;
  if (depth != ColorDepth::kMono) {
    const Color& color = theme == Theme::kDark    ? style.dark
                         : theme == Theme::kLight ? style.light
                                                  : style.color_blind;
    paint.foreground = depth == ColorDepth::k256 ? color.of256 : color.of16;
    if (depth == ColorDepth::k8 && paint.foreground >= 8) {
      paint.bold = true;
      // "Bright black" has no letters of its own here: plain text is readable, black is not.
      paint.foreground = paint.foreground == 8 ? int16_t{-1} : int16_t(paint.foreground - 8);
      if (paint.foreground < 0) paint.bold = false;
    }
  }
  if (depth == ColorDepth::kMono || style.keeps_attributes) {
    paint.bold |= style.bold;
    paint.reverse = style.reverse;
    paint.underline = style.underline;
    paint.dim = style.dim;
  }
  return paint;
}

}  // namespace tilewright
