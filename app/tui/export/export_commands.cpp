// The Export screen's part of the command table.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/export/export_screen.h"
#include "app/tui/export/export_update.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/row_commands.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

std::string no_winner(const State& state) {
  return chosen_winner(state.exporting) ? "" : "there are no winners";
}

std::string one_format(const State& state) {
  const ExportState& exporting = state.exporting;
  if (!exporting.view || exporting.view->formats.empty()) return "there are no winners";
  return exporting.view->formats.size() > 1 ? "" : "no other format can hold what the run found";
}

void choose_run(State& state, std::string_view text, Effects& effects) {
  // Behind the number stands what the list says of the run.
  load_export_run(state, parse_int(text.substr(0, text.find(' ')), "the run"), effects);
}

std::vector<std::string> runs_to_choose(const State& state) {
  std::vector<std::string> runs;
  if (!state.exporting.view) return runs;
  for (const ExportRun& run : state.exporting.view->runs) {
    runs.push_back(fmt::format("{} {}", run.id, run.label));
  }
  return runs;
}

void set_path(State& state, std::string_view path, Effects&) {
  state.exporting.path = std::string(trim(path));
  state.exporting.preview_row = 0;
}

void edit_path(State& state, std::string_view, Effects&) {
  state.palette = Palette{.line = LineEdit(state.exporting.path), .asking = "path"};
}

void open_winner(State& state, std::string_view, Effects& effects) {
  const Winner& winner = chosen_winner(state.exporting)->winner;
  open_in_lab(state, winner.problem, winner.config, state.exporting.view->source.run.machine_name,
              effects);
}

template <ExportVerdict::Kind kKind>
void verify(State& state, std::string_view, Effects& effects) {
  start_verification(state, kKind, effects);
}

template <ExportVerdict::Kind kKind>
std::string no_verification(const State& state) {
  return verify_obstacle(state, kKind);
}

std::vector<WorkbenchCommand> file_commands() {
  return {
      {.id = "write",
       .keys = "Enter",
       .hint = "write",
       .help = "write the file in one go; what was there is kept as FILE.bak",
       .act = [](State& state, std::string_view, Effects& effects) { write_draft(state, effects); },
       .obstacle = write_obstacle},
      {.id = "toggle",
       .keys = "Space",
       .hint = "toggle",
       .help = "select the winner, or leave it out",
       .act = [](State& state, std::string_view, Effects&) { toggle_winner(state); },
       .obstacle = no_winner},
      {.id = "numerics",
       .keys = "c",
       .hint = "check numbers",
       .help = "compute the selected configs at a small size against their references",
       .act = verify<ExportVerdict::Kind::kNumerics>,
       .obstacle = no_verification<ExportVerdict::Kind::kNumerics>},
      {.id = "replay",
       .keys = "r",
       .hint = "replay A/B",
       .help = "serve the run's workload with the plan and without",
       .act = verify<ExportVerdict::Kind::kReplay>,
       .obstacle = no_verification<ExportVerdict::Kind::kReplay>},
      {.id = "format",
       .keys = "f",
       .hint = "format",
       .help = "plan, or what the run measured as csv, t4 or catlass",
       .act = [](State& state, std::string_view, Effects&) { next_format(state); },
       .obstacle = one_format},
      {.id = "edit",
       .keys = "e",
       .hint = "path",
       .help = "type the path of the file",
       .act = edit_path},
      {.id = "path", .help = "the file that is written", .act = set_path, .argument = "FILE"},
      {.id = "run",
       .keys = "R",
       .hint = "run",
       .help = "the winners of another tuning",
       .act = choose_run,
       .argument = "RUN",
       .choices = runs_to_choose},
  };
}

std::vector<WorkbenchCommand> winner_commands() {
  return {
      {.id = "all",
       .keys = "a",
       .hint = "all",
       .help = "select every winner that is current",
       .act = [](State& state, std::string_view, Effects&) { select_winners(state, true); },
       .obstacle = no_winner,
       .pane = kExportWinners},
      {.id = "none",
       .keys = "A",
       .hint = "none",
       .help = "select none",
       .act = [](State& state, std::string_view, Effects&) { select_winners(state, false); },
       .obstacle = no_winner,
       .pane = kExportWinners},
      {.id = "open",
       .keys = "o",
       .hint = "in Lab",
       .help = "the winner in the Lab",
       .act = open_winner,
       .obstacle = no_winner,
       .pane = kExportWinners},
  };
}

}  // namespace

std::vector<WorkbenchCommand> export_commands() {
  std::vector<WorkbenchCommand> table = file_commands();
  for (const auto& more : {winner_commands(), row_commands<move_in_export>(Place::kExport)}) {
    table.insert(table.end(), more.begin(), more.end());
  }
  for (WorkbenchCommand& command : table) command.place = Place::kExport;
  return table;
}

}  // namespace tilewright
