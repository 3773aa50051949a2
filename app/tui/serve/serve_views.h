#pragma once

#include <string>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

std::string load_title(const State& state);
void draw_load(const State& state, Canvas canvas);

std::string latency_title(const State& state);
void draw_latency(const State& state, Canvas canvas);

std::string step_title(const State& state);
void draw_step(const State& state, Canvas canvas);

std::string serve_config_title(const State& state);
/// Rows above the form in its pane: the reason of a run that failed.
int serve_failure_rows(const State& state, int width);
void draw_serve_config(const State& state, Canvas canvas);

std::string requests_title(const State& state);
void draw_requests(const State& state, Canvas canvas);
std::string requests_legend(const State& state, const Rect& inside);

/// What stands where there is no run to show: what is going on, or what to press.
void draw_no_serving(const State& state, Canvas& canvas);

/// "30.9", "890", "6.1k": a time in ms in at most five cells; "-" for one below 0.
std::string brief_ms(double ms);

/// The row of the requests pane at which the list begins, and its first shown row.
int first_request_row(const State& state, int height);

}  // namespace tilewright
