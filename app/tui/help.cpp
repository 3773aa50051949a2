#include "app/tui/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"
#include "app/tui/widgets.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

struct HelpLine {
  std::string keys;
  std::string command;
  std::string help;
  std::string obstacle;
};

/// Its own commands first, headings with neither keys nor command between.
std::vector<HelpLine> lines_of(const State& state) {
  std::vector<HelpLine> lines;
  Place place = info_of(state.screen).place;
  lines.push_back({"", "", std::string(info_of(state.screen).name), ""});
  for (const WorkbenchCommand* command : commands_on(state.screen)) {
    if (command->place != place) {
      place = command->place;
      lines.push_back({});
      lines.push_back({"", "", "Everywhere", ""});
    }
    std::vector<std::string> names;
    for (const Key key : command->key_list()) names.push_back(name_of(key));
    lines.push_back({join(names, " "), ":" + std::string(command->id), std::string(command->help),
                     obstacle_of(*command, state)});
  }
  return lines;
}

Rect box_of(const Rect& screen) {
  const int width = std::min(100, screen.width - 4);
  return {(screen.width - width) / 2, 1, width, screen.height - 3};
}

}  // namespace

void update_help(State& state, Key key) {
  const int rows = static_cast<int>(lines_of(state).size());
  const int visible = box_of({0, 0, state.width, state.height}).height - 2;
  int step = 0;
  if (key == keys::kUp || key == Key{U'k'}) step = -1;
  if (key == keys::kDown || key == Key{U'j'}) step = 1;
  if (key == keys::kPageUp) step = -visible;
  if (key == keys::kPageDown || key == keys::kSpace) step = visible;
  if (key == keys::kHome || key == Key{U'g'}) step = -rows;
  if (key == keys::kEnd || key == Key{U'G'}) step = rows;
  if (step == 0) {
    state.help.reset();
    return;
  }
  state.help->first_row = std::clamp(state.help->first_row + step, 0, std::max(0, rows - visible));
}

void draw_help(const State& state, Canvas screen) {
  const std::vector<HelpLine> lines = lines_of(state);
  const Rect box = box_of(screen.area());
  draw_frame(screen, box,
             {.title = "Keys and commands",
              .foot = "Up Down PgUp PgDn  any other key leaves",
              .is_focused = true});
  Canvas inside = screen.part(box.inset(2, 1));
  const int count = static_cast<int>(lines.size());
  const int first = std::clamp(state.help->first_row, 0, std::max(0, count - inside.height()));
  constexpr int kKeys = 16;
  constexpr int kCommand = 20;
  for (int row = 0; row < inside.height() && first + row < count; ++row) {
    const HelpLine& line = lines[static_cast<size_t>(first + row)];
    if (line.command.empty()) {
      inside.text(0, row, line.help, Role::kHeading);
      continue;
    }
    const bool is_possible = line.obstacle.empty();
    inside.text(0, row, line.keys, Role::kKey, kKeys - 1);
    inside.text(kKeys, row, line.command, Role::kDim, kCommand - 1);
    inside.text(kKeys + kCommand, row,
                is_possible ? line.help : fmt::format("{} (not now: {})", line.help, line.obstacle),
                is_possible ? Role::kText : Role::kDim);
  }
}

}  // namespace tilewright
