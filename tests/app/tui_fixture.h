#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "app/tui/screen.h"
#include "core/machine/machine.h"

namespace tilewright {

/// A workbench without terminal, workers and files.
inline State test_state(int width = 120, int height = 40, GlyphSet glyphs = GlyphSet::kUnicode) {
  State state;
  state.width = width;
  state.height = height;
  state.look.glyphs = glyphs;
  state.db = "results.db";
  state.machine =
      std::make_shared<const NamedMachine>("ascend-910b2", load_machine("ascend-910b2"));
  return state;
}

/// Presses keys by their names, "j Enter Ctrl-L"; the effects of all of them.
inline Effects press(State& state, std::string_view names) {
  Effects effects;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(' ', begin), names.size());
    update(state, InputEvent(parse_key(names.substr(begin, end - begin))), effects);
    begin = end + 1;
  }
  return effects;
}

/// Types a text as it stands.
inline Effects type(State& state, std::string_view text) {
  Effects effects;
  for (const char32_t glyph : cells_of(text)) update(state, InputEvent(Key{glyph}), effects);
  return effects;
}

/// The first effect of a kind; null when there is none.
template <typename Kind>
const Kind* effect_of(const Effects& effects) {
  for (const Effect& effect : effects) {
    if (const auto* one = std::get_if<Kind>(&effect)) return one;
  }
  return nullptr;
}

}  // namespace tilewright
