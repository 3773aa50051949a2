#pragma once

#include <string_view>
#include <type_traits>
#include <vector>

#include "app/tui/command_table.h"

namespace tilewright {

/// The commands by which a screen's cursor goes through the rows of the focused pane, by the keys
/// that all screens share. `kMove(state, rows)` or `kMove(state, rows, effects)` moves it, up where
/// `rows` is below 0, and stops at the first and the last.
template <auto kMove>
std::vector<WorkbenchCommand> row_commands(Place place, std::string_view down = "next row") {
  constexpr int kPage = 10;
  constexpr int kAll = 1 << 24;
  const auto row = [place]<int kRows>(std::integral_constant<int, kRows>, std::string_view id,
                                      std::string_view keys, std::string_view help) {
    WorkbenchCommand command{.id = id, .place = place, .keys = keys, .help = help};
    command.act = [](State& state, std::string_view, Effects& effects) {
      if constexpr (std::is_invocable_v<decltype(kMove), State&, int, Effects&>) {
        kMove(state, kRows, effects);
      } else {
        kMove(state, kRows);
      }
    };
    return command;
  };
  return {row(std::integral_constant<int, 1>(), "down", "j Down", down),
          row(std::integral_constant<int, -1>(), "up", "k Up", "row before"),
          row(std::integral_constant<int, kPage>(), "page.down", "PgDn Ctrl-D", "ten rows down"),
          row(std::integral_constant<int, -kPage>(), "page.up", "PgUp Ctrl-U", "ten rows up"),
          row(std::integral_constant<int, -kAll>(), "first", "g Home", "first row"),
          row(std::integral_constant<int, kAll>(), "last", "G End", "last row")};
}

}  // namespace tilewright
