// The frame that all screens share: tabs above, hints and status below, overlays on top.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/tui/command_table.h"
#include "app/tui/help.h"
#include "app/tui/messages.h"
#include "app/tui/palette.h"
#include "app/tui/screen.h"
#include "app/tui/tour.h"
#include "app/tui/widgets.h"

namespace tilewright {

namespace {

/// What the right end of the tabs' row keeps for job and machine.
constexpr int kRightEnd = 24;

std::string_view program_name(const State& state) {
  constexpr int kRoomyWidth = 100;
  return state.width >= kRoomyWidth ? " tilewright " : " tw ";
}

std::string named_tab(size_t index) {
  return fmt::format(" {} {} ", index + 1, all_screens()[index].name);
}

/// Tabs show their digits alone, but for the active one, where there is no room for all names.
bool has_named_tabs(const State& state) {
  int width = columns_of(program_name(state)) + kRightEnd;
  for (size_t i = 0; i < all_screens().size(); ++i) width += columns_of(named_tab(i));
  return width <= state.width;
}

std::string tab_text(const State& state, size_t index) {
  const bool is_active = all_screens()[index].screen == state.screen;
  return is_active || has_named_tabs(state) ? named_tab(index) : fmt::format(" {} ", index + 1);
}

void draw_tabs(const State& state, Canvas row) {
  int x = row.text(0, 0, program_name(state), Role::kDim);
  for (size_t i = 0; i < all_screens().size(); ++i) {
    const bool is_active = all_screens()[i].screen == state.screen;
    x = row.text(x, 0, tab_text(state, i), is_active ? Role::kActiveTab : Role::kTab);
  }
  std::string right = state.machine->machine.name;
  if (state.session != "main") right = fmt::format("session {}  {}", state.session, right);
  if (!state.not_kept.empty()) right = "nothing is kept  " + right;
  const std::vector<const JobSnapshot*> jobs = state.shown_jobs();
  if (!jobs.empty()) {
    right = fmt::format("{} {:.0f} %{}  {}", jobs.front()->title, jobs.front()->fraction * 100,
                        jobs.size() > 1 ? fmt::format(" +{}", jobs.size() - 1) : "", right);
  }
  const int space = row.width() - x - 2;
  if (space < 8) return;
  const std::u32string shown = elided(right, space, row.glyphs());
  row.text_right(row.width() - 1, 0, utf8_of(shown), Role::kDim);
}

std::vector<Hint> hints_of(const State& state, int pane) {
  std::vector<Hint> hints;
  for (const WorkbenchCommand* command : commands_on(state.screen)) {
    if (command->hint.empty() || command->pane != pane || command->keys.empty()) continue;
    if (command->is_hinted && !command->is_hinted(state)) continue;
    const Key key = command->key_list().front();
    // The focused pane may have another use for the key.
    if (pane == -1 && command_of(state, key) != command) continue;
    const Hint hint = {name_of(key), std::string(command->hint)};
    // How to find everything else is never pushed out.
    const bool is_first = command->id == "help";
    hints.insert(is_first ? hints.begin() : hints.end(), hint);
  }
  return hints;
}

/// What Enter does in the focused pane; nothing where no hint says it.
std::optional<Hint> enter_hint(const State& state) {
  const auto is_shown = [&](const WorkbenchCommand& command) {
    return !command.hint.empty() && (!command.is_hinted || command.is_hinted(state));
  };
  const WorkbenchCommand* command = command_of(state, keys::kEnter);
  if (command && command->is_hinted && !is_shown(*command)) {
    // It does there what it does in the whole screen.
    for (const WorkbenchCommand* other : commands_on(state.screen)) {
      const std::vector<Key> list = other->key_list();
      const bool takes_enter = std::ranges::find(list, keys::kEnter) != list.end();
      if (takes_enter && other->pane == -1) command = other;
    }
  }
  if (!command || !is_shown(*command)) return std::nullopt;
  return Hint{name_of(keys::kEnter), std::string(command->hint)};
}

/// Help, Enter and Tab come first: where they lead must be read before they are pressed.
std::vector<Hint> screen_hints(const State& state) {
  std::vector<Hint> hints = hints_of(state, -1);
  std::erase_if(hints, [](const Hint& hint) { return hint.key == name_of(keys::kEnter); });
  std::vector<Hint> leading = {{name_of(keys::kTab), "next pane"}};
  if (const std::optional<Hint> enter = enter_hint(state)) leading.insert(leading.begin(), *enter);
  hints.insert(hints.begin() + (hints.empty() ? 0 : 1), leading.begin(), leading.end());
  return hints;
}

/// Those of a field that is being typed, else of the screen.
std::vector<Hint> bottom_hints(const State& state) {
  const auto mode_hints = info_of(state.screen).mode_hints;
  std::vector<Hint> hints = mode_hints ? mode_hints(state) : std::vector<Hint>();
  return hints.empty() ? screen_hints(state) : hints;
}

void draw_message(const State& state, Canvas& canvas, int y) {
  const std::string& text = state.message.text;
  if (columns_of(text) + 2 <= canvas.width()) {
    canvas.text(1, y, text, state.message.role);
    return;
  }
  constexpr std::string_view kRest = "! shows all";
  const int room = canvas.width() - columns_of(kRest) - 4;
  canvas.text(1, y, text, state.message.role, room);
  canvas.text_right(canvas.width() - 1, y, kRest, Role::kKey);
}

void draw_bottom(const State& state, Canvas screen) {
  const int hints = has_status_row(state.height) ? state.height - 2 : state.height - 1;
  if (state.question) {
    const int x = screen.text(1, hints, state.question->text, Role::kWarn);
    draw_hints(screen, x + 2, hints, {{"y", "yes"}, {"n", "no"}}, state.width - x - 3);
  } else if (hints == state.height - 1 && !state.message.text.empty()) {
    draw_message(state, screen, hints);
  } else {
    draw_hints(screen, 1, hints, bottom_hints(state), state.width - 2);
  }
  if (hints == state.height - 1) return;
  const auto status = info_of(state.screen).status;
  if (!state.message.text.empty()) {
    draw_message(state, screen, hints + 1);
  } else if (status) {
    screen.text(1, hints + 1, status(state), Role::kDim);
  }
}

/// The title of the focused pane says so in words too, whatever else is cut.
std::string focused_title(const std::string& title, const PaneBox& box, size_t panes,
                          const Glyphs& glyphs) {
  constexpr int kCorners = 6;
  const std::string mark = fmt::format("  ({}/{}, Tab)", box.pane + 1, panes);
  const int room = std::max(0, box.rect.width - kCorners - columns_of(mark));
  return utf8_of(elided(title, room, glyphs)) + mark;
}

void draw_pane(const State& state, Canvas& screen, const PaneBox& box) {
  const ScreenInfo& info = info_of(state.screen);
  const PaneInfo& pane = info.panes[static_cast<size_t>(box.pane)];
  std::string title = pane.title ? pane.title(state) : std::string(pane.name);
  const bool is_focused = box.pane == state.pane().pane;
  if (is_focused) title = focused_title(title, box, info.panes.size(), screen.glyphs());
  std::string foot = hint_text(hints_of(state, box.pane), box.rect.width - 8);
  if (foot.empty() && pane.legend) foot = pane.legend(state, box.rect.inset(2, 1));
  draw_frame(screen, box.rect, {.title = title, .foot = foot, .is_focused = is_focused});
  pane.draw(state, screen.part(box.rect.inset(2, 1)));
}

void draw_notice(const Notice& notice, Canvas& screen) {
  const int width = std::min(100, screen.width() - 4);
  const int lines = static_cast<int>(wrapped(notice.text, width - 4).size());
  const int height = std::min(lines + 2, screen.height() - 3);
  const Rect box = {(screen.width() - width) / 2, (screen.height() - height) / 2, width, height};
  draw_frame(
      screen, box,
      {.title = notice.title, .foot = "Esc leaves; other keys do their work", .is_focused = true});
  Canvas inside = screen.part(box.inset(2, 1));
  draw_wrapped(inside, 0, 0, notice.text);
}

Grid too_small(const State& state) {
  Grid grid(state.width, state.height);
  Canvas canvas(grid, glyphs_of(state.look.glyphs));
  draw_wrapped(canvas, 0, 0,
               fmt::format("too small: {}x{} is needed, this is {}x{}. q quits.", kLeastWidth,
                           kLeastHeight, state.width, state.height));
  return grid;
}

}  // namespace

Rect body_of(int width, int height) {
  return {0, 1, width, height - 2 - (has_status_row(height) ? 1 : 0)};
}

bool has_status_row(int height) {
  return height >= 20;
}

const ScreenInfo& info_of(Screen screen) {
  return all_screens()[static_cast<size_t>(screen)];
}

void enter_screen(State& state, Effects& effects) {
  if (const auto enter = info_of(state.screen).enter) enter(state, effects);
}

const ScreenInfo* tab_at(const State& state, int x) {
  int end = columns_of(program_name(state));
  for (size_t i = 0; i < all_screens().size(); ++i) {
    const int begin = end;
    end += columns_of(tab_text(state, i));
    if (x >= begin && x < end) return &all_screens()[i];
  }
  return nullptr;
}

std::vector<PaneBox> visible_panes(const State& state) {
  Rect body = body_of(state.width, state.height);
  body.height -= tour_rows(state);
  if (state.pane().is_zoomed) return {{state.pane().pane, body}};
  return info_of(state.screen).layout(state, body);
}

Grid draw(const State& state) {
  if (state.width < kLeastWidth || state.height < kLeastHeight) return too_small(state);
  Grid grid(state.width, state.height);
  Canvas screen(grid, glyphs_of(state.look.glyphs));
  draw_tabs(state, screen.part({0, 0, state.width, 1}));
  for (const PaneBox& box : visible_panes(state)) draw_pane(state, screen, box);
  draw_bottom(state, screen);
  if (state.tour) draw_tour(state, screen);
  if (state.help) draw_help(state, screen);
  if (state.message_page) draw_messages(state, screen);
  if (state.palette) draw_palette(state, screen);
  if (state.notice) draw_notice(*state.notice, screen);
  return grid;
}

}  // namespace tilewright
