// The Fusion screen's part of the command table.

#include <fmt/format.h>

#include "app/tui/fusion/fusion_cursor.h"
#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/fusion/fusion_update.h"
#include "app/tui/row_commands.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

template <void (*kDo)(State&)>
void plainly(State& state, std::string_view, Effects&) {
  kDo(state);
}

template <void (*kDo)(State&, Effects&)>
void at_work(State& state, std::string_view, Effects& effects) {
  kDo(state, effects);
}

template <bool kWithAll>
void plan(State& state, std::string_view, Effects& effects) {
  start_planning(state, kWithAll, effects);
}

template <int kDirection>
void find(State& state, std::string_view, Effects&) {
  find_in_fusion(state, kDirection);
}

template <int kStep>
void region(State& state, std::string_view, Effects&) {
  next_fusion_region(state, kStep);
}

std::string fusion_simulate_one_obstacle(const State& state) {
  const std::string none = no_fusion_place(state);
  return none.empty() ? fusion_simulate_obstacle(state) : none;
}

std::string no_search(const State& state) {
  if (const std::string none = no_fusion_place(state); !none.empty()) return none;
  return state.fusion.search.empty() ? "nothing is looked for; / begins" : "";
}

void set_search(State& state, std::string_view text, Effects&) {
  state.fusion.search = lower_case(text);
  find_in_fusion(state, 1);
}

void toggle_diff(State& state, std::string_view, Effects&) {
  state.fusion.shows_diff = !state.fusion.shows_diff;
  state.fusion.why_row = 0;
  if (state.fusion.shows_diff) state.pane().pane = kFusionWhy;
}

void choose_plan(State& state, std::string_view name, Effects&) {
  if (!fusion_plan_named(state.fusion, trim(name))) {
    throw Error(ErrorKind::kNotFound, fmt::format("there is no plan '{}'", printable(name)));
  }
  state.fusion.shown = std::string(trim(name));
  state.fusion.marks.clear();
}

std::vector<std::string> plan_names(const State& state) {
  std::vector<std::string> names;
  for (const FusionVariantRef& plan : fusion_plans(state.fusion)) names.push_back(plan->name);
  return names;
}

void choose_region(State& state, std::string_view text, Effects&) {
  const size_t count = state.fusion.program->asking.region_count();
  const int64_t number = parse_int(text.substr(0, text.find(' ')), "the region");
  if (number < 1 || number > static_cast<int64_t>(count)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no region {}, want 1 to {}", number, count));
  }
  choose_fusion_region(state, static_cast<size_t>(number - 1));
}

std::vector<std::string> region_names(const State& state) {
  std::vector<std::string> names;
  if (!state.fusion.program) return names;
  for (size_t i = 0; i < state.fusion.program->asking.region_count(); ++i) {
    const FusionGraph& graph = state.fusion.program->region(i);
    names.push_back(fmt::format("{} {}", i + 1, printable(graph.region().computation().name, 80)));
  }
  return names;
}

void set_field(State& state, std::string_view text, Effects&) {
  state.fusion.field = set_value(state.fusion.form, text);
}

std::vector<std::string> field_lines(const State& state) {
  std::vector<std::string> lines;
  for (const FormField& field : state.fusion.form) {
    for (const std::string& choice : fusion_choices(field.name)) {
      lines.push_back(fmt::format("{} {}", field.name, choice));
    }
  }
  return lines;
}

FormField& chosen_field(State& state) {
  return state.fusion.form[static_cast<size_t>(state.fusion.field)];
}

void edit_field(State& state, std::string_view, Effects&) {
  const FormField& field = chosen_field(state);
  state.palette =
      Palette{.line = LineEdit(fmt::format("{} {}", field.name, field.value)), .asking = "set"};
}

template <int kDirection>
void step_field(State& state, std::string_view, Effects&) {
  FormField& field = chosen_field(state);
  step_value(field, fusion_choices(field.name), kDirection);
}

bool has_edits(const State& state) {
  return !state.fusion.edits.empty();
}

bool has_plan(const State& state) {
  return shown_fusion_plan(state.fusion) != nullptr;
}

std::vector<WorkbenchCommand> plan_commands() {
  return {
      {.id = "fusion.plan",
       .keys = "r Enter",
       .hint = "plan",
       .help = "plan the graph of the pane Plan with its planners",
       .act = plan<false>,
       .obstacle = fusion_plan_obstacle},
      {.id = "fusion.all",
       .keys = "a",
       .help = "plan with all planners",
       .act = plan<true>,
       .obstacle = fusion_plan_obstacle},
      {.id = "fusion.mark",
       .keys = "Space",
       .hint = "mark",
       .help = "mark the op or the kernel for m and w; the third mark takes the oldest away",
       .act = plainly<toggle_fusion_mark>,
       .obstacle = no_fusion_place,
       .is_hinted = has_plan},
      {.id = "fusion.merge",
       .keys = "m",
       .hint = "merge",
       .help = "the kernels of both marks, or of the mark and the cursor, become one if that is "
               "legal",
       .act = at_work<merge_kernels>,
       .obstacle = fusion_merge_obstacle,
       .is_hinted = has_plan},
      {.id = "fusion.split",
       .keys = "s",
       .hint = "split",
       .help = "cut the kernel in two before the op",
       .act = at_work<split_kernel>,
       .obstacle = fusion_split_obstacle,
       .is_hinted = has_plan},
      {.id = "fusion.undo",
       .keys = "u",
       .hint = "undo",
       .help = "the plan before the last edit",
       .act = plainly<undo_fusion>,
       .obstacle = fusion_undo_obstacle,
       .is_hinted = has_edits},
      {.id = "fusion.redo",
       .keys = "U",
       .help = "the edit that was undone last",
       .act = plainly<redo_fusion>,
       .obstacle = fusion_redo_obstacle},
      {.id = "fusion.why",
       .keys = "w",
       .hint = "why",
       .help = "why both marks, or the mark and the cursor, share a kernel or do not",
       .act = at_work<explain_fusion>,
       .obstacle = fusion_explain_obstacle,
       .is_hinted = has_plan},
      {.id = "fusion.simulate",
       .keys = "S",
       .hint = "simulate",
       .help = "time the plan's kernels that have an estimate alone",
       .act = [](State& state, std::string_view,
                 Effects& effects) { simulate_fusion(state, true, effects); },
       .obstacle = fusion_simulate_obstacle,
       .is_hinted = has_plan},
      {.id = "fusion.one",
       .keys = "S",
       .help = "in Kernels: time the chosen kernel",
       .act = [](State& state, std::string_view,
                 Effects& effects) { simulate_fusion(state, false, effects); },
       .obstacle = fusion_simulate_one_obstacle,
       .pane = kFusionKernels},
      {.id = "fusion.search",
       .keys = "R",
       .hint = "search",
       .help = "search a plan that keeps the merges and splits of the shown one",
       .act = at_work<start_fusion_search>,
       .obstacle = fusion_search_obstacle,
       .is_hinted = has_plan},
      {.id = "fusion.diff",
       .keys = "D",
       .hint = "diff",
       .help = "kernels that only the shown plan has, or only the one it is compared with",
       .act = toggle_diff,
       .obstacle = no_fusion_plan,
       .is_hinted = has_plan},
  };
}

std::vector<WorkbenchCommand> look_commands() {
  return {
      {.id = "fusion.next",
       .keys = "p",
       .hint = "next plan",
       .help = "show the next plan",
       .act = plainly<next_fusion_plan>,
       .obstacle = no_fusion_plan,
       .is_hinted = has_plan},
      {.id = "fusion.baseline",
       .keys = "b",
       .hint = "baseline",
       .help = "compare with the next plan",
       .act = plainly<next_fusion_baseline>,
       .obstacle = no_fusion_plan,
       .is_hinted = has_plan},
      {.id = "fusion.show",
       .help = "show a plan by its name",
       .act = choose_plan,
       .obstacle = no_fusion_plan,
       .argument = "NAME",
       .choices = plan_names},
      {.id = "find",
       .keys = "/",
       .hint = "find",
       .help = "the next op with a text in its name",
       .act = set_search,
       .obstacle = no_fusion_place,
       .argument = "TEXT",
       .is_hinted = has_plan},
      {.id = "fusion.again",
       .keys = "n",
       .help = "the next one",
       .act = find<1>,
       .obstacle = no_search},
      {.id = "fusion.before",
       .keys = "N",
       .help = "the one before",
       .act = find<-1>,
       .obstacle = no_search},
      {.id = "fusion.fold",
       .keys = "o",
       .help = "show the kernel's ops, or its heading alone",
       .act = plainly<toggle_fusion_fold>,
       .obstacle = no_fusion_place},
      {.id = "fusion.open",
       .keys = "Enter",
       .hint = "fold",
       .help = "in Graph: the same",
       .act = plainly<toggle_fusion_fold>,
       .obstacle = no_fusion_place,
       .pane = kFusionGraph,
       .is_hinted = has_plan},
      {.id = "fusion.fold.all",
       .keys = "O",
       .help = "the same of all kernels",
       .act = plainly<fold_all_fusion>,
       .obstacle = no_fusion_plan},
      {.id = "fusion.ops",
       .keys = "Enter",
       .hint = "its ops",
       .help = "in Kernels: the ops of the chosen kernel",
       .act = plainly<show_kernel_ops>,
       .obstacle = no_fusion_place,
       .pane = kFusionKernels},
      {.id = "fusion.inner",
       .keys = "]",
       .help = "the next region: a loop's body, its condition",
       .act = region<1>,
       .obstacle = no_fusion_plan},
      {.id = "fusion.outer",
       .keys = "[",
       .help = "the region before",
       .act = region<-1>,
       .obstacle = no_fusion_plan},
      {.id = "fusion.region",
       .help = "a region by its number",
       .act = choose_region,
       .obstacle = no_fusion_plan,
       .argument = "NUMBER",
       .choices = region_names},
  };
}

std::vector<WorkbenchCommand> form_commands() {
  return {
      {.id = "set",
       .help = "a field of the pane Plan: NAME VALUE",
       .act = set_field,
       .argument = "FIELD",
       .choices = field_lines},
      {.id = "fusion.edit",
       .keys = "e",
       .hint = "edit",
       .help = "in Plan: type the chosen field",
       .act = edit_field,
       .pane = kFusionForm},
      {.id = "fusion.more",
       .keys = ">",
       .hint = "next value",
       .help = "in Plan: the chosen field's next value",
       .act = step_field<1>,
       .pane = kFusionForm},
      {.id = "fusion.less",
       .keys = "<",
       .help = "in Plan: the chosen field's value before",
       .act = step_field<-1>,
       .pane = kFusionForm},
  };
}

}  // namespace

std::vector<WorkbenchCommand> fusion_commands() {
  std::vector<WorkbenchCommand> table = plan_commands();
  for (const auto& more :
       {look_commands(), form_commands(), row_commands<move_in_fusion>(Place::kFusion)}) {
    table.insert(table.end(), more.begin(), more.end());
  }
  for (WorkbenchCommand& command : table) command.place = Place::kFusion;
  return table;
}

}  // namespace tilewright
