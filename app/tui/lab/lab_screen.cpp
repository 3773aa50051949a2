#include "app/tui/lab/lab_screen.h"

#include <array>

namespace tilewright {

namespace {

constexpr std::array<PaneInfo, 1> kPanes = {{{"Kernel", nullptr, [](const State&, Canvas) {}}}};

}  // namespace

const ScreenInfo& lab_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kLab,
                                     .name = "Lab",
                                     .place = Place::kLab,
                                     .panes = kPanes,
                                     .layout =
                                         [](const State&, const Rect& body) {
                                           return std::vector<PaneBox>{{0, body}};
                                         },
                                     .command_line = [](const State&) { return std::string(); }};
  return kScreen;
}

std::vector<WorkbenchCommand> lab_commands() {
  return {};
}

void kernel_finished(State&, int64_t, const std::shared_ptr<const KernelOutcome>&, Effects&) {}
void job_ended_without_result(State&, const JobSnapshot&) {}
void open_in_lab(State&, std::string_view, std::string_view, std::string_view, Effects&) {}

}  // namespace tilewright
