#include "app/tui/glyphs.h"

#include <fmt/format.h>

#include <array>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<std::string_view, 3> kSetNames = {"unicode", "blocks", "ascii"};

Glyphs line_glyphs(GlyphSet set) {
  Glyphs glyphs;
  glyphs.set = set;
  glyphs.horizontal = U'─';
  glyphs.vertical = U'│';
  glyphs.top_left = U'┌';
  glyphs.top_right = U'┐';
  glyphs.bottom_left = U'└';
  glyphs.bottom_right = U'┘';
  glyphs.bar_full = U'█';
  glyphs.bar_empty = U'░';
  glyphs.idle = U'·';
  glyphs.dense = U'▒';
  glyphs.ellipsis = U'…';
  glyphs.roof = U'─';
  return glyphs;
}

Glyphs unicode_glyphs() {
  Glyphs glyphs = line_glyphs(GlyphSet::kUnicode);
  glyphs.cursor = U'▸';
  glyphs.pinned = U'◆';
  glyphs.marker = U'▲';
  return glyphs;
}

}  // namespace

std::string_view name_of(GlyphSet set) {
  return kSetNames[static_cast<size_t>(set)];
}

GlyphSet parse_glyph_set(std::string_view name) {
  for (size_t i = 0; i < kSetNames.size(); ++i) {
    if (kSetNames[i] == name) return static_cast<GlyphSet>(i);
  }
  const std::array<std::string, 3> names = {"unicode", "blocks", "ascii"};
  throw Error(ErrorKind::kUsage, fmt::format("unknown glyphs '{}'{}; known are {}", printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

char32_t Glyphs::event(Pipe pipe, bool alternate) const {
  if (set != GlyphSet::kAscii) return alternate ? U'▓' : U'█';
  //                                    CUBE VEC SCALAR MTE1 MTE2 MTE3 FIXP
  constexpr std::u32string_view kEven = U"#+s=m%x";
  constexpr std::u32string_view kOdd = U"HvSMWoX";
  return (alternate ? kOdd : kEven)[static_cast<size_t>(pipe)];
}

char32_t Glyphs::level(int eighths) const {
  const auto index = static_cast<size_t>(eighths < 0 ? 0 : eighths > 8 ? 8 : eighths);
  switch (set) {
    case GlyphSet::kUnicode:
      return U" ▁▂▃▄▅▆▇█"[index];
    case GlyphSet::kBlocks:
      return U"  __▄▄▄▄█"[index];
    case GlyphSet::kAscii:
      return U" .:-=+*%#"[index];
  }
  return U' ';
}

char32_t Glyphs::bar_part(int eighths) const {
  switch (set) {
    case GlyphSet::kUnicode:
      return eighths <= 0 ? bar_empty : U" ▏▎▍▌▋▊▉"[eighths];
    case GlyphSet::kBlocks:
      return eighths < 4 ? bar_empty : U'▌';
    case GlyphSet::kAscii:
      return eighths < 4 ? bar_empty : bar_full;
  }
  return bar_empty;
}

char32_t Glyphs::dots(unsigned bits) const {
  if (bits == 0) return U' ';
  if (set == GlyphSet::kAscii) return U'o';
  if (set == GlyphSet::kBlocks) {
    const bool upper = (bits & 0x33u) != 0;
    const bool lower = (bits & 0xCCu) != 0;
    return upper && lower ? U'█' : upper ? U'▀' : U'▄';
  }
  // Braille counts its dots 1 2 3 7 down the left column and 4 5 6 8 down the right one.
  constexpr std::array<unsigned, 8> kBraille = {0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80};
  char32_t glyph = 0x2800;
  for (unsigned bit = 0; bit < 8; ++bit) {
    if ((bits >> bit) & 1u) glyph |= kBraille[bit];
  }
  return glyph;
}

const Glyphs& glyphs_of(GlyphSet set) {
  static const std::array<Glyphs, 3> kGlyphs = {unicode_glyphs(), line_glyphs(GlyphSet::kBlocks),
                                                Glyphs{}};
  return kGlyphs[static_cast<size_t>(set)];
}

}  // namespace tilewright
