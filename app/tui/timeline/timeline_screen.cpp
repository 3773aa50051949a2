#include "app/tui/timeline/timeline_screen.h"

#include <array>

namespace tilewright {

namespace {

constexpr std::array<PaneInfo, 1> kPanes = {{{"Lanes", nullptr, [](const State&, Canvas) {}}}};

}  // namespace

const ScreenInfo& timeline_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kTimeline,
                                     .name = "Timeline",
                                     .place = Place::kTimeline,
                                     .panes = kPanes,
                                     .layout =
                                         [](const State&, const Rect& body) {
                                           return std::vector<PaneBox>{{0, body}};
                                         },
                                     .command_line = [](const State&) { return std::string(); }};
  return kScreen;
}

std::vector<WorkbenchCommand> timeline_commands() {
  return {};
}

void timeline_ready(State&, int64_t, const std::shared_ptr<const TimelineData>&, Effects&) {}
void open_timeline(State&, const KernelRequest&, Effects&) {}

}  // namespace tilewright
