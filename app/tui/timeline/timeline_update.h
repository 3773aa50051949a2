#pragma once

#include <string>
#include <string_view>

#include "app/tui/state.h"
#include "app/tui/timeline/lane_rows.h"

namespace tilewright {

/// Panes of the Timeline, in the order of Tab.
enum TimelinePane : int { kOverviewPane, kLanesPane, kEventPane, kAreaPane, kPathPane };

/// Cells of time at the state's size.
int cells_of_time(const State& state);
/// The time that the lanes show. There must be data.
TimeWindow shown_window(const State& state);
/// Rows of lanes that there is room for; 0 where none are drawn.
int drawn_rows(const State& state);
/// How times are written now.
TimeFormat time_format(const State& state);
/// The area whose statistics are shown: the marked one, else the window on all lanes.
TimelineArea shown_area(const State& state);
/// The job that simulates what the Timeline will show; null when there is none.
const JobSnapshot* indexing_job(const State& state);
/// Whether a job adds up an area.
bool is_adding_up(const State& state);

/// What a launch is shown as at first.
void show_timeline(State& state, std::shared_ptr<const TimelineData> data);

void zoom_time(State& state, int step, int64_t anchor);
/// The tick that keys zoom at: the selected event where it is in sight, else the middle.
int64_t zoom_anchor(const State& state);
void pan_time(State& state, double share);
void center_time(State& state, int64_t tick);
/// The selected event in the middle; when it is there already, in half of the window.
void focus_selected(State& state);

/// Chooses an event and shows its lane and time.
void select_event(State& state, int64_t id);
/// Moves the cursor to a row; a lane's event nearest in time is selected when one was before.
void move_to_row(State& state, int row);
/// The neighbour on the lane; without a selection the event nearest to the window's middle.
void step_on_lane(State& state, int step);
/// The first (-1) or last (1) event of the lane.
void go_to_lane_end(State& state, int end);
/// The event that let the selected one go; without a selection the last one of the launch.
void follow_cause(State& state);
void return_along_trail(State& state);
/// "12345": a time in the unit that is shown; "#12": an event. Error (usage).
void go_to(State& state, std::string_view where);

/// Opens the core on which the critical path ends, and moves the cursor there when it is out of
/// sight. There must be events.
void show_end_of_path(State& state);

void toggle_fold(State& state);
void toggle_all_folds(State& state);
void toggle_pin(State& state);

void find_text(State& state, std::string_view text);
/// The next (1) or previous (-1) match from the selected event on.
void find_again(State& state, int step);

/// Begins an area at the selected event, or ends it there.
void mark_area(State& state);
/// Statistics of the window; those that a job failed to add up are asked for again.
void clear_marks(State& state);
/// An area between two ticks on the lanes of rows.
void mark_between(State& state, int64_t first, int64_t last, int first_row, int last_row);

/// Brings what views need up to date: the rows that are drawn and the area's statistics, which a
/// job adds up where that takes longer than a frame may.
void settle_timeline(State& state, Effects& effects);

}  // namespace tilewright
