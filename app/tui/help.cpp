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
  Role role = Role::kText;
};

/// Columns of keys, commands and what they do, in a page of so many.
struct HelpColumns {
  int keys = 0;
  int commands = 0;
  int help = 0;
};

HelpColumns columns_within(int width) {
  const int keys = width >= 80 ? 16 : 12;
  const int commands = width >= 80 ? 20 : 16;
  return {keys, commands, std::max(8, width - keys - commands)};
}

void add_command(std::vector<HelpLine>& lines, const WorkbenchCommand& command, const State& state,
                 int columns) {
  std::vector<std::string> names;
  for (const Key key : command.key_list()) names.push_back(name_of(key));
  const std::string obstacle = obstacle_of(command, state);
  const std::string help = obstacle.empty()
                               ? std::string(command.help)
                               : fmt::format("{} (not now: {})", command.help, obstacle);
  HelpLine line = {join(names, " "), ":" + std::string(command.id), "",
                   obstacle.empty() ? Role::kText : Role::kDim};
  for (std::string& part : wrapped(help, columns)) {
    line.help = std::move(part);
    lines.push_back(line);
    line.keys.clear();
    line.command.clear();
  }
}

/// Its own commands first, headings between.
std::vector<HelpLine> lines_of(const State& state, int columns) {
  std::vector<HelpLine> lines;
  Place place = info_of(state.screen).place;
  lines.push_back({"", "", std::string(info_of(state.screen).name), Role::kHeading});
  for (const WorkbenchCommand* command : commands_on(state.screen)) {
    if (command->place != place) {
      place = command->place;
      lines.push_back({});
      lines.push_back({"", "", "Everywhere", Role::kHeading});
    }
    add_command(lines, *command, state, columns);
  }
  return lines;
}

}  // namespace

void update_help(State& state, Key key) {
  const Rect inside = overlay_box({0, 0, state.width, state.height}).inset(2, 1);
  const int rows = static_cast<int>(lines_of(state, columns_within(inside.width).help).size());
  const auto first = scrolled(key, state.help->first_row, rows, inside.height);
  if (first) {
    state.help->first_row = *first;
  } else {
    state.help.reset();
  }
}

void draw_help(const State& state, Canvas screen) {
  const Rect box = overlay_box(screen.area());
  const HelpColumns columns = columns_within(box.inset(2, 1).width);
  const std::vector<HelpLine> lines = lines_of(state, columns.help);
  draw_frame(screen, box,
             {.title = "Keys and commands",
              .foot = "Up Down PgUp PgDn  any other key leaves",
              .is_focused = true});
  Canvas inside = screen.part(box.inset(2, 1));
  const int count = static_cast<int>(lines.size());
  const int first = std::clamp(state.help->first_row, 0, std::max(0, count - inside.height()));
  for (int row = 0; row < inside.height() && first + row < count; ++row) {
    const HelpLine& line = lines[static_cast<size_t>(first + row)];
    const int x = line.role == Role::kHeading ? 0 : columns.keys + columns.commands;
    inside.text(0, row, line.keys, Role::kKey, columns.keys - 1);
    inside.text(columns.keys, row, line.command, Role::kDim, columns.commands - 1);
    inside.text(x, row, line.help, line.role);
  }
}

}  // namespace tilewright
