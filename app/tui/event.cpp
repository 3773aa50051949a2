#include "app/tui/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/tui/grid.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

constexpr std::array<std::pair<Key, std::string_view>, 17> kNames = {{
    {keys::kEnter, "Enter"},
    {keys::kEscape, "Esc"},
    {keys::kTab, "Tab"},
    {keys::kBackTab, "Shift-Tab"},
    {keys::kBackspace, "Backspace"},
    {keys::kDelete, "Del"},
    {keys::kUp, "Up"},
    {keys::kDown, "Down"},
    {keys::kLeft, "Left"},
    {keys::kRight, "Right"},
    {keys::kHome, "Home"},
    {keys::kEnd, "End"},
    {keys::kPageUp, "PgUp"},
    {keys::kPageDown, "PgDn"},
    {keys::kF1, "F1"},
    {keys::kF5, "F5"},
    {keys::kSpace, "Space"},
}};

constexpr std::string_view kCtrl = "Ctrl-";

}  // namespace

std::string name_of(Key key) {
  const auto* const named = std::ranges::find(kNames, key, &decltype(kNames)::value_type::first);
  if (named != kNames.end()) return std::string(named->second);
  if (key.code >= 1 && key.code <= 26) {
    return fmt::format("{}{}", kCtrl, static_cast<char>('A' + key.code - 1));
  }
  return utf8_of(std::u32string(1, key.code));
}

Key parse_key(std::string_view name) {
  const auto* const named = std::ranges::find(kNames, name, &decltype(kNames)::value_type::second);
  if (named != kNames.end()) return named->first;
  if (name.size() == kCtrl.size() + 1 && name.starts_with(kCtrl)) {
    return keys::ctrl(static_cast<char>(name.back() - 'A' + 'a'));
  }
  const std::u32string glyphs = cells_of(name);
  TW_CHECK(glyphs.size() == 1, "a key is a character or has a name");
  return Key{glyphs[0]};
}

}  // namespace tilewright
