#include "app/tui/messages.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr int kTimeColumns = 9;
constexpr int kHeadColumns = kTimeColumns + 8;

struct MessageLine {
  std::string time;  ///< of the first line of a message
  std::string_view severity;
  std::string text;
  Role role = Role::kText;
};

/// Colour alone would not tell it.
std::string_view severity_of(Role role) {
  switch (role) {
    case Role::kBad:
      return "error";
    case Role::kWarn:
      return "warning";
    case Role::kGood:
      return "done";
    default:
      return "";
  }
}

std::vector<MessageLine> lines_of(const State& state, int columns) {
  std::vector<MessageLine> lines;
  for (auto past = state.messages.rbegin(); past != state.messages.rend(); ++past) {
    const Message& message = past->message;
    MessageLine line = {past->time, severity_of(message.role), "", message.role};
    for (std::string& part : wrapped(message.text, std::max(1, columns - kHeadColumns))) {
      line.text = std::move(part);
      lines.push_back(line);
      line.time.clear();
      line.severity = "";
    }
  }
  return lines;
}

}  // namespace

void update_messages(State& state, Key key) {
  const Rect inside = overlay_box({0, 0, state.width, state.height}).inset(2, 1);
  const int rows = static_cast<int>(lines_of(state, inside.width).size());
  const auto first = scrolled(key, state.message_page->first_row, rows, inside.height);
  if (first) {
    state.message_page->first_row = *first;
  } else {
    state.message_page.reset();
  }
}

void draw_messages(const State& state, Canvas screen) {
  const Rect box = overlay_box(screen.area());
  draw_frame(screen, box,
             {.title = "Messages, newest first; times in UTC",
              .foot = "Up Down PgUp PgDn  any other key leaves",
              .is_focused = true});
  Canvas inside = screen.part(box.inset(2, 1));
  const std::vector<MessageLine> lines = lines_of(state, inside.width());
  const int count = static_cast<int>(lines.size());
  const int first =
      std::clamp(state.message_page->first_row, 0, std::max(0, count - inside.height()));
  for (int row = 0; row < inside.height() && first + row < count; ++row) {
    const MessageLine& line = lines[static_cast<size_t>(first + row)];
    inside.text(0, row, line.time, Role::kDim);
    inside.text(kTimeColumns, row, line.severity, line.role);
    inside.text(kHeadColumns, row, line.text, line.role);
  }
}

}  // namespace tilewright
