#include "app/tui/fusion/fusion_update.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/shell_word.h"
#include "app/tui/fusion/fusion_cursor.h"
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

}  // namespace

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
  show_fusion_plan(fusion, fusion.edits_done > 0 ? kEditedPlan : fusion.edited_from);
  fusion.marks.clear();
  state.say(fmt::format("undone: {} of {} left",
                        format_counted(static_cast<int64_t>(fusion.edits_done), "edit"),
                        fusion.edits.size()),
            Role::kDim);
}

void redo_fusion(State& state) {
  FusionState& fusion = state.fusion;
  ++fusion.edits_done;
  show_fusion_plan(fusion, kEditedPlan);
  fusion.marks.clear();
  state.say(fmt::format("done again: edit {} of {}", fusion.edits_done, fusion.edits.size()),
            Role::kDim);
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
  if (is_first || (job.is_over() && is_wanted)) show_fusion_plan(fusion, plans->plans.back()->name);
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
  show_fusion_plan(fusion, kEditedPlan);
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
