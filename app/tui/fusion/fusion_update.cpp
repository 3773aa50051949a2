#include "app/tui/fusion/fusion_update.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/shell_word.h"
#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/fusion/fusion_views.h"
#include "app/tui/shell_command.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

bool is_at_work(const State& state, int64_t job) {
  return job != 0 && std::ranges::find(state.jobs, job, &JobSnapshot::id) != state.jobs.end();
}

bool holds(const FusionUnit& unit, int32_t op) {
  return std::ranges::binary_search(unit.ops, op);
}

/// Rows of a region from top to bottom.
std::vector<FusionRow> rows_of_units(const std::vector<FusionUnit>& units,
                                     const std::set<int32_t>& folded) {
  std::vector<FusionRow> rows;
  for (size_t i = 0; i < units.size(); ++i) {
    const FusionUnit& unit = units[i];
    const int place = static_cast<int>(i);
    if (unit.ops.size() > 1) rows.push_back({place, -1});
    if (unit.ops.size() > 1 && folded.contains(unit.op)) continue;
    for (const int32_t op : unit.ops) rows.push_back({place, op});
  }
  return rows;
}

/// By op its row; of an op that several kernels make, where it is left in memory, else the first.
std::vector<int> rows_by_op(const FusionState& fusion, const std::vector<FusionUnit>& units) {
  std::vector<int> row_of(static_cast<size_t>(fusion.program->region(fusion.region).size()), -1);
  const FusionPlan& plan = fusion.rows_of->plan[fusion.region].plan;
  for (size_t i = 0; i < fusion.rows.size(); ++i) {
    const FusionRow& row = fusion.rows[i];
    const FusionUnit& unit = units[static_cast<size_t>(row.unit)];
    const auto set = [&](int32_t op) {
      int& at = row_of[static_cast<size_t>(op)];
      const bool is_left = unit.unit.kernel >= 0 &&
                           std::ranges::binary_search(
                               plan.kernels[static_cast<size_t>(unit.unit.kernel)].outputs, op);
      if (at < 0 || is_left) at = static_cast<int>(i);
    };
    if (row.op >= 0) {
      set(row.op);
    } else if (fusion.folded.contains(unit.op)) {
      for (const int32_t op : unit.ops) set(op);
    }
  }
  return row_of;
}

/// The row of an op, after the rows have changed; 0 where it has none.
void put_cursor_on(FusionState& fusion, int32_t op) {
  const auto place = static_cast<size_t>(op);
  const int row = op >= 0 && place < fusion.row_of.size() ? fusion.row_of[place] : -1;
  fusion.row.move_to(std::max(0, row), static_cast<int>(fusion.rows.size()));
}

void refresh_rows(FusionState& fusion) {
  const FusionVariantRef shown = shown_fusion_plan(fusion);
  const bool is_current = fusion.rows_of == shown && fusion.rows_region == fusion.region &&
                          fusion.rows_folded == fusion.folded;
  if (is_current) return;
  const bool was_here = fusion.rows_of && fusion.rows_region == fusion.region;
  int32_t cursor = -1;
  if (was_here && fusion.row.row < static_cast<int>(fusion.rows.size())) {
    const FusionRow& row = fusion.rows[static_cast<size_t>(fusion.row.row)];
    cursor = op_of(fusion.rows_of->units[fusion.region], row);
    // A heading stays above its first op.
    const bool is_heading = row.op < 0 && fusion.rows_of == shown;
    if (is_heading) cursor = -2 - row.unit;
  }
  fusion.rows_of = shown;
  fusion.rows_region = fusion.region;
  fusion.rows_folded = fusion.folded;
  fusion.rows.clear();
  fusion.row_of.clear();
  if (!shown) return;
  const std::vector<FusionUnit>& units = shown->units[fusion.region];
  fusion.rows = rows_of_units(units, fusion.folded);
  fusion.row_of = rows_by_op(fusion, units);
  if (cursor <= -2) {
    const auto heading = std::ranges::find(fusion.rows, FusionRow{-2 - cursor, -1});
    fusion.row.move_to(static_cast<int>(heading - fusion.rows.begin()),
                       static_cast<int>(fusion.rows.size()));
  } else {
    put_cursor_on(fusion, cursor);
  }
  fusion.kernel.move_to(fusion.kernel.row, static_cast<int>(units.size()));
  // Marks are of the plan that was shown.
  if (!was_here || fusion.marks.empty()) return;
  std::erase_if(fusion.marks, [&](const FusionRow& mark) {
    const auto unit = static_cast<size_t>(mark.unit);
    return unit >= units.size() || (mark.op >= 0 && !holds(units[unit], mark.op));
  });
}

void refresh_diff(FusionState& fusion) {
  if (!fusion.shows_diff) return;
  const FusionVariantRef a = baseline_fusion_plan(fusion);
  const FusionVariantRef b = shown_fusion_plan(fusion);
  if (fusion.diff_a == a && fusion.diff_b == b) return;
  fusion.diff_a = a;
  fusion.diff_b = b;
  fusion.diff.clear();
  fusion.why_row = 0;
  if (!a || !b) return;
  for (size_t i = 0; i < a->plan.size(); ++i) {
    fusion.diff.push_back(diff_plans(a->plan[i].plan, b->plan[i].plan));
  }
}

void show_plan(FusionState& fusion, const std::string& name) {
  if (fusion.shown != name) fusion.marks.clear();
  fusion.shown = name;
}

void take_plan(FusionState& fusion, const FusionVariantRef& plan) {
  const auto known = std::ranges::find_if(
      fusion.planned, [&](const FusionVariantRef& other) { return other->name == plan->name; });
  if (known == fusion.planned.end()) {
    fusion.planned.push_back(plan);
  } else {
    *known = plan;
  }
}

/// Another graph: nothing of the one before is of use.
void take_program(FusionState& fusion, const std::shared_ptr<FusionProgram>& program) {
  fusion.program = program;
  fusion.planned.clear();
  fusion.edits.clear();
  fusion.edits_done = 0;
  fusion.shown.clear();
  fusion.baseline.clear();
  fusion.ask_job = 0;  // what it finds is of no use
  fusion.region = 0;
  fusion.row = fusion.kernel = {};
  fusion.cost_row = fusion.why_row = 0;
  fusion.folded.clear();
  fusion.marks.clear();
  fusion.why.clear();
  fusion.is_refused = false;
  fusion.rows_of.reset();
  fusion.rows.clear();
  fusion.row_of.clear();
  fusion.diff.clear();
  fusion.diff_a.reset();
  fusion.diff_b.reset();
}

void ask(State& state, FusionAsk what, std::string title, Effects& effects) {
  FusionState& fusion = state.fusion;
  what.region = fusion.region;
  fusion.ask_job = submit(state, effects, std::move(title),
                          AskFusionJob{fusion.program, shown_fusion_plan(fusion), what});
}

std::string busy(const State& state) {
  return is_asking_fusion(state) ? "the last one is still being judged; K cancels it" : "";
}

std::string next_name(const std::vector<FusionVariantRef>& plans, const std::string& now) {
  const auto found =
      std::ranges::find_if(plans, [&](const FusionVariantRef& plan) { return plan->name == now; });
  const bool is_last = found == plans.end() || found + 1 == plans.end();
  return (is_last ? plans.front() : *(found + 1))->name;
}

/// What edits ask of a search, as options of the command: " --pin A,B --veto C,D".
std::string constraint_options(const FusionState& fusion) {
  const FusionVariantRef shown = shown_fusion_plan(fusion);
  std::string options;
  for (size_t i = 0; shown && i < shown->constraints.size(); ++i) {
    const FusionGraph& graph = fusion.program->region(i);
    const auto add = [&](std::string_view option, const std::vector<OpPair>& pairs) {
      for (const OpPair& pair : pairs) {
        options += fmt::format(" --{} {}", option,
                               shell_word(graph.name(pair.first) + "," + graph.name(pair.second)));
      }
    };
    add("pin", shown->constraints[i].pins);
    add("veto", shown->constraints[i].vetoes);
  }
  return options;
}

/// A clamp that moves a first row.
int scrolled_by(int row, int step, int rows) {
  return std::clamp(row + step, 0, std::max(0, rows - 1));
}

}  // namespace

std::vector<FusionVariantRef> fusion_plans(const FusionState& fusion) {
  std::vector<FusionVariantRef> plans = fusion.planned;
  if (fusion.edits_done > 0) plans.push_back(fusion.edits[fusion.edits_done - 1]);
  return plans;
}

FusionVariantRef fusion_plan_named(const FusionState& fusion, std::string_view name) {
  for (const FusionVariantRef& plan : fusion_plans(fusion)) {
    if (plan->name == name) return plan;
  }
  return nullptr;
}

FusionVariantRef shown_fusion_plan(const FusionState& fusion) {
  return fusion_plan_named(fusion, fusion.shown);
}

FusionVariantRef baseline_fusion_plan(const FusionState& fusion) {
  return fusion_plan_named(fusion, fusion.baseline);
}

const std::vector<FusionUnit>* shown_units(const FusionState& fusion) {
  return fusion.rows_of ? &fusion.rows_of->units[fusion.rows_region] : nullptr;
}

std::optional<FusionRow> fusion_place(const State& state) {
  const FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>* units = shown_units(fusion);
  if (!units || fusion.rows.empty()) return std::nullopt;
  if (state.pane().pane != kFusionKernels) {
    return fusion.rows[static_cast<size_t>(fusion.row.row)];
  }
  const FusionUnit& unit = (*units)[static_cast<size_t>(fusion.kernel.row)];
  return FusionRow{fusion.kernel.row, unit.ops.size() > 1 ? -1 : unit.op};
}

int32_t op_of(const std::vector<FusionUnit>& units, const FusionRow& row) {
  return row.op >= 0 ? row.op : units[static_cast<size_t>(row.unit)].op;
}

bool is_marked(const FusionState& fusion, const FusionRow& row) {
  return std::ranges::find(fusion.marks, row) != fusion.marks.end();
}

std::optional<std::pair<FusionRow, FusionRow>> fusion_pair(const State& state) {
  const std::vector<FusionRow>& marks = state.fusion.marks;
  const std::optional<FusionRow> place = fusion_place(state);
  if (!place || marks.empty()) return std::nullopt;
  if (marks.size() == 2) return std::pair(marks[0], marks[1]);
  if (marks[0] == *place) return std::nullopt;
  return std::pair(marks[0], *place);
}

std::string letter_of(const FusionUnit& unit) {
  if (unit.number < 0) return "-";
  std::string letters;
  for (int rest = unit.number; rest >= 0; rest = rest / 26 - 1) {
    letters.insert(letters.begin(), static_cast<char>('A' + rest % 26));
  }
  return letters;
}

bool is_planning_fusion(const State& state) {
  return is_at_work(state, state.fusion.plan_job) || is_at_work(state, state.fusion.search_job);
}

bool is_asking_fusion(const State& state) {
  return is_at_work(state, state.fusion.ask_job);
}

std::string no_fusion_plan(const State& state) {
  if (shown_fusion_plan(state.fusion)) return "";
  return is_planning_fusion(state) ? "the plans are still being made"
                                   : "nothing is planned; r plans";
}

std::string no_fusion_place(const State& state) {
  if (const std::string none = no_fusion_plan(state); !none.empty()) return none;
  return fusion_place(state) ? "" : "the region has no op that a kernel makes";
}

std::string fusion_plan_obstacle(const State& state) {
  return is_planning_fusion(state) ? "plans are being made; K cancels that" : "";
}

std::string fusion_merge_obstacle(const State& state) {
  if (const std::string none = no_fusion_place(state); !none.empty()) return none;
  const auto pair = fusion_pair(state);
  if (!pair) return "mark an op or a kernel with Space, and go to the other";
  if (pair->first.unit == pair->second.unit) return "they are in one kernel";
  return busy(state);
}

std::string fusion_split_obstacle(const State& state) {
  if (const std::string none = no_fusion_place(state); !none.empty()) return none;
  const FusionRow place = *fusion_place(state);
  const FusionUnit& unit = (*shown_units(state.fusion))[static_cast<size_t>(place.unit)];
  if (unit.unit.kernel < 0 || unit.ops.size() < 2) return "it is one op alone";
  if (place.op < 0) return "go to the op of the kernel before which it is to be cut";
  return busy(state);
}

std::string fusion_explain_obstacle(const State& state) {
  if (const std::string none = no_fusion_place(state); !none.empty()) return none;
  const auto pair = fusion_pair(state);
  if (!pair) return "mark an op with Space, and go to the other";
  const std::vector<FusionUnit>& units = *shown_units(state.fusion);
  if (op_of(units, pair->first) == op_of(units, pair->second)) return "it is the same op";
  return busy(state);
}

std::string fusion_simulate_obstacle(const State& state) {
  if (const std::string none = no_fusion_plan(state); !none.empty()) return none;
  return busy(state);
}

std::string fusion_search_obstacle(const State& state) {
  if (const std::string none = no_fusion_plan(state); !none.empty()) return none;
  return fusion_plan_obstacle(state);
}

std::string fusion_undo_obstacle(const State& state) {
  if (state.fusion.edits_done == 0) return "no edit to undo";
  return busy(state);
}

std::string fusion_redo_obstacle(const State& state) {
  if (state.fusion.edits_done == state.fusion.edits.size()) return "no edit to do again";
  return busy(state);
}

void start_planning(State& state, bool with_all, Effects& effects) {
  FusionState& fusion = state.fusion;
  FusionRequest request = fusion_request(fusion.form, state.machine);
  if (with_all) {
    request.planners.clear();
    for (const FusionPlanner& planner : fusion_planners()) request.planners.push_back(planner.name);
  }
  const bool is_same = fusion.program && fusion.program->request.is_of_one_graph(request);
  if (is_same) {
    std::erase_if(request.planners, [&](const std::string& name) {
      return fusion_plan_named(fusion, name) != nullptr;
    });
    if (request.planners.empty()) {
      return state.say("that is planned already: p shows the next plan, a plans with all planners",
                       Role::kDim);
    }
  }
  fusion.failure.clear();
  std::string title = "plan " + printable(request.source.name, 40);
  fusion.plan_job =
      submit(state, effects, std::move(title),
             PlanFusionJob{std::move(request), is_same ? fusion.program : nullptr, false, {}});
}

void start_fusion_search(State& state, Effects& effects) {
  FusionState& fusion = state.fusion;
  FusionRequest request = fusion.program->request;
  request.planners = {"tilewright"};
  fusion.search_job = submit(state, effects, "search a plan",
                             PlanFusionJob{std::move(request), fusion.program, true,
                                           shown_fusion_plan(fusion)->constraints});
}

void merge_kernels(State& state, Effects& effects) {
  const std::vector<FusionUnit>& units = *shown_units(state.fusion);
  const auto pair = *fusion_pair(state);
  FusionAsk what;
  what.kind = FusionAsk::Kind::kMerge;
  what.a = units[static_cast<size_t>(pair.first.unit)].unit;
  what.b = units[static_cast<size_t>(pair.second.unit)].unit;
  what.ops = {op_of(units, pair.first), op_of(units, pair.second)};
  ask(state, what, "merge", effects);
}

void split_kernel(State& state, Effects& effects) {
  const FusionRow place = *fusion_place(state);
  FusionAsk what;
  what.kind = FusionAsk::Kind::kSplit;
  what.a = (*shown_units(state.fusion))[static_cast<size_t>(place.unit)].unit;
  what.ops = {place.op, place.op};
  ask(state, what, "split", effects);
}

void explain_fusion(State& state, Effects& effects) {
  const std::vector<FusionUnit>& units = *shown_units(state.fusion);
  const auto pair = *fusion_pair(state);
  FusionAsk what;
  what.kind = FusionAsk::Kind::kExplain;
  what.ops = {op_of(units, pair.first), op_of(units, pair.second)};
  ask(state, what, "explain", effects);
}

void simulate_fusion(State& state, bool all, Effects& effects) {
  const FusionVariantRef shown = shown_fusion_plan(state.fusion);
  const auto is_estimate = [](const KernelCost& cost) { return !cost.is_simulated; };
  FusionAsk what;
  what.kind = FusionAsk::Kind::kSimulate;
  if (all) {
    const bool has_some = std::ranges::any_of(
        shown->costs, [&](const auto& costs) { return std::ranges::any_of(costs, is_estimate); });
    if (!has_some) return state.say("every kernel of the plan is simulated", Role::kDim);
  } else {
    const FusionUnit& unit =
        (*shown_units(state.fusion))[static_cast<size_t>(fusion_place(state)->unit)];
    if (unit.unit.kernel < 0) {
      return state.say("an op that runs by itself costs the same in all plans; it is not simulated",
                       Role::kDim);
    }
    if (!is_estimate(unit.cost)) return state.say("the kernel is simulated", Role::kDim);
    what.a = unit.unit;
  }
  ask(state, what, "simulate", effects);
}

void undo_fusion(State& state) {
  FusionState& fusion = state.fusion;
  --fusion.edits_done;
  show_plan(fusion, fusion.edits_done > 0 ? kEditedPlan : fusion.edited_from);
  fusion.marks.clear();
  state.say(fmt::format("undone: {} of {} left",
                        format_counted(static_cast<int64_t>(fusion.edits_done), "edit"),
                        fusion.edits.size()),
            Role::kDim);
}

void redo_fusion(State& state) {
  FusionState& fusion = state.fusion;
  ++fusion.edits_done;
  show_plan(fusion, kEditedPlan);
  fusion.marks.clear();
  state.say(fmt::format("done again: edit {} of {}", fusion.edits_done, fusion.edits.size()),
            Role::kDim);
}

void move_in_fusion(State& state, int step) {
  FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>* units = shown_units(fusion);
  const auto moved = [&](ListCursor& cursor, size_t count) {
    cursor.move_to(scrolled_by(cursor.row, step, static_cast<int>(count)), static_cast<int>(count));
  };
  switch (state.pane().pane) {
    case kFusionGraph:
      return moved(fusion.row, fusion.rows.size());
    case kFusionKernels:
      return moved(fusion.kernel, units ? units->size() : 0);
    case kFusionCosts:
      fusion.cost_row = scrolled_by(fusion.cost_row, step, fusion_cost_rows(state));
      return;
    case kFusionWhy:
      fusion.why_row = scrolled_by(fusion.why_row, step, fusion_why_rows(state));
      return;
    default:
      fusion.field = scrolled_by(fusion.field, step, static_cast<int>(fusion.form.size()));
  }
}

void toggle_fusion_mark(State& state) {
  std::vector<FusionRow>& marks = state.fusion.marks;
  const FusionRow place = *fusion_place(state);
  if (std::erase(marks, place) > 0) return;
  if (marks.size() == 2) marks.erase(marks.begin());
  marks.push_back(place);
}

void toggle_fusion_fold(State& state) {
  FusionState& fusion = state.fusion;
  const FusionUnit& unit = (*shown_units(fusion))[static_cast<size_t>(fusion_place(state)->unit)];
  if (unit.ops.size() < 2) return state.say("it is one op alone", Role::kDim);
  if (fusion.folded.erase(unit.op) == 0) fusion.folded.insert(unit.op);
}

void fold_all_fusion(State& state) {
  FusionState& fusion = state.fusion;
  std::set<int32_t> all;
  for (const FusionUnit& unit : *shown_units(fusion)) {
    if (unit.ops.size() > 1) all.insert(unit.op);
  }
  fusion.folded = std::ranges::includes(fusion.folded, all) ? std::set<int32_t>() : std::move(all);
}

void choose_fusion_region(State& state, size_t region) {
  FusionState& fusion = state.fusion;
  fusion.region = region;
  fusion.folded.clear();
  fusion.marks.clear();
  fusion.row = fusion.kernel = {};
}

void next_fusion_region(State& state, int step) {
  const auto count = static_cast<int>(state.fusion.program->asking.region_count());
  if (count == 1) return state.say("the graph has one region, without loops", Role::kDim);
  const int next = (static_cast<int>(state.fusion.region) + step + count) % count;
  choose_fusion_region(state, static_cast<size_t>(next));
}

void next_fusion_plan(State& state) {
  FusionState& fusion = state.fusion;
  show_plan(fusion, next_name(fusion_plans(fusion), fusion.shown));
}

void next_fusion_baseline(State& state) {
  FusionState& fusion = state.fusion;
  fusion.baseline = next_name(fusion_plans(fusion), fusion.baseline);
}

void find_in_fusion(State& state, int direction) {
  FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>& units = *shown_units(fusion);
  const FusionGraph& graph = fusion.program->region(fusion.region);
  const std::vector<FusionRow> all = rows_of_units(units, {});
  const FusionRow now = fusion.rows[static_cast<size_t>(fusion.row.row)];
  const auto count = std::ssize(all);
  auto at = std::ranges::find(all, now) - all.begin();
  for (int64_t i = 0; i < count; ++i) {
    at = (at + direction + count) % count;
    const FusionRow& row = all[static_cast<size_t>(at)];
    if (row.op < 0 || lower_case(graph.name(row.op)).find(fusion.search) == std::string::npos) {
      continue;
    }
    fusion.folded.erase(units[static_cast<size_t>(row.unit)].op);
    refresh_rows(fusion);
    const auto found = std::ranges::find(fusion.rows, row);
    fusion.row.move_to(static_cast<int>(found - fusion.rows.begin()),
                       static_cast<int>(fusion.rows.size()));
    state.pane().pane = kFusionGraph;
    return;
  }
  state.say(fmt::format("no op of the region has '{}' in its name", printable(fusion.search)),
            Role::kWarn);
}

void show_kernel_ops(State& state) {
  FusionState& fusion = state.fusion;
  const FusionRow place = *fusion_place(state);
  const auto found = std::ranges::find(fusion.rows, place);
  fusion.row.move_to(static_cast<int>(found - fusion.rows.begin()),
                     static_cast<int>(fusion.rows.size()));
  state.pane().pane = kFusionGraph;
}

void settle_fusion(State& state, Effects&) {
  refresh_rows(state.fusion);
  refresh_diff(state.fusion);
}

std::vector<FusionDiffRow> fusion_diff_rows(const FusionState& fusion) {
  std::vector<FusionDiffRow> rows;
  for (size_t i = 0; i < fusion.diff.size(); ++i) {
    for (const size_t kernel : fusion.diff[i].only_a) rows.push_back({false, i, kernel});
    for (const size_t kernel : fusion.diff[i].only_b) rows.push_back({true, i, kernel});
  }
  return rows;
}

std::string fusion_command_line(const State& state) {
  try {
    const FusionState& fusion = state.fusion;
    const bool is_form = state.pane().pane == kFusionForm || !fusion.program;
    FusionRequest request =
        is_form ? fusion_request(fusion.form, state.machine) : fusion.program->request;
    if (is_form) return with_machine(fuse_command_line(request), request.machine->argument, state);
    request.planners.clear();
    for (const FusionVariantRef& plan : fusion.planned) {
      if (plan->name != kSearchedPlan) request.planners.push_back(plan->name);
    }
    const std::string constraints = constraint_options(fusion);
    if (!constraints.empty()) request.planners = {"tilewright"};
    return with_machine(fuse_command_line(request) + constraints, request.machine->argument, state);
  } catch (const Error&) {
    return "";  // the form makes no sense as it is
  }
}

void fusion_planned(State& state, const JobSnapshot& job,
                    const std::shared_ptr<const FusionPlans>& plans) {
  FusionState& fusion = state.fusion;
  if (job.id != fusion.plan_job && job.id != fusion.search_job) return;
  if (plans->program != fusion.program) take_program(fusion, plans->program);
  const bool is_first = fusion.planned.empty();
  const std::string before = fusion.shown;
  for (const FusionVariantRef& plan : plans->plans) take_plan(fusion, plan);
  if (plans->plans.empty()) return;
  if (is_first) {
    fusion.baseline = plans->plans.front()->name;
    state.pane().pane = state.screen == Screen::kFusion ? int{kFusionGraph} : state.pane().pane;
  }
  const bool is_search = job.id == fusion.search_job;
  // What is being edited stays in sight.
  const bool is_wanted = is_search || fusion.shown != kEditedPlan;
  if (is_first || (job.is_over() && is_wanted)) show_plan(fusion, plans->plans.back()->name);
  if (!job.is_over()) return;
  (is_search ? fusion.search_job : fusion.plan_job) = 0;
  if (is_search && before != kSearchedPlan) fusion.baseline = before;
  const FusionVariant& newest = *plans->plans.back();
  const PlanSummary& summary = newest.summary;
  state.say(fmt::format("{}: {}, {}{}", newest.name, launches_text(summary.launches),
                        format_us(summary.time_us),
                        summary.note.empty() ? "" : "; " + printable(summary.note, 200)),
            Role::kGood);
}

void fusion_answered(State& state, int64_t job, const std::shared_ptr<const FusionAnswer>& answer) {
  FusionState& fusion = state.fusion;
  if (job != fusion.ask_job) return;
  fusion.ask_job = 0;
  fusion.why = answer->text;
  fusion.is_refused = answer->is_refused;
  fusion.why_row = 0;
  const FusionAsk::Kind kind = answer->to.kind;
  fusion.shows_diff = false;
  state.say(answer->text, answer->is_refused ? Role::kWarn : Role::kGood);
  if (!answer->plan) return;
  if (kind == FusionAsk::Kind::kSimulate) {
    const bool is_edited = answer->plan->name == kEditedPlan;
    if (is_edited) fusion.edits[fusion.edits_done - 1] = answer->plan;
    if (!is_edited) take_plan(fusion, answer->plan);
    return;
  }
  // A plan that is edited anew begins the history again.
  if (answer->of != kEditedPlan) {
    fusion.edits.clear();
    fusion.edits_done = 0;
    fusion.edited_from = answer->of;
    fusion.baseline = answer->of;
  }
  fusion.edits.resize(fusion.edits_done);
  fusion.edits.push_back(answer->plan);
  fusion.edits_done = fusion.edits.size();
  show_plan(fusion, kEditedPlan);
  fusion.marks.clear();
}

void fusion_job_ended(State& state, const JobSnapshot& job) {
  FusionState& fusion = state.fusion;
  if (job.id == fusion.plan_job) {
    fusion.plan_job = 0;
    fusion.failure = job.phase == JobPhase::kFailed ? job.failure : "planning was cancelled";
  }
  if (job.id == fusion.search_job) fusion.search_job = 0;
  if (job.id != fusion.ask_job) return;
  fusion.ask_job = 0;
}

}  // namespace tilewright
