#pragma once

#include <string>

#include "app/tui/canvas.h"
#include "app/tui/rect.h"
#include "app/tui/state.h"
#include "app/tui/timeline/time_window.h"
#include "core/timeline/timeline_index.h"

namespace tilewright {

/// The panes of the Timeline, each within its frame, and what their frames say.
void draw_overview(const State& state, Canvas canvas);
void draw_lanes(const State& state, Canvas canvas);
void draw_event(const State& state, Canvas canvas);
void draw_area(const State& state, Canvas canvas);
void draw_path(const State& state, Canvas canvas);

std::string overview_title(const State& state);
std::string lanes_title(const State& state);
std::string event_title(const State& state);
std::string area_title(const State& state);
std::string path_title(const State& state);

/// "path: C CUBE  2 MTE2  · waits", where there is room for the row of the path.
std::string overview_legend(const State& state, const Rect& inside);
/// What the cells of the lanes mean.
std::string lanes_legend(const State& state, const Rect& inside);

/// Instead of the lanes without data: what is under way, or what to press.
void draw_no_timeline(const State& state, Canvas& canvas);

/// Share of a window in which a lane is busy.
double busy_share(const LaneEvents& events, const TimeWindow& window);

/// A share of 0 to 1 in one cell: a column of eighths, or tenths as a digit where there are no such
/// characters. Nothing at all is idle, and anything is more than that.
char32_t share_glyph(double share, const Glyphs& glyphs);

/// "AIC 0.0 CUBE".
std::string lane_name(const TimelineIndex& index, int lane);
/// "AIC 0.0 CUBE #4711 tile[body 2] mmad".
std::string event_name(const TimelineIndex& index, int64_t id);

}  // namespace tilewright
