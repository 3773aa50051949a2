#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/serve/serve_run.h"
#include "app/tui/serve/serve_view.h"
#include "app/tui/state.h"

namespace tilewright {

/// The job that serves; null when none is at work.
const JobSnapshot* serving_job(const State& state);
/// Whether a run is under way and stands still.
bool is_serving_paused(const State& state);

/// The step that is shown, as a place of the view's record; nothing without steps.
std::optional<size_t> shown_serve_step(const State& state);

/// An op of the shown step: its time in one of the record's steps.
struct StepOp {
  std::string_view name;
  double ns = 0;      ///< in one step, the mean of the record's
  double share = 0;   ///< of the step's time on the device
  bool is_op = true;  ///< false: waiting for the host
};
/// The longest first; behind them the waiting for the host, where there is any.
std::vector<StepOp> ops_of(const ServeView& view, size_t step);

/// The kernels of an op of the shown step; empty when they are not known.
std::vector<const OpKernel*> kernels_of(const State& state, std::string_view op);

/// The request of the cursor, or the opened one; null when there is none.
const ServeRequest* chosen_serve_request(const State& state);
/// The opened request's steps, as places of the record; empty when none is opened.
std::vector<size_t> opened_steps(const State& state);

/// Starts what the form says.
void start_serving(State& state, Effects& effects);
std::string serving_obstacle(const State& state);

void pause_or_resume_serving(State& state, Effects& effects);
/// Later (1) or earlier (-1) steps: made, where the run stands still at its last one.
void move_serve_step(State& state, int direction, Effects& effects);
void change_serve_pace(State& state, int direction, Effects& effects);
void end_serving(State& state, Effects& effects);

/// Makes the shown run the baseline, or ends that it is one.
void toggle_serve_baseline(State& state);
void open_serve_baseline(State& state, int64_t run, Effects& effects);

/// Moves the cursor of the focused pane.
void move_serve_cursor(State& state, int step, Effects& effects);
/// What Enter means depends on what takes the keys.
void open_in_serve(State& state);
/// The Timeline of the chosen op.
void open_serve_op(State& state, Effects& effects);
/// Back from what was opened last; false when nothing is.
bool close_in_serve(State& state);

/// "NAME VALUE".
void set_serve_field(State& state, std::string_view text);
void step_serve_field(State& state, int direction);

/// Asks for the kernels of the shown step where they can be seen.
void settle_serve(State& state, Effects& effects);

}  // namespace tilewright
