#include <gtest/gtest.h>

#include <atomic>
#include <stop_token>

#include "app/tui/job_work.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "tests/app/timeline_fixture.h"

namespace tilewright {
namespace {

using Kind = MouseEvent::Kind;

const HandMadeLaunch& launch() {
  static const HandMadeLaunch made(7, 24);
  return made;
}

/// So many events that their statistics are not added up between two frames.
const HandMadeLaunch& long_launch() {
  static const HandMadeLaunch made(4, 3000);
  return made;
}

void expect_statistics_of(const State& state, const TimelineArea& area) {
  ASSERT_TRUE(state.timeline.area);
  const AreaData& shown = *state.timeline.area;
  EXPECT_EQ(shown.area.from, area.from);
  EXPECT_EQ(shown.area.to, area.to);
  EXPECT_EQ(shown.area.lanes, area.lanes);
  const auto expected = area_statistics(state.timeline.data->index, area);
  ASSERT_EQ(shown.pipes.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(shown.pipes[i].busy_ticks, expected[i].busy_ticks);
    EXPECT_EQ(shown.pipes[i].events, expected[i].events);
    EXPECT_EQ(shown.pipes[i].p99, expected[i].p99);
  }
}

TEST(TimelineScreenArea, FollowsTheWindow) {
  State state = timeline_state(launch());
  expect_statistics_of(state, TimelineArea::whole(state.timeline.data->index));
  press(state, "w w w d");
  const TimeWindow window = shown_window(state);
  expect_statistics_of(state, {window.from, window.to, state.timeline.data->index.all_lanes()});
  Effects effects;
  update(state, InputEvent(ResizeEvent{150, 50}), effects);
  const TimeWindow wider = shown_window(state);
  EXPECT_GT(wider.ticks(), window.ticks());
  expect_statistics_of(state, {wider.from, wider.to, state.timeline.data->index.all_lanes()});
}

TEST(TimelineScreenArea, IsMarkedFromOneEventToAnother) {
  State state = timeline_state(launch());
  press(state, "] m");
  const TimelineEvent first = state.timeline.data->index.event(*state.timeline.selected);
  EXPECT_EQ(state.timeline.mark_begin, first.start);
  press(state, "] ] ] m");
  const TimelineEvent last = state.timeline.data->index.event(*state.timeline.selected);
  ASSERT_TRUE(state.timeline.marked);
  EXPECT_EQ(state.timeline.marked->time, (TimeWindow{first.start, last.end}));
  expect_statistics_of(state, {first.start, last.end, state.timeline.data->index.all_lanes()});
  press(state, "M");
  EXPECT_FALSE(state.timeline.marked);
  expect_statistics_of(state, TimelineArea::whole(state.timeline.data->index));
}

TEST(TimelineScreenArea, IsDrawnWithTheMouseOnTheLanesBelowIt) {
  State state = timeline_state(launch());
  press(state, "w w");
  const Rect inside = inside_of(state, kLanesPane);
  const int left = inside.x + LaneGeometry::kName;
  send_mouse(state, Kind::kPress, left + 10, inside.y + 2);
  send_mouse(state, Kind::kDrag, left + 10, inside.y + 2);
  EXPECT_FALSE(state.timeline.marked) << "a click draws nothing";
  send_mouse(state, Kind::kDrag, left + 30, inside.y + 4);
  send_mouse(state, Kind::kRelease, left + 30, inside.y + 4);
  ASSERT_TRUE(state.timeline.marked);
  const TimeWindow window = shown_window(state);
  EXPECT_EQ(state.timeline.marked->time, (TimeWindow{tick_of(window, cells_of_time(state), 10),
                                                     tick_of(window, cells_of_time(state), 30)}));
  EXPECT_EQ(state.timeline.marked->lanes, (std::vector<int>{1, 2, 3}));
  send_mouse(state, Kind::kDrag, left + 60, inside.y + 4);
  EXPECT_EQ(state.timeline.marked->lanes, (std::vector<int>{1, 2, 3})) << "the button is up";
}

TEST(TimelineScreenArea, IsListedByPipeInstructionTaskOrCause) {
  State state = timeline_state(launch());
  const TimelineArea whole = TimelineArea::whole(state.timeline.data->index);
  for (const GroupBy by : {GroupBy::kInstruction, GroupBy::kTask, GroupBy::kCause}) {
    press(state, "G");
    ASSERT_TRUE(state.timeline.area);
    const auto expected = group_area(state.timeline.data->index, whole, by);
    ASSERT_EQ(state.timeline.area->groups.size(), expected.size());
    EXPECT_EQ(state.timeline.area->groups.front().label, expected.front().label);
    EXPECT_NE(pane_row(state, kAreaPane, 1).find(expected.front().label), std::string::npos);
    EXPECT_NE(pane_row(state, kAreaPane, 1).find(format_count(expected.front().count)),
              std::string::npos);
  }
  press(state, "G");
  EXPECT_EQ(state.timeline.grouping, AreaGrouping::kPipe);
}

TEST(TimelineScreenArea, AJobAddsUpManyEvents) {
  State state = timeline_state(long_launch());
  ASSERT_GT(state.timeline.data->index.event_count(), 20'000);
  ASSERT_EQ(state.jobs.size(), 1u);
  EXPECT_FALSE(state.timeline.area);
  // What comes meanwhile waits for the job that is at work.
  EXPECT_EQ(effect_of<SubmitEffect>(press(state, "m m")), nullptr);
  press(state, "M");
  JobSnapshot done = state.jobs.front();
  done.phase = JobPhase::kDone;
  const TimelineArea whole = TimelineArea::whole(state.timeline.data->index);
  const AreaJob job{state.timeline.data, whole, AreaGrouping::kPipe};
  done.result = do_job(job, JobProgress({}, [](double) {}));
  Effects effects;
  update(state, done, effects);
  expect_statistics_of(state, whole);
  EXPECT_TRUE(effects.empty());
  // Small parts are there at once, also when a job is at work on a larger one, whose result comes
  // too late.
  press(state, "w w w w w");
  ASSERT_EQ(state.jobs.size(), 1u);
  const TimeWindow window = shown_window(state);
  expect_statistics_of(state, {window.from, window.to, whole.lanes});
  done.id = state.jobs.front().id;
  update(state, done, effects);
  expect_statistics_of(state, {window.from, window.to, whole.lanes});
}

TEST(TimelineScreenArea, SaysWhenItShowsAnotherAreaThanItsTitle) {
  State state = timeline_state(long_launch());
  JobSnapshot done = state.jobs.front();
  done.phase = JobPhase::kDone;
  done.result = area_data(state.timeline.data->index,
                          TimelineArea::whole(state.timeline.data->index), AreaGrouping::kPipe);
  Effects effects;
  update(state, done, effects);
  EXPECT_EQ(draw(state).text().find("adding up"), std::string::npos);
  press(state, "G");
  EXPECT_NE(draw(state).text().find("adding up"), std::string::npos) << draw(state).text();
}

TEST(TimelineScreenArea, AJobThatWasCancelledIsNotAskedForAgain) {
  State state = timeline_state(long_launch());
  JobSnapshot cancelled = state.jobs.front();
  cancelled.phase = JobPhase::kCancelled;
  Effects effects;
  update(state, cancelled, effects);
  EXPECT_TRUE(state.jobs.empty());
  EXPECT_TRUE(effects.empty());
  EXPECT_NE(pane_row(state, kAreaPane, 0).find("not added up; M asks"), std::string::npos);
  const Effects asked = press(state, "M");
  EXPECT_NE(effect_of<SubmitEffect>(asked), nullptr);
}

/// Ends the first job of a state with what it was to find.
void finish_area(State& state, const AreaJob& job) {
  JobSnapshot done = state.jobs.front();
  done.phase = JobPhase::kDone;
  done.result = area_data(job.timeline->index, job.area, job.grouping);
  Effects effects;
  update(state, done, effects);
}

TEST(TimelineScreenArea, TheWindowsStatisticsComeBackBehindAnArea) {
  State state = timeline_state(long_launch());
  const TimelineArea whole = TimelineArea::whole(state.timeline.data->index);
  finish_area(state, {state.timeline.data, whole, AreaGrouping::kPipe});
  // The area is small enough for no job; the window that was added up before is not.
  press(state, "] m ] ] m");
  expect_statistics_of(state, shown_area(state));
  const Effects effects = press(state, "M");
  const auto* job = effect_of<SubmitEffect>(effects);
  ASSERT_TRUE(job);
  finish_area(state, std::get<AreaJob>(job->request));
  expect_statistics_of(state, whole);
}

TEST(TimelineScreenArea, AnAreaWhoseJobEndedIsAskedForWhenOneComesBack) {
  State state = timeline_state(long_launch());
  const auto fail = [&state] {
    JobSnapshot failed = state.jobs.front();
    failed.phase = JobPhase::kFailed;
    Effects effects;
    update(state, failed, effects);
    return effects;
  };
  ASSERT_TRUE(fail().empty());
  press(state, "w w w w w");
  while (!state.jobs.empty()) fail();
  EXPECT_NE(effect_of<SubmitEffect>(press(state, "F")), nullptr);
}

TEST(TimelineScreenArea, StatisticsOfTheRunBeforeAreNotTaken) {
  State state = timeline_state(long_launch());
  JobSnapshot late = state.jobs.front();
  late.phase = JobPhase::kDone;
  late.result =
      area_data(launch().index(), TimelineArea::whole(launch().index()), AreaGrouping::kPipe);
  show_timeline(state, make_timeline(small_request(), "the next", long_launch().index()));
  Effects effects;
  update(state, late, effects);
  EXPECT_FALSE(state.timeline.area);
  EXPECT_NE(effect_of<SubmitEffect>(effects), nullptr);
}

TEST(TimelineScreenData, AKernelIsSimulatedWithProgress) {
  double last = 0;
  const JobProgress progress({}, [&](double fraction) {
    EXPECT_GE(fraction, last);
    EXPECT_LE(fraction, 1);
    last = fraction;
  });
  const JobResult result = do_job(IndexTimelineJob{small_request(2048)}, progress);
  const auto data = std::get<std::shared_ptr<const TimelineData>>(result);
  EXPECT_GT(last, 0.5);
  EXPECT_GT(data->index.event_count(), 1000);
  EXPECT_EQ(data->main_pipe, Pipe::kCube);
  EXPECT_LE(data->fill_end, data->tail_begin);
  EXPECT_LE(data->tail_begin, data->end());
  int64_t ticks = 0;
  for (const PathRow& row : data->path_rows) ticks += row.ticks;
  EXPECT_EQ(ticks, data->end());
}

TEST(TimelineScreenData, ASimulationCanBeCancelled) {
  std::stop_source stop;
  const JobProgress progress(stop.get_token(), [&](double fraction) {
    if (fraction > 0) stop.request_stop();
  });
  EXPECT_THROW(do_job(IndexTimelineJob{small_request(2048)}, progress), JobCancelled);
}

}  // namespace
}  // namespace tilewright
