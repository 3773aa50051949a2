#include "app/tui/serve/serve_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/tui/serve/serve_command.h"
#include "app/tui/serve/serve_requests.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/workbench_options.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

void steer(const State& state, Effects& effects, ServeCommand command) {
  effects.emplace_back(SteerEffect{state.serve.job, command});
}

/// Chooses a record of steps; the last one of a run is followed.
void choose_step(State& state, size_t place) {
  const ServeView& view = *state.serve.view;
  const size_t last = view.record.steps.size() - 1;
  if (place >= last) {
    state.serve.step.reset();
  } else {
    state.serve.step = view.record.steps[place].first_step;
  }
  state.serve.op = 0;
}

bool passes(const State& state, const ServeRequest& request) {
  const std::string& filter = state.serve.filter;
  if (filter.empty()) return true;
  const std::string text = fmt::format("r{} {}", request.id, name_of(request.phase));
  return text.find(filter) != std::string::npos;
}

/// Requests in the order of the table, as places of view->requests; of those that pass the filter.
std::vector<size_t> sorted_rows(const State& state) {
  std::vector<size_t> rows;
  if (!state.serve.view) return rows;
  const ServeView& view = *state.serve.view;
  const std::vector<uint32_t>& order = view.orders[static_cast<size_t>(state.serve.sort)];
  rows.reserve(order.size());
  for (const uint32_t place : order) {
    if (passes(state, view.requests[place])) rows.push_back(place);
  }
  if (state.serve.is_reversed) std::ranges::reverse(rows);
  return rows;
}

/// Many requests are gone through when their order changes, not for each frame.
void refresh_rows(State& state) {
  ServeState& serve = state.serve;
  if (serve.rows_of == serve.view.get() && serve.rows_filter == serve.filter &&
      serve.rows_sort == serve.sort && serve.rows_reversed == serve.is_reversed) {
    return;
  }
  serve.rows = sorted_rows(state);
  serve.rows_of = serve.view.get();
  serve.rows_filter = serve.filter;
  serve.rows_sort = serve.sort;
  serve.rows_reversed = serve.is_reversed;
  serve.requests.move_to(serve.requests.row, static_cast<int>(serve.rows.size()));
}

/// The op of the cursor; null where waiting for the host or nothing is.
const StepOp* chosen_op(const State& state, const std::vector<StepOp>& ops) {
  const auto place = static_cast<size_t>(std::max(0, state.serve.op));
  return place < ops.size() ? &ops[place] : nullptr;
}

void ask_for_kernels(State& state, size_t step, Effects& effects) {
  ServeState& serve = state.serve;
  serve.asked_step = serve.view->record.steps[step].first_step;
  serve.kernels.reset();
  serve.kernels_failure.clear();
  serve.kernels_job = submit(state, effects, "kernels of a step",
                             StepKernelsJob{serve.view, step, state.db, state.machine->argument});
}

bool knows_kernels(const State& state, size_t step) {
  const ServeState& serve = state.serve;
  if (!serve.kernels) return false;
  const StepKernels& known = *serve.kernels;
  const StepRecord& there = known.view->record.steps[known.step];
  return known.view->identity.run == serve.view->identity.run &&
         there.first_step == serve.view->record.steps[step].first_step;
}

void open_kernel(State& state, const std::string& op, Effects& effects) {
  const std::vector<const OpKernel*> kernels = kernels_of(state, op);
  if (kernels.empty()) {
    const std::string& missing = state.serve.kernels->missing;
    state.say(fmt::format("{}: {}", op,
                          op == "attention" && !missing.empty()
                              ? missing
                              : "no launch of its own: it is a copy of KV, or waiting"),
              Role::kWarn);
    return;
  }
  const OpKernel& kernel = *kernels.front();
  open_timeline(state, kernel.request, effects);
  std::string text = fmt::format(
      "{} of step {}", op, state.serve.view->record.steps[state.serve.kernels->step].first_step);
  if (op == "attention") text += ", at the mean lengths of its requests";
  state.say(text + "; the tab Serve leads back");
}

}  // namespace

const JobSnapshot* serving_job(const State& state) {
  const auto found = std::ranges::find(state.jobs, state.serve.job, &JobSnapshot::id);
  return found == state.jobs.end() ? nullptr : &*found;
}

bool is_serving_paused(const State& state) {
  const auto& view = state.serve.view;
  return serving_job(state) && view && view->progress && view->progress->is_paused;
}

std::optional<size_t> shown_serve_step(const State& state) {
  const auto& view = state.serve.view;
  if (!view || view->record.steps.empty()) return std::nullopt;
  if (!state.serve.step) return view->record.steps.size() - 1;
  return record_of_step(*view, *state.serve.step);
}

std::vector<StepOp> ops_of(const ServeView& view, size_t step) {
  const StepRecord& record = view.record.steps[step];
  const double all = device_ns(record);
  const auto count = static_cast<double>(record.count);
  std::vector<StepOp> ops;
  for (size_t i = 0; i < record.op_ns.size() && i < view.record.ops.size(); ++i) {
    const auto ns = static_cast<double>(record.op_ns[i]);
    if (ns > 0) ops.push_back({view.record.ops[i], ns / count, ns / all});
  }
  std::ranges::stable_sort(ops, std::greater(), &StepOp::ns);
  if (record.idle_ns > 0) {
    const auto ns = static_cast<double>(record.idle_ns);
    ops.push_back({"waits for the host", ns / count, ns / all, false});
  }
  return ops;
}

std::vector<const OpKernel*> kernels_of(const State& state, std::string_view op) {
  std::vector<const OpKernel*> found;
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step || !knows_kernels(state, *step)) return found;
  for (const OpKernel& kernel : state.serve.kernels->kernels) {
    if (kernel.op == op) found.push_back(&kernel);
  }
  return found;
}

const ServeRequest* chosen_serve_request(const State& state) {
  if (!state.serve.view) return nullptr;
  const std::vector<ServeRequest>& requests = state.serve.view->requests;
  if (state.serve.opened) {
    const auto found =
        std::ranges::lower_bound(requests, *state.serve.opened, {}, &ServeRequest::id);
    return found != requests.end() && found->id == *state.serve.opened ? &*found : nullptr;
  }
  // A view that has just come has no order yet.
  if (state.serve.rows_of != state.serve.view.get()) return nullptr;
  const auto row = static_cast<size_t>(state.serve.requests.row);
  return row < state.serve.rows.size() ? &requests[state.serve.rows[row]] : nullptr;
}

std::vector<size_t> opened_steps(const State& state) {
  if (!state.serve.opened) return {};
  const ServeRequest* request = chosen_serve_request(state);
  return request ? steps_of(*state.serve.view, *request) : std::vector<size_t>();
}

std::string serving_obstacle(const State& state) {
  return serving_job(state) ? "a run is under way; E ends and keeps it" : "";
}

void start_serving(State& state, Effects& effects) {
  ServeState& serve = state.serve;
  const std::vector<std::string> words = words_of(serve.form, state.machine->argument);
  // Says now what is wrong with the words.
  refuse_workbench_options(words);
  const ReplayCommand check(words, state.db, state.machine->argument, [](std::string_view) {});
  serve.view.reset();
  serve.failure.clear();
  serve.step.reset();
  serve.opened.reset();
  serve.requests = {};
  serve.op = 0;
  state.screen = Screen::kServe;
  serve.job =
      submit(state, effects,
             fmt::format("serve {} {}", serve.form.value("model"), serve.form.value("workload")),
             ServeJob{words, state.db, state.machine->argument, serve.pace, false});
}

void pause_or_resume_serving(State& state, Effects& effects) {
  const bool paused = is_serving_paused(state);
  steer(state, effects,
        {.kind = paused ? ServeCommand::Kind::kResume : ServeCommand::Kind::kPause});
  if (paused) state.serve.step.reset();
}

void move_serve_step(State& state, int direction, Effects& effects) {
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step) return;
  const size_t last = state.serve.view->record.steps.size() - 1;
  if (serving_job(state) && !is_serving_paused(state)) {
    steer(state, effects, {.kind = ServeCommand::Kind::kPause});
    state.say("paused; . makes a step, , looks back, Space goes on");
    if (direction > 0) return;
  }
  // To the end of what there is, not of what there will be.
  constexpr int kMostAtOnce = 100;
  if (direction > 0 && direction <= kMostAtOnce && *step == last && serving_job(state)) {
    steer(state, effects, {.kind = ServeCommand::Kind::kStep, .steps = direction});
    return;
  }
  const auto target = static_cast<int64_t>(*step) + direction;
  choose_step(state,
              static_cast<size_t>(std::clamp<int64_t>(target, 0, static_cast<int64_t>(last))));
}

void change_serve_pace(State& state, int direction, Effects& effects) {
  state.serve.pace = next_pace(state.serve.pace, direction);
  if (serving_job(state)) {
    steer(state, effects, {.kind = ServeCommand::Kind::kPace, .pace = state.serve.pace});
  }
  state.say(
      fmt::format("{}{}", serving_job(state) ? "" : "the next run: ", pace_text(state.serve.pace)));
}

void end_serving(State& state, Effects& effects) {
  steer(state, effects, {.kind = ServeCommand::Kind::kEnd});
  state.say("the run ends here and is kept");
}

void open_serve_run(State& state, int64_t run, Effects& effects) {
  state.screen = Screen::kServe;
  const auto& view = state.serve.view;
  if (view && view->identity.run == run) return;
  if (serving_job(state)) {
    state.say("a run is under way; E ends and keeps it, then others can be opened", Role::kWarn);
    return;
  }
  state.serve.load_job =
      submit(state, effects, fmt::format("read run {}", run), LoadServeJob{state.db, run});
}

void toggle_serve_baseline(State& state) {
  ServeState& serve = state.serve;
  if (serve.baseline && serve.baseline->identity.run == serve.view->identity.run) {
    serve.baseline.reset();
    state.say("no baseline any more", Role::kDim);
    return;
  }
  serve.baseline = serve.view;
  state.say(fmt::format("run {} is the baseline: the Run pane compares others with it",
                        serve.view->identity.run));
}

void open_serve_baseline(State& state, int64_t run, Effects& effects) {
  state.serve.baseline_job =
      submit(state, effects, fmt::format("read baseline {}", run), LoadServeJob{state.db, run});
}

void move_serve_cursor(State& state, int step, Effects& effects) {
  ServeState& serve = state.serve;
  const auto move = [step](ListCursor& list, size_t count) {
    const auto rows = static_cast<int>(std::min<size_t>(count, 1 << 30));
    list.move_to(std::clamp(list.row + step, 0, std::max(0, rows - 1)), rows);
  };
  const std::optional<size_t> shown = shown_serve_step(state);
  switch (state.pane().pane) {
    case kServeLoad:
    case kServeLatency:
      // A run that goes on has no step to stay at.
      if (serving_job(state) && !is_serving_paused(state)) {
        return state.say("Space pauses; then steps can be looked at", Role::kDim);
      }
      move_serve_step(state, step, effects);
      break;
    case kServeStep: {
      const int count = shown ? static_cast<int>(ops_of(*serve.view, *shown).size()) : 0;
      serve.op = std::clamp(serve.op + step, 0, std::max(0, count - 1));
      break;
    }
    case kServeConfig:
      serve.field =
          std::clamp(serve.field + step, 0, static_cast<int>(serve.form.fields.size()) - 1);
      break;
    default:
      if (!serve.opened) return move(serve.requests, serve.rows.size());
      const std::vector<size_t> steps = opened_steps(state);
      move(serve.steps, steps.size());
      const auto row = static_cast<size_t>(serve.steps.row);
      if (row < steps.size()) choose_step(state, steps[row]);
  }
}

void open_in_serve(State& state) {
  ServeState& serve = state.serve;
  if (state.pane().pane != kServeRequests) {
    state.pane().pane = kServeStep;
    return;
  }
  if (serve.opened) {
    state.pane().pane = kServeStep;
    return;
  }
  const ServeRequest* request = chosen_serve_request(state);
  if (!request) return state.say("no request is chosen", Role::kWarn);
  serve.opened = request->id;
  serve.steps = {};
  const std::vector<size_t> steps = opened_steps(state);
  if (!steps.empty()) choose_step(state, steps.front());
}

void open_serve_op(State& state, Effects& effects) {
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step) return state.say("no step is shown", Role::kWarn);
  const std::vector<StepOp> ops = ops_of(*state.serve.view, *step);
  const StepOp* op = chosen_op(state, ops);
  if (!op || !op->is_op) {
    return state.say("waiting for the host is no launch; choose an op", Role::kWarn);
  }
  if (knows_kernels(state, *step)) return open_kernel(state, std::string(op->name), effects);
  if (state.serve.kernels_job == 0) {
    if (!state.serve.kernels_failure.empty()) {
      return state.say(state.serve.kernels_failure, Role::kWarn);
    }
    ask_for_kernels(state, *step, effects);
  }
  state.serve.opens_kernel = true;
}

bool close_in_serve(State& state) {
  ServeState& serve = state.serve;
  if (serve.opened) {
    serve.opened.reset();
  } else if (!serve.filter.empty()) {
    serve.filter.clear();
    serve.requests = {};
  } else if (serve.step) {
    serve.step.reset();
  } else {
    return false;
  }
  return true;
}

void set_serve_field(State& state, std::string_view text) {
  state.serve.field = set_value(state.serve.form.fields, text);
}

void step_serve_field(State& state, int direction) {
  FormField& field = state.serve.form.fields[static_cast<size_t>(state.serve.field)];
  const std::vector<std::string> choices = choices_of(field.name);
  if (choices.empty()) {
    return state.say(fmt::format("{} is typed: e", field.name), Role::kDim);
  }
  step_value(field, choices, direction);
}

void settle_serve(State& state, Effects& effects) {
  ServeState& serve = state.serve;
  const int pane = state.pane().pane;
  if (pane >= kServeStep) serve.side = pane;
  refresh_rows(state);
  if (pane != kServeStep || serve.kernels_job != 0) return;
  // While the run goes on, its last step is another one all the time.
  if (serving_job(state) && !is_serving_paused(state)) return;
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step || serve.view->identity.run == 0 || knows_kernels(state, *step)) return;
  if (serve.asked_step == serve.view->record.steps[*step].first_step &&
      !serve.kernels_failure.empty()) {
    return;
  }
  ask_for_kernels(state, *step, effects);
}

}  // namespace tilewright
