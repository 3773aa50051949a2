#include "app/tui/home/home_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/export/export_screen.h"
#include "app/tui/home/home_views.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/layout.h"
#include "app/tui/row_commands.h"
#include "app/tui/screen.h"
#include "app/tui/tour.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  if (body.width < 100) {
    const int jobs = state.shown_jobs().empty() || state.pane().pane == kJobs ? 0 : 3;
    const std::vector<Rect> rows = split_rows(body, std::array{Share{5, 1}, Share{jobs, 0}});
    std::vector<PaneBox> boxes = {{state.pane().pane, rows[0]}};
    if (jobs > 0) boxes.push_back({kJobs, rows[1]});
    return boxes;
  }
  const std::vector<Rect> columns = split_columns(body, std::array{Share{60, 3}, Share{40, 1}});
  const std::vector<Rect> left = split_rows(columns[0], std::array{Share{6, 1}, Share{6, 1}});
  const int machine = std::min(11, body.height - 10);
  const int start = std::clamp(body.height - machine - 12, 3, 10);
  const std::vector<Rect> right = split_rows(
      columns[1], std::array{Share{machine, 0}, Share{3, 1}, Share{3, 1}, Share{start, 0}});
  return {{kRuns, left[0]},      {kBest, left[1]},  {kMachine, right[0]},
          {kSessions, right[1]}, {kJobs, right[2]}, {kStart, right[3]}};
}

/// The cursor of the focused list and the number of its rows.
ListCursor* focused_list(State& state, int& count) {
  switch (state.pane().pane) {
    case kRuns:
      count = static_cast<int>(shown_runs(state.home).size());
      return &state.home.runs;
    case kBest:
      count = static_cast<int>(shown_best(state.home).size());
      return &state.home.best;
    case kSessions:
      count = state.home.data ? static_cast<int>(state.home.data->sessions.size()) : 0;
      return &state.home.sessions;
    case kStart:
      count = static_cast<int>(start_entries().size());
      return &state.home.start;
    default:
      return nullptr;
  }
}

void move(State& state, int step) {
  int count = 0;
  if (ListCursor* list = focused_list(state, count)) {
    list->move_to(std::clamp(list->row + step, 0, std::max(0, count - 1)), count);
  }
}

const RunRow* chosen_run(const State& state) {
  const std::vector<const RunRow*> runs = shown_runs(state.home);
  const auto row = static_cast<size_t>(state.home.runs.row);
  return row < runs.size() ? runs[row] : nullptr;
}

const BestRow* chosen_best(const State& state) {
  const std::vector<const BestRow*> rows = shown_best(state.home);
  const auto row = static_cast<size_t>(state.home.best.row);
  return row < rows.size() ? rows[row] : nullptr;
}

const SessionRow* chosen_session(const State& state) {
  const auto row = static_cast<size_t>(state.home.sessions.row);
  const bool has = state.home.data && row < state.home.data->sessions.size();
  return has ? &state.home.data->sessions[row] : nullptr;
}

void open_row(State& state, std::string_view, Effects& effects) {
  const int pane = state.pane().pane;
  if (pane == kStart) {
    const StartEntry& entry = start_entries()[static_cast<size_t>(state.home.start.row)];
    start_command(state, *command_named(Screen::kHome, entry.command), "", effects);
    return;
  }
  if (pane == kSessions) {
    effects.emplace_back(SessionEffect{chosen_session(state)->name});
    return;
  }
  const BestRow* best = pane == kBest ? chosen_best(state) : nullptr;
  const RunRow* run = pane == kRuns ? chosen_run(state) : nullptr;
  if (best) {
    open_in_lab(state, best->problem, best->config, best->machine, effects);
  } else if (run && !run->problem.empty()) {
    open_in_lab(state, run->problem, run->config, run->machine, effects, run->id);
  } else if (run) {
    open_run(state, run->kind, run->id, effects);
  }
}

/// What the cursors of the lists are on, wherever it stands after the next read.
struct Chosen {
  int64_t run = 0;
  std::string best;
  std::string session;
};

std::string key_of(const BestRow& best) {
  return fmt::format("{}\n{}\n{}", best.problem, best.machine, best.evaluator);
}

Chosen chosen_of(const State& state) {
  const RunRow* run = chosen_run(state);
  const BestRow* best = chosen_best(state);
  const SessionRow* session = chosen_session(state);
  return {run ? run->id : 0, best ? key_of(*best) : "", session ? session->name : ""};
}

/// The cursor goes where its row went; where that is gone, it stays as far down as it was.
template <typename Rows, typename Is>
void follow(ListCursor& cursor, const Rows& rows, Is is_chosen) {
  const auto found = std::ranges::find_if(rows, is_chosen);
  const auto row = found == rows.end() ? cursor.row : static_cast<int>(found - rows.begin());
  cursor.move_to(row, static_cast<int>(rows.size()));
}

std::string nothing_to_open(const State& state) {
  const int pane = state.pane().pane;
  const bool has = pane == kStart || (pane == kRuns && chosen_run(state)) ||
                   (pane == kBest && chosen_best(state)) ||
                   (pane == kSessions && chosen_session(state));
  return has ? "" : "nothing is chosen here";
}

std::string no_tuning(const State& state) {
  const RunRow* run = state.pane().pane == kRuns ? chosen_run(state) : nullptr;
  return run && run->kind == "tune" ? "" : "choose a tuning in the list of runs";
}

/// What is in the list is filtered at once; where it has not all runs, the database is asked for
/// the others.
void set_filter(State& state, std::string_view text, Effects& effects) {
  state.home.filter = lower_case(text);
  state.home.runs = {};
  state.home.best = {};
  if (state.home.data && !state.home.data->has_all_runs()) refresh_home(state, effects);
}

bool type(State& state, Key key, Effects& effects) {
  if (key != keys::kEscape || state.home.filter.empty()) return false;
  set_filter(state, "", effects);
  return true;
}

void click(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects& effects) {
  if (event.kind == MouseEvent::Kind::kWheelUp) return move(state, -1);
  if (event.kind == MouseEvent::Kind::kWheelDown) return move(state, 1);
  int count = 0;
  ListCursor* list = focused_list(state, count);
  if (event.kind != MouseEvent::Kind::kPress || !list) return;
  const bool has_head = pane == kRuns || pane == kBest;
  const int above = failure_rows(state, pane, inner.width);
  const int y = event.y - above;
  const int first = has_head ? first_row(list->row, count, inner.height - above - 1) - 1 : 0;
  const int row = first + y;
  if (y < (has_head ? 1 : 0) || row >= count) return;
  if (row == list->row) {
    open_row(state, "", effects);
  } else {
    list->move_to(row, count);
  }
}

std::string command_line(const State& state) {
  if (state.pane().pane == kRuns) {
    if (const RunRow* run = chosen_run(state)) return fmt::format("tilewright report {}", run->id);
  }
  if (state.pane().pane == kBest) return "tilewright query best";
  if (state.pane().pane == kMachine) {
    return fmt::format("tilewright machine show {}", state.machine->argument);
  }
  return "tilewright query runs";
}

std::string status(const State& state) {
  const HomeState& home = state.home;
  if (!state.not_kept.empty()) return "nothing is kept: " + state.not_kept;
  if (!home.data) return (home.failure.empty() ? "reading " : "not read: ") + state.db;
  if (!home.data->exists) return fmt::format("{}: nothing was recorded yet", state.db);
  return fmt::format("{}  schema {}, {} measurements, {} runs, {}", state.db,
                     home.data->schema_version, format_count(home.data->measurement_count),
                     format_count(home.data->run_count),
                     format_bytes(static_cast<double>(home.data->bytes)));
}

}  // namespace

void refresh_home(State& state, Effects& effects) {
  state.home.load_job =
      submit(state, effects, "read database", LoadHomeJob{state.db, state.home.filter});
}

void reread_home(State& state, Effects& effects) {
  refresh_home(state, effects);
  state.jobs.back().is_quiet = true;
}

void home_job_ended(State& state, const JobSnapshot& job) {
  if (job.id != state.home.load_job) return;
  state.home.load_job = 0;
  if (job.phase == JobPhase::kFailed) state.home.failure = job.failure;
}

void home_loaded(State& state, int64_t job, const std::shared_ptr<const HomeData>& data) {
  HomeState& home = state.home;
  if (job == home.load_job) home.load_job = 0;
  home.failure.clear();
  const Chosen chosen = chosen_of(state);
  home.data = data;
  const std::vector<const RunRow*> runs = shown_runs(home);
  const std::vector<const BestRow*> best = shown_best(home);
  follow(home.runs, runs, [&](const RunRow* run) { return run->id == chosen.run; });
  follow(home.best, best, [&](const BestRow* row) { return key_of(*row) == chosen.best; });
  follow(home.sessions, data->sessions,
         [&](const SessionRow& session) { return session.name == chosen.session; });
}

std::vector<WorkbenchCommand> home_commands() {
  std::vector<WorkbenchCommand> table = {
      {.id = "open",
       .place = Place::kHome,
       .keys = "Enter",
       .hint = "open",
       .help = "the run or config in the Lab",
       .act = open_row,
       .obstacle = nothing_to_open},
      {.id = "export",
       .place = Place::kHome,
       .keys = "x",
       .help = "the winners of the chosen tuning, on Export",
       .act = [](State& state, std::string_view,
                 Effects& effects) { open_export(state, chosen_run(state)->id, effects); },
       .obstacle = no_tuning},
      {.id = "new",
       .place = Place::kHome,
       .keys = "n l",
       .hint = "new",
       .help = "a kernel in the Lab",
       .act =
           [](State& state, std::string_view, Effects& effects) {
             start_command(state, *command_named(Screen::kHome, "lab"), "", effects);
           }},
      {.id = "tour",
       .place = Place::kHome,
       .keys = "T",
       .hint = "tour",
       .help = "a kernel, its breakdown, an advice: the first two minutes",
       .act = [](State& state, std::string_view, Effects& effects) { start_tour(state, effects); }},
      {.id = "filter",
       .place = Place::kHome,
       .keys = "/",
       .hint = "filter",
       .help = "only rows that hold a text",
       .act = set_filter,
       .argument = "TEXT"},
      {.id = "refresh",
       .place = Place::kHome,
       .keys = "R",
       .help = "read the database again",
       .act = [](State& state, std::string_view,
                 Effects& effects) { refresh_home(state, effects); }},
  };
  const auto rows = row_commands<move>(Place::kHome);
  table.insert(table.end(), rows.begin(), rows.end());
  return table;
}

const ScreenInfo& home_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kHome,
                                     .name = "Home",
                                     .place = Place::kHome,
                                     .panes = home_panes(),
                                     .layout = layout,
                                     .enter = refresh_home,
                                     .type = type,
                                     .mouse = click,
                                     .command_line = command_line,
                                     .status = status};
  return kScreen;
}

}  // namespace tilewright
