#include "app/tui/home/home_views.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/command_table.h"
#include "app/tui/home/home_load.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/widgets.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<StartEntry, 8> kStartEntries = {{
    {"tour", "first run? a tour of two minutes"},
    {"lab", "run a kernel: where does its time go?"},
    {"timeline", "every instruction, and why not earlier"},
    {"tune", "search for the fastest configs"},
    {"fusion", "which ops of a graph share a kernel"},
    {"serve", "replay a serving trace in virtual time"},
    {"results", "ask the database, compare two runs"},
    {"plan", "check what tuning found, and write it"},
}};

bool passes(const HomeState& home, std::string_view text) {
  return home.filter.empty() || lower_case(text).find(home.filter) != std::string::npos;
}

std::string runs_title(const State& state) {
  const HomeState& home = state.home;
  if (!home.data) return "Runs";
  const std::string all = format_count(home.data->run_count);
  const auto shown = std::ssize(shown_runs(home));
  if (!home.filter.empty()) {
    return fmt::format("Runs  {}{} of {}  filter \"{}\"", shown >= kRunsShown ? "newest " : "",
                       format_count(shown), all, printable(home.filter));
  }
  if (home.data->has_all_runs()) return "Runs  " + all;
  return fmt::format("Runs  newest {} of {}", format_count(shown), all);
}

Role role_of_status(std::string_view status) {
  if (status == "failed") return Role::kBad;
  if (status == "running" || status == "interrupted" || status == "gone") return Role::kWarn;
  return Role::kText;
}

/// Why the pane shows nothing, or not what the database holds now; empty where it does.
std::string failure_text(const State& state, int pane) {
  const HomeState& home = state.home;
  if (home.failure.empty() || (home.data && pane != kRuns)) return "";
  return fmt::format("{}: {}; R reads it again", home.data ? "not as it is now" : "not read",
                     home.failure);
}

/// Says why the database could not be read; returns the room below.
Canvas below_failure(const State& state, int pane, Canvas& canvas) {
  const std::string text = failure_text(state, pane);
  const int rows =
      text.empty() ? 0 : std::min(draw_wrapped(canvas, 0, 0, text, Role::kBad), canvas.height());
  return canvas.part({0, rows, canvas.width(), canvas.height() - rows});
}

/// Why a list is empty; `what` where the database has nothing for it.
std::string reason_of_nothing(const HomeState& home, std::string_view what) {
  if (!home.data)
    return home.load_job != 0 || home.failure.empty() ? "reading the database ..." : "";
  if (home.filter.empty()) return std::string(what);
  if (home.load_job != 0) return fmt::format("looking for \"{}\" ...", printable(home.filter));
  return fmt::format("nothing matches \"{}\"; Esc shows all", printable(home.filter));
}

void draw_nothing(Canvas& canvas, const State& state, std::string_view what) {
  draw_wrapped(canvas, 0, 0, reason_of_nothing(state.home, what), Role::kDim);
}

/// Only the pane that takes the keys shows its cursor.
void draw_cursor(Canvas& canvas, const State& state, int pane, int row) {
  if (state.pane().pane == pane) canvas.restyle({0, row, canvas.width(), 1}, Role::kCursor);
}

/// "gemm f16 m=1000 n=4096 k=4096": a problem without what is as usual. A text that is no problem
/// stays as it is: a database may hold what this program never wrote.
std::string brief_problem(const std::string& text) {
  try {
    const Problem problem = parse_problem(text);
    const bool is_nz = std::ranges::find(problem.layouts, "nz") != problem.layouts.end();
    const std::string mask = problem.mask.empty() ? "" : " mask=" + problem.mask;
    // Problems of other tools have no types.
    const std::string type =
        problem.types.empty() ? "" : fmt::format(" {}", name_of(problem.types[0]));
    return fmt::format("{}{}{} {}{}{}", problem.kernel, type, is_nz ? " nz" : "",
                       short_problem(problem),
                       problem.epilogue == "none" ? "" : " " + problem.epilogue, mask);
  } catch (const Error&) {
    return text;
  }
}

std::string brief_config(const std::string& text) {
  try {
    return short_config(parse_config(text));
  } catch (const Error&) {
    return text;
  }
}

/// "detailed" of "sim/2/detailed"; programs of the user's by their whole name.
std::string brief_evaluator(const std::string& text) {
  return text.starts_with("sim/") ? text.substr(text.rfind('/') + 1) : text;
}

/// "01-31 12:34" of an ISO date.
std::string moment(const std::string& date) {
  return date.size() < 16 ? date : date.substr(5, 5) + " " + date.substr(11, 5);
}

void draw_runs(const State& state, Canvas whole) {
  Canvas canvas = below_failure(state, kRuns, whole);
  const std::vector<const RunRow*> runs = shown_runs(state.home);
  if (runs.empty()) {
    draw_nothing(canvas, state,
                 "no runs yet: l opens the Lab to run a kernel, T is a tour of two minutes");
    return;
  }
  TableView table;
  table.columns = fit_columns({{"run", 5, true},
                               {"what", 24},
                               {"time", 11, true},
                               {"config", 12},
                               {"when", 11},
                               {"machine", 14}},
                              1, canvas.width());
  table.rows = static_cast<int>(runs.size());
  table.chosen = state.home.runs.row;
  table.has_focus = state.pane().pane == kRuns;
  draw_table(canvas, table, [&](int row) {
    const RunRow& run = *runs[static_cast<size_t>(row)];
    const std::string what =
        run.problem.empty() ? run.kind + " " + run.label : brief_problem(run.problem);
    const std::string time = run.time_us > 0 ? format_us(run.time_us) : run.status;
    return TableRow{{std::to_string(run.id), what, time, brief_config(run.config), moment(run.date),
                     run.machine},
                    role_of_status(run.status)};
  });
}

std::string best_title(const State& state) {
  const HomeData* data = state.home.data.get();
  if (!data) return "Best known configs";
  return fmt::format("Best known configs  {}{}", data->has_more_best ? "newest " : "",
                     data->best.size());
}

void draw_best(const State& state, Canvas whole) {
  Canvas canvas = below_failure(state, kBest, whole);
  const std::vector<const BestRow*> rows = shown_best(state.home);
  if (rows.empty()) {
    draw_nothing(canvas, state, "none yet: every run and every tuning adds to them");
    return;
  }
  TableView table;
  table.columns =
      fit_columns({{"problem", 24}, {"time", 10, true}, {"by", 8}, {"config", 20}, {"machine", 14}},
                  0, canvas.width());
  table.rows = static_cast<int>(rows.size());
  table.chosen = state.home.best.row;
  table.has_focus = state.pane().pane == kBest;
  draw_table(canvas, table, [&](int row) {
    const BestRow& best = *rows[static_cast<size_t>(row)];
    return TableRow{{brief_problem(best.problem), format_us(best.time_us),
                     brief_evaluator(best.evaluator), brief_config(best.config), best.machine}};
  });
}

void draw_machine(const State& state, Canvas canvas) {
  const Machine& machine = state.machine->machine;
  const auto bytes = [](int64_t value) { return format_bytes(static_cast<double>(value)); };
  int y = 0;
  canvas.text(0, y++, machine.name, Role::kHeading);
  draw_fact(
      canvas, y++, "cores",
      fmt::format("{} AIC, {} AIV, {:.2f} GHz", machine.cores.aic,
                  machine.cores.aic * machine.cores.aiv_per_aic, machine.cores.clock_mhz / 1000));
  draw_fact(
      canvas, y++, "peak",
      fmt::format("{:.1f} TFLOPS f16, {:.1f} TOPS i8", machine.peak_flops(DType::kF16) * 1e-12,
                  machine.peak_flops(DType::kI8) * 1e-12));
  draw_fact(
      canvas, y++, "HBM",
      fmt::format("{:.0f} GB/s, {}", machine.hbm.gb_per_s, bytes(machine.hbm.capacity_bytes)));
  draw_fact(canvas, y++, "L2",
            fmt::format("{}, {:.0f} B/cycle", bytes(machine.l2.capacity_bytes),
                        machine.l2.read_bytes_per_cycle));
  draw_fact(canvas, y++, "core",
            fmt::format("L1 {}, UB {}", bytes(machine.buffers.l1_bytes),
                        bytes(machine.buffers.ub_bytes)));
  draw_fact(canvas, y++, "",
            fmt::format("L0A {}, L0B {}, L0C {} KiB", machine.buffers.l0a_bytes / 1024,
                        machine.buffers.l0b_bytes / 1024, machine.buffers.l0c_bytes / 1024));
  draw_fact(canvas, y++, "launch", format_us(machine.launch.launch_us));
  draw_fact(canvas, y++, "hash", machine.fingerprint());
}

void draw_sessions(const State& state, Canvas whole) {
  Canvas canvas = below_failure(state, kSessions, whole);
  if (!state.home.data) return draw_nothing(canvas, state, "");
  const std::vector<SessionRow>& sessions = state.home.data->sessions;
  if (sessions.empty()) {
    draw_wrapped(canvas, 0, 0, "this one is kept when you leave; :session NAME begins another",
                 Role::kDim);
    return;
  }
  const int count = static_cast<int>(sessions.size());
  const int first = first_row(state.home.sessions.row, count, canvas.height());
  for (int row = 0; row < canvas.height() && first + row < count; ++row) {
    const SessionRow& session = sessions[static_cast<size_t>(first + row)];
    const int x = canvas.text(0, row, session.name, Role::kField, 12) + 2;
    canvas.text(x, row, session.what, Role::kText);
    if (first + row == state.home.sessions.row) draw_cursor(canvas, state, kSessions, row);
  }
}

void draw_jobs(const State& state, Canvas canvas) {
  const std::vector<const JobSnapshot*> jobs = state.shown_jobs();
  if (jobs.empty()) canvas.text(0, 0, "nothing is at work", Role::kDim);
  int y = 0;
  for (const JobSnapshot* job : jobs) {
    const int x = canvas.text(0, y, fmt::format("{} {}", job->id, job->title), Role::kText,
                              canvas.width() - 20) +
                  1;
    if (job->phase == JobPhase::kQueued) {
      canvas.text(x, y++, "queued", Role::kDim);
      continue;
    }
    canvas.bar(canvas.width() - 17, y, 10, job->fraction, Role::kGood);
    canvas.text_right(canvas.width(), y++, fmt::format("{:.0f} %", job->fraction * 100));
  }
}

void draw_start(const State& state, Canvas canvas) {
  int y = 0;
  for (const StartEntry& entry : start_entries()) {
    const WorkbenchCommand* command = command_named(Screen::kHome, entry.command);
    canvas.text(0, y, name_of(command->key_list().front()), Role::kKey);
    canvas.text(3, y, entry.meaning);
    if (y == state.home.start.row) draw_cursor(canvas, state, kStart, y);
    ++y;
  }
}

constexpr std::array<PaneInfo, 6> kPanes = {{
    {"Runs", runs_title, draw_runs},
    {"Best known configs", best_title, draw_best},
    {"Machine", nullptr, draw_machine},
    {"Sessions", nullptr, draw_sessions},
    {"Jobs", nullptr, draw_jobs},
    {"Start here", nullptr, draw_start},
}};

}  // namespace

std::span<const PaneInfo> home_panes() {
  return kPanes;
}

std::span<const StartEntry> start_entries() {
  return kStartEntries;
}

int failure_rows(const State& state, int pane, int width) {
  const std::string text = failure_text(state, pane);
  return text.empty() ? 0 : static_cast<int>(wrapped(text, width).size());
}

std::vector<const RunRow*> shown_runs(const HomeState& home) {
  std::vector<const RunRow*> rows;
  if (!home.data) return rows;
  for (const RunRow& run : home.data->runs) {
    if (passes(home, fmt::format("{} {} {} {} {}", run.id, run.kind, run.label, run.status,
                                 run.machine))) {
      rows.push_back(&run);
    }
  }
  return rows;
}

std::vector<const BestRow*> shown_best(const HomeState& home) {
  std::vector<const BestRow*> rows;
  if (!home.data) return rows;
  for (const BestRow& row : home.data->best) {
    if (passes(home, row.problem + " " + row.config + " " + row.machine)) rows.push_back(&row);
  }
  return rows;
}

}  // namespace tilewright
