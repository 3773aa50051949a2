#include "app/tui/serve/serve_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/layout.h"
#include "app/tui/serve/serve_command.h"
#include "app/tui/serve/serve_update.h"
#include "app/tui/serve/serve_views.h"
#include "app/tui/shell_command.h"
#include "app/tui/widgets.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<PaneInfo, 5> kPanes = {{
    {"Throughput and load", load_title, draw_load},
    {"Latency", latency_title, draw_latency},
    {"Step", step_title, draw_step},
    {"Run", serve_config_title, draw_serve_config},
    {"Requests", requests_title, draw_requests, requests_legend},
}};

/// The pane of those that share a place which is shown now.
int side_of(const State& state) {
  const int focused = state.pane().pane;
  return focused >= kServeStep ? focused : state.serve.side;
}

std::vector<PaneBox> wide_layout(const State& state, const Rect& body) {
  constexpr std::array<Share, 2> kTop = {Share{54, 1}, Share{46, 0}};
  constexpr std::array<Share, 2> kMiddle = {Share{50, 1}, Share{46, 0}};
  if (body.height < 25) {
    const std::vector<Rect> rows = split_rows(body, std::array{Share{8, 0}, Share{6, 1}});
    const std::vector<Rect> top = split_columns(rows[0], kTop);
    return {{kServeLoad, top[0]}, {kServeLatency, top[1]}, {side_of(state), rows[1]}};
  }
  const bool is_high = body.height >= 32;
  const std::vector<Rect> rows = split_rows(
      body, std::array{Share{is_high ? 14 : 9, 0}, Share{is_high ? 12 : 9, 0}, Share{6, 1}});
  const std::vector<Rect> top = split_columns(rows[0], kTop);
  const std::vector<Rect> middle = split_columns(rows[1], kMiddle);
  return {{kServeLoad, top[0]},
          {kServeLatency, top[1]},
          {kServeStep, middle[0]},
          {kServeConfig, middle[1]},
          {kServeRequests, rows[2]}};
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  constexpr int kWide = 100;
  constexpr int kThreeRows = 18;
  if (body.width >= kWide && body.height >= kThreeRows) return wide_layout(state, body);
  if (body.height >= kThreeRows) {
    const std::vector<Rect> rows =
        split_rows(body, std::array{Share{5, 0}, Share{7, 0}, Share{6, 1}});
    return {{kServeLoad, rows[0]}, {kServeLatency, rows[1]}, {side_of(state), rows[2]}};
  }
  const std::vector<Rect> rows = split_rows(body, std::array{Share{5, 0}, Share{6, 1}});
  const int focused = state.pane().pane;
  return {{kServeLoad, rows[0]}, {focused == kServeLoad ? int{kServeLatency} : focused, rows[1]}};
}

bool type(State& state, Key key, Effects&) {
  if (key != keys::kEscape || state.pane().is_zoomed) return false;
  return close_in_serve(state);
}

std::string command_line(const State& state) {
  const ServeState& serve = state.serve;
  if (!serve.view || state.pane().pane == kServeConfig) {
    return command_line_of(words_of(serve.form, state.machine->argument));
  }
  const ServeIdentity& identity = serve.view->identity;
  return with_machine(command_line_of(words_of_command(identity.command)), identity.machine, state);
}

std::string status(const State& state) {
  const ServeState& serve = state.serve;
  if (!serve.view) return "r starts: " + command_line(state);
  const ServeIdentity& identity = serve.view->identity;
  std::string text = identity.run > 0 ? fmt::format("run {}: ", identity.run) : "";
  return text + printable(identity.command, identity.command.size());
}

/// A run comes to be shown: from its end.
void show_view(State& state, const std::shared_ptr<const ServeView>& view) {
  ServeState& serve = state.serve;
  const bool is_another = !serve.view || serve.view->identity.run != view->identity.run;
  serve.view = view;
  if (!is_another) return;
  serve.step.reset();
  serve.opened.reset();
  serve.kernels.reset();
  serve.asked_step.reset();
  serve.kernels_failure.clear();
  serve.requests = {};
  serve.op = 0;
}

void run_over(State& state, const ServeView& view) {
  state.serve.job = 0;
  state.serve.failure.clear();
  const std::string note = view.note.empty() ? "" : "; " + view.note;
  const bool is_whole = view.identity.status == "done";
  state.say(fmt::format("run {} {} and kept; b makes it the baseline{}", view.identity.run,
                        is_whole ? "is over" : "was ended", note),
            view.note.empty() && is_whole ? Role::kGood : Role::kWarn);
}

/// What was shown of a run that died stays, as that of a run which goes on no more.
void run_died(State& state, const JobSnapshot& job) {
  ServeState& serve = state.serve;
  serve.job = 0;
  const bool has_failed = job.phase == JobPhase::kFailed;
  if (has_failed) serve.failure = printable(job.failure, job.failure.size());
  if (!serve.view || !serve.view->progress) return;
  auto over = std::make_shared<ServeView>(*serve.view);
  over->progress.reset();
  over->identity.status = name_of(has_failed ? RunStatus::kFailed : RunStatus::kInterrupted);
  serve.view = std::move(over);
}

}  // namespace

const ScreenInfo& serve_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kServe,
                                     .name = "Serve",
                                     .place = Place::kServe,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .settle = settle_serve,
                                     .type = type,
                                     .mouse = serve_mouse,
                                     .command_line = command_line,
                                     .status = status};
  return kScreen;
}

void serve_viewed(State& state, const JobSnapshot& job,
                  const std::shared_ptr<const ServeView>& view, Effects&) {
  ServeState& serve = state.serve;
  if (job.id == serve.job) {
    show_view(state, view);
    if (job.is_over()) run_over(state, *view);
  } else if (job.id == serve.load_job) {
    serve.load_job = 0;
    serve.failure.clear();
    show_view(state, view);
    serve.form = form_of(words_of_command(view->identity.command));
  } else if (job.id == serve.baseline_job) {
    serve.baseline_job = 0;
    serve.baseline = view;
    state.say(fmt::format("run {} is the baseline", view->identity.run));
  }
}

void kernels_found(State& state, int64_t job, const std::shared_ptr<const StepKernels>& kernels,
                   Effects& effects) {
  ServeState& serve = state.serve;
  if (job != serve.kernels_job) return;
  serve.kernels_job = 0;
  serve.kernels = kernels;
  if (std::exchange(serve.opens_kernel, false) && state.screen == Screen::kServe) {
    open_serve_op(state, effects);
  }
}

void serve_job_ended(State& state, const JobSnapshot& job) {
  ServeState& serve = state.serve;
  if (job.id == serve.job) run_died(state, job);
  if (job.id == serve.load_job) serve.load_job = 0;
  if (job.id == serve.baseline_job) serve.baseline_job = 0;
  if (job.id != serve.kernels_job) return;
  serve.kernels_job = 0;
  serve.opens_kernel = false;
  serve.kernels_failure = job.failure.empty() ? "cancelled" : job.failure;
}

void serve_mouse(State& state, int pane, const Rect& inner, const MouseEvent& event,
                 Effects& effects) {
  if (event.kind == MouseEvent::Kind::kWheelUp) return move_serve_cursor(state, -1, effects);
  if (event.kind == MouseEvent::Kind::kWheelDown) return move_serve_cursor(state, 1, effects);
  if (event.kind != MouseEvent::Kind::kPress || event.y < 0) return;
  if (pane == kServeConfig) {
    const int above = serve_failure_rows(state, inner.width);
    const int count = static_cast<int>(state.serve.form.fields.size());
    const int target = first_row(state.serve.field, count, inner.height - above) + event.y - above;
    if (event.y >= above && event.y < inner.height && target < count) state.serve.field = target;
  } else if (pane == kServeStep) {
    const int before = state.serve.op;
    move_serve_cursor(state, event.y - before, effects);
    if (state.serve.op == before && event.y == before) open_serve_op(state, effects);
  } else if (pane == kServeRequests && event.y > 0 && !state.serve.opened) {
    const int row = first_request_row(state, inner.height) + event.y - 1;
    if (row >= std::ssize(state.serve.rows)) return;
    if (row == state.serve.requests.row) return open_in_serve(state);
    state.serve.requests.row = row;
  }
}

}  // namespace tilewright
