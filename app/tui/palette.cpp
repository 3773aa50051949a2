#include "app/tui/palette.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"
#include "app/tui/widgets.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kRowsShown = 10;

/// How well `text` holds the letters of `typed` in their order: the fewer letters between them and
/// the earlier the first, the lower. Nothing when it does not.
std::optional<int> distance_of(std::string_view text, std::string_view typed) {
  int distance = 0;
  size_t position = 0;
  for (const char letter : typed) {
    size_t found = position;
    while (found < text.size() && std::tolower(static_cast<unsigned char>(text[found])) !=
                                      std::tolower(static_cast<unsigned char>(letter))) {
      ++found;
    }
    if (found == text.size()) return std::nullopt;
    distance += static_cast<int>(found - position);
    position = found + 1;
  }
  return distance;
}

struct Line {
  std::string command;
  std::string argument;
  bool has_argument = false;  ///< a blank stands behind the command
};

Line line_of(const State& state) {
  const std::string text = state.palette->line.utf8();
  if (!state.palette->asking.empty()) {
    return {state.palette->asking, std::string(trim(text)), true};
  }
  const size_t blank = text.find(' ');
  if (blank == std::string::npos) return {text, "", false};
  return {text.substr(0, blank), std::string(trim(text.substr(blank))), true};
}

std::string key_names(const WorkbenchCommand& command) {
  std::vector<std::string> names;
  for (const Key key : command.key_list()) names.push_back(name_of(key));
  return join(names, " ");
}

PaletteEntry entry_of(const State& state, const WorkbenchCommand& command) {
  const std::string obstacle = obstacle_of(command, state);
  PaletteEntry entry;
  entry.line = command.id;
  if (!command.argument.empty()) entry.line += " ";
  entry.help = obstacle.empty() ? std::string(command.help) : "not now: " + obstacle;
  entry.keys = key_names(command);
  return entry;
}

std::vector<PaletteEntry> argument_entries(const State& state, const Line& line) {
  std::vector<PaletteEntry> entries;
  const WorkbenchCommand* command = command_named(state.screen, line.command);
  if (!command || !command->choices) return entries;
  for (const std::string& choice : command->choices(state)) {
    if (!distance_of(choice, line.argument)) continue;
    entries.push_back({line.command + " " + choice, "", ""});
  }
  return entries;
}

/// The entry becomes what is typed, be it a line or the argument alone.
void put_entry(Palette& palette, std::string_view entry) {
  if (!palette.asking.empty()) entry.remove_prefix(palette.asking.size() + 1);
  palette.line = LineEdit(entry);
}

void run_line(State& state, Effects& effects) {
  const Line line = line_of(state);
  const WorkbenchCommand* command = command_named(state.screen, line.command);
  if (!command) {
    std::vector<std::string> ids;
    for (const WorkbenchCommand* known : commands_on(state.screen)) ids.emplace_back(known->id);
    state.say(fmt::format("unknown command '{}'{}; Esc leaves, ? lists the commands",
                          printable(line.command), did_you_mean(line.command, ids)),
              Role::kBad);
    return;
  }
  state.palette.reset();
  start_command(state, *command, line.argument, effects);
}

/// Enter takes the chosen entry, unless the line already says all.
void take_entry(State& state, Effects& effects) {
  const std::vector<PaletteEntry> entries = palette_entries(state);
  const Line line = line_of(state);
  const bool is_whole = command_named(state.screen, line.command) && line.has_argument &&
                        (!line.argument.empty() || entries.empty());
  const auto chosen = static_cast<size_t>(state.palette->chosen);
  if (!is_whole && chosen < entries.size()) {
    put_entry(*state.palette, entries[chosen].line);
    if (entries[chosen].line.ends_with(' ')) return;
  } else if (is_whole && chosen > 0 && chosen < entries.size()) {
    put_entry(*state.palette, entries[chosen].line);
  }
  run_line(state, effects);
}

void complete_line(State& state) {
  const std::vector<PaletteEntry> entries = palette_entries(state);
  const auto chosen = static_cast<size_t>(state.palette->chosen);
  if (chosen >= entries.size()) return;
  put_entry(*state.palette, entries[chosen].line);
  state.palette->chosen = 0;
}

}  // namespace

std::string typed_argument(const State& state) {
  if (!state.palette) return "";
  const std::string text = state.palette->line.utf8();
  const size_t blank = text.find(' ');
  return blank == std::string::npos ? "" : text.substr(blank + 1);
}

std::vector<PaletteEntry> palette_entries(const State& state) {
  const Line line = line_of(state);
  if (line.has_argument) return argument_entries(state, line);
  std::vector<std::pair<int, PaletteEntry>> found;
  for (const WorkbenchCommand* command : commands_on(state.screen)) {
    if (const auto distance = distance_of(command->id, line.command)) {
      found.emplace_back(*distance, entry_of(state, *command));
    }
  }
  std::ranges::stable_sort(found, {}, &decltype(found)::value_type::first);
  std::vector<PaletteEntry> entries;
  for (auto& [distance, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

void update_palette(State& state, Key key, Effects& effects) {
  const int count = static_cast<int>(palette_entries(state).size());
  if (key == keys::kEscape || key == keys::ctrl('c')) {
    state.palette.reset();
  } else if (key == keys::kEnter) {
    take_entry(state, effects);
  } else if (key == keys::kTab) {
    complete_line(state);
  } else if (key == keys::kUp || key == keys::kDown) {
    const int step = key == keys::kUp ? -1 : 1;
    state.palette->chosen = std::clamp(state.palette->chosen + step, 0, std::max(0, count - 1));
  } else if (key == keys::kBackspace && state.palette->line.text.empty() &&
             state.palette->asking.empty()) {
    state.palette.reset();
  } else if (state.palette->line.take(key)) {
    state.palette->chosen = 0;
  }
}

void draw_palette(const State& state, Canvas screen) {
  const std::vector<PaletteEntry> entries = palette_entries(state);
  const int count = static_cast<int>(entries.size());
  const int rows = std::min({count, kRowsShown, screen.height() - 6});
  const int width = std::min(96, screen.width() - 4);
  const Rect box = {(screen.width() - width) / 2, 2, width, rows + 3};
  draw_frame(screen, box,
             {.title = "Command", .foot = "Tab complete  Enter do  Esc leave", .is_focused = true});
  Canvas inside = screen.part(box.inset(2, 1));
  const std::string& asking = state.palette->asking;
  draw_line_edit(inside, 0, asking.empty() ? ":" : ":" + asking + " ", state.palette->line);
  const int first = std::clamp(state.palette->chosen - rows + 1, 0, std::max(0, count - rows));
  for (int row = 0; row < rows; ++row) {
    const PaletteEntry& entry = entries[static_cast<size_t>(first + row)];
    inside.text(0, row + 1, entry.line, Role::kField, 30);
    inside.text(32, row + 1, entry.help, Role::kText, inside.width() - 32 - 14);
    inside.text_right(inside.width(), row + 1, entry.keys, Role::kKey);
    if (first + row == state.palette->chosen) {
      inside.restyle({0, row + 1, inside.width(), 1}, Role::kCursor);
    }
  }
}

}  // namespace tilewright
