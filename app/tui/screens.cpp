#include <fmt/format.h>

#include <array>

#include "app/tui/export/export_screen.h"
#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/home/home_screen.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/results/results_screen.h"
#include "app/tui/screen.h"
#include "app/tui/serve/serve_screen.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/tune/tune_screen.h"

namespace tilewright {

std::span<const ScreenInfo> all_screens() {
  static const std::array<ScreenInfo, kScreenCount> kScreens = {
      home_screen(),   lab_screen(),   timeline_screen(), tune_screen(),
      fusion_screen(), serve_screen(), results_screen(),  export_screen()};
  return kScreens;
}

void open_run(State& state, std::string_view kind, int64_t run, Effects& effects) {
  if (kind == "tune") return open_tuned_run(state, run, effects);
  if (kind == "serve") return open_serve_run(state, run, effects);
  state.say(fmt::format("run {} is of kind {}: tilewright report {}", run, kind, run), Role::kWarn);
}

}  // namespace tilewright
