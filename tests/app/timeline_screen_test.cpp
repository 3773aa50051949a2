#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/base/format.h"
#include "tests/app/timeline_fixture.h"

namespace tilewright {
namespace {

using Kind = MouseEvent::Kind;

const HandMadeLaunch& launch() {
  static const HandMadeLaunch made(7, 24);
  return made;
}

const TimelineIndex& index_of(const State& state) {
  return state.timeline.data->index;
}

/// The text of a command that asks for one, typed as a user does.
void ask(State& state, std::string_view key, std::string_view argument) {
  press(state, key);
  type(state, argument);
  press(state, "Enter");
}

TEST(TimelineScreen, SimulatesARunOnceAndShowsIt) {
  State state = test_state();
  Effects effects;
  open_timeline(state, small_request(), effects);
  EXPECT_EQ(state.screen, Screen::kTimeline);
  const auto* job = effect_of<SubmitEffect>(effects);
  ASSERT_TRUE(job);
  EXPECT_TRUE(std::holds_alternative<IndexTimelineJob>(job->request));
  effects.clear();
  open_timeline(state, small_request(), effects);
  EXPECT_TRUE(effects.empty());

  state = timeline_state(launch());
  press(state, "w w");
  const TimeZoom zoom = state.timeline.zoom;
  open_timeline(state, small_request(), effects);
  EXPECT_TRUE(effects.empty());
  EXPECT_EQ(state.timeline.zoom, zoom);
}

TEST(TimelineScreen, AnotherRunReplacesTheOneUnderWay) {
  State state = test_state();
  Effects effects;
  open_timeline(state, small_request(), effects);
  const int64_t first = state.timeline.job;
  open_timeline(state, small_request(256), effects);
  const auto* cancel = effect_of<CancelEffect>(effects);
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->id, first);
  // A result that comes too late is not shown.
  JobSnapshot late = state.jobs.front();
  late.phase = JobPhase::kDone;
  late.result = make_timeline(small_request(), "late", launch().index());
  update(state, late, effects);
  EXPECT_FALSE(state.timeline.data);
}

TEST(TimelineScreen, SaysWhatToPressWithoutARun) {
  State state = test_state();
  press(state, "3");
  EXPECT_NE(pane_row(state, kLanesPane, 0).find("2 opens the Lab"), std::string::npos);
  press(state, "w");
  EXPECT_NE(state.message.text.find("no run is shown"), std::string::npos);
}

TEST(TimelineScreen, ShowsHowFarTheSimulationIs) {
  State state = test_state();
  Effects effects;
  open_timeline(state, small_request(), effects);
  EXPECT_NE(pane_row(state, kLanesPane, 1).find("waits until"), std::string::npos);
  JobSnapshot half = state.jobs.front();
  half.phase = JobPhase::kRunning;
  half.fraction = 0.5;
  update(state, half, effects);
  EXPECT_NE(pane_row(state, kLanesPane, 0).find("50 %"), std::string::npos);
  EXPECT_NE(pane_row(state, kLanesPane, 1).find("K cancels"), std::string::npos);
}

/// Busy ticks of a lane in a window, event by event.
double busy_by_hand(const TimelineLane& lane, const TimeWindow& window) {
  int64_t busy = 0;
  for (const TimelineEvent& event : launch().events()) {
    if (event.core != lane.core || event.pipe != lane.pipe) continue;
    busy +=
        std::max<int64_t>(0, std::min(event.end, window.to) - std::max(event.start, window.from));
  }
  return static_cast<double>(busy) / static_cast<double>(window.ticks());
}

TEST(TimelineScreen, TheBusyShareOfEveryLaneIsTheSumOfItsEvents) {
  State state = timeline_state(launch());
  press(state, "O");
  for (int zoom = 0; zoom < 8; ++zoom, press(state, "w d")) {
    const std::vector<LaneRow> rows = lane_rows(state.timeline);
    const int visible =
        LaneGeometry(inside_of(state, kLanesPane).width, inside_of(state, kLanesPane).height).rows;
    for (int i = 0; i < visible; ++i) {
      const TimelineLane& lane = index_of(state).lane(rows[static_cast<size_t>(i)].lane);
      const std::string share = format_share(busy_by_hand(lane, shown_window(state)));
      const std::string row = pane_row(state, kLanesPane, 1 + i);
      EXPECT_TRUE(row.ends_with(" " + share)) << row << "\n" << share;
    }
  }
}

TEST(TimelineScreen, ZoomKeepsTheSelectedEventInSight) {
  State state = timeline_state(launch());
  press(state, "] ] ] ]");
  const TimelineEvent event = index_of(state).event(*state.timeline.selected);
  for (int i = 0; i < 25; ++i) {
    press(state, "w");
    const TimeWindow window = shown_window(state);
    EXPECT_TRUE(window.touches(event.start, event.end));
  }
  // One instruction fills the screen.
  EXPECT_LT(shown_window(state).ticks(), event.end - event.start);
  for (int i = 0; i < 25; ++i) press(state, "s");
  EXPECT_EQ(state.timeline.zoom, TimeZoom{});
}

TEST(TimelineScreen, FocusCentresTheEventAndThenZoomsToIt) {
  State state = timeline_state(launch());
  press(state, "] w w w Home f f");
  const TimelineEvent event = index_of(state).event(*state.timeline.selected);
  const TimeWindow window = shown_window(state);
  EXPECT_GE(2 * (event.end - event.start), window.ticks());
  EXPECT_TRUE(window.contains(event.start) && window.contains(event.end - 1));
}

TEST(TimelineScreen, PanningStopsAtTheLaunchsEnds) {
  State state = timeline_state(launch());
  press(state, "w w w w");
  for (int i = 0; i < 200; ++i) press(state, "A");
  EXPECT_EQ(shown_window(state).from, 0);
  for (int i = 0; i < 200; ++i) press(state, "D");
  EXPECT_EQ(shown_window(state).to, index_of(state).end());
}

TEST(TimelineScreen, EventsOfALaneFollowEachOther) {
  State state = timeline_state(launch());
  press(state, "Home");
  std::vector<int64_t> starts;
  for (size_t i = 0; i < 200; ++i) {
    starts.push_back(index_of(state).event(*state.timeline.selected).start);
    const auto before = state.timeline.selected;
    press(state, "]");
    if (state.timeline.selected == before) break;
  }
  const int lane = index_of(state).place(*state.timeline.selected).lane;
  EXPECT_EQ(std::ssize(starts), index_of(state).lane(lane).events.size());
  EXPECT_TRUE(std::ranges::is_sorted(starts));
  press(state, "End");
  const auto last = state.timeline.selected;
  press(state, "[ ]");
  EXPECT_EQ(state.timeline.selected, last);
}

TEST(TimelineScreen, AnotherLaneSelectsItsEventNearestInTime) {
  State state = timeline_state(launch());
  press(state, "] j");
  const EventPlace place = index_of(state).place(*state.timeline.selected);
  EXPECT_EQ(place.lane, lane_rows(state.timeline)[1].lane);
  EXPECT_EQ(state.timeline.row, 1);
}

TEST(TimelineScreen, CausesLeadFromTheLastEventToTheLaunchAndBack) {
  State state = timeline_state(launch());
  press(state, "c");
  EXPECT_EQ(state.timeline.selected, index_of(state).last_event());
  std::vector<int64_t> chain = {*state.timeline.selected};
  for (;;) {
    press(state, "c");
    if (*state.timeline.selected == chain.back()) break;
    chain.push_back(*state.timeline.selected);
    const TimelineEvent event = index_of(state).event(chain.back());
    EXPECT_TRUE(shown_window(state).touches(event.start, event.end));
    const std::vector<LaneRow> rows = lane_rows(state.timeline);
    EXPECT_EQ(rows[static_cast<size_t>(state.timeline.row)].lane,
              index_of(state).place(chain.back()).lane);
  }
  EXPECT_EQ(chain.size(), state.timeline.data->path.steps().size());
  EXPECT_EQ(index_of(state).event(chain.back()).reason, StartReason::kLaunch);
  EXPECT_NE(state.message.text.find("the launch let it go"), std::string::npos);
  while (!state.timeline.trail.empty()) {
    EXPECT_EQ(*state.timeline.selected, chain.back());
    chain.pop_back();
    press(state, "b");
  }
  EXPECT_EQ(state.timeline.selected, index_of(state).last_event());
}

TEST(TimelineScreen, TheEventPaneSaysWhatItWaitedFor) {
  State state = timeline_state(launch());
  ask(state, "g", "#0");
  press(state, "Tab");
  std::string all;
  for (int y = 0; y < 10; ++y) all += pane_row(state, kEventPane, y);
  EXPECT_NE(all.find("its core began with the launch, 1,000 cyc"), std::string::npos) << all;
  press(state, "c c ]");
  ask(state, "/", "mmad");
  all.clear();
  for (int y = 0; y < 10; ++y) all += pane_row(state, kEventPane, y);
  EXPECT_NE(all.find("it waited for flag l0_full"), std::string::npos) << all;
  EXPECT_NE(all.find("of the cube's peak"), std::string::npos) << all;
}

TEST(TimelineScreen, GoesToATimeOrAnEvent) {
  State state = timeline_state(launch());
  press(state, "w w w w w");
  ask(state, "g", "5000");
  EXPECT_TRUE(shown_window(state).contains(5000 * kTicksPerCycle));
  ask(state, "g", "#7");
  EXPECT_EQ(state.timeline.selected, 7);
  ask(state, "g", "#999999");
  EXPECT_NE(state.message.text.find("there is no event 999999"), std::string::npos);
  ask(state, "g", "99999999");
  EXPECT_NE(state.message.text.find("outside of the launch"), std::string::npos);
  ask(state, "g", "soon");
  EXPECT_EQ(state.message.role, Role::kBad);
}

TEST(TimelineScreen, FindVisitsEveryMatchOnceAndBeginsAgain) {
  State state = timeline_state(launch());
  ask(state, "/", "FIXPIPE");
  const auto stores = std::ranges::count(launch().events(), Pipe::kFixp, &TimelineEvent::pipe);
  EXPECT_TRUE(state.message.text.starts_with(
      fmt::format("match 1 of {} of \"FIXPIPE\"", format_count(stores))));
  std::set<int64_t> seen;
  const int64_t first = *state.timeline.selected;
  do {
    EXPECT_EQ(index_of(state).event(*state.timeline.selected).pipe, Pipe::kFixp);
    seen.insert(*state.timeline.selected);
    EXPECT_TRUE(state.message.text.starts_with(fmt::format("match {} of", seen.size())));
    press(state, "n");
  } while (*state.timeline.selected != first);
  EXPECT_EQ(std::ssize(seen), stores);
  EXPECT_NE(state.message.text.find("again from the first"), std::string::npos);
  press(state, "N");
  EXPECT_NE(state.message.text.find("again from the last"), std::string::npos);
  ask(state, "/", "nothing has this name");
  EXPECT_EQ(state.message.role, Role::kWarn);
}

TEST(TimelineScreen, TheFirstLaneThatIsDrawnNamesItsCore) {
  State state = timeline_state(launch(), 80, 24);
  press(state, "O PgDn PgDn");
  ASSERT_GT(state.timeline.first_row, 0);
  for (int i = 0; i < 4; ++i, press(state, "j")) {
    const LaneRow row = lane_rows(state.timeline)[static_cast<size_t>(state.timeline.first_row)];
    const int core = index_of(state).lane(row.lane).core;
    EXPECT_NE(pane_row(state, kLanesPane, 1).find(fmt::format("AIC {}.{} ", core, core)),
              std::string::npos);
  }
}

TEST(TimelineScreen, TheCriticalPathIsMarkedWhereItIsSeen) {
  for (const int height : {40, 24, 16}) {
    State state = timeline_state(launch(), 80, height);
    press(state, "C");
    EXPECT_EQ(state.message.text.substr(0, 22), "critical path marked: ");
    EXPECT_NE(state.message.text.find("ends on AIC 6.6 "), std::string::npos);
    EXPECT_NE(state.message.text.find("c goes there"), std::string::npos);
    const auto is_marked = [&] {
      const Rect inside = inside_of(state, kLanesPane);
      const Grid grid = draw(state);
      for (int y = 1; y < inside.height; ++y) {
        for (int x = LaneGeometry::kName; x < inside.width; ++x) {
          if (grid.at(inside.x + x, inside.y + y).role == Role::kPath) return true;
        }
      }
      return false;
    };
    EXPECT_TRUE(is_marked()) << height;
    // The mark stays for the next run.
    show_timeline(state, make_timeline(small_request(), "next", launch().index()));
    Effects effects;
    settle_timeline(state, effects);
    EXPECT_TRUE(is_marked()) << height;
    press(state, "C");
    EXPECT_EQ(state.message.text, "critical path no longer marked");
    EXPECT_FALSE(is_marked());
  }
}

TEST(TimelineScreen, SignsAndNumbersSayWhatTheyMean) {
  State state = timeline_state(launch());
  const std::string phases = pane_row(state, kOverviewPane, 2);
  EXPECT_NE(phases.find("work "), std::string::npos) << phases;
  const TimelineData& data = *state.timeline.data;
  const auto tail = static_cast<double>(data.end() - data.tail_begin);
  EXPECT_NE(phases.find("tail " + format_share(tail / static_cast<double>(data.end()))),
            std::string::npos);
  const std::string whole = draw(state).text();
  for (const std::string_view sign : {"C CUBE", "1 MTE1", "2 MTE2", "· waits", "· idle"}) {
    EXPECT_NE(whole.find(sign), std::string::npos) << sign;
  }
  EXPECT_NE(whole.find("GM loads, mean"), std::string::npos);
  state.look.glyphs = GlyphSet::kAscii;
  EXPECT_NE(draw(state).text().find("letter or sign: one event"), std::string::npos);
}

TEST(TimelineScreen, LongNamesCutNoNumbers) {
  const HandMadeLaunch named(7, 24, "_of_the_outer_loop_over_tiles_with_an_endless_name_behind_it");
  State state = timeline_state(named, 80, 24);
  // An event that waited for a flag.
  ask(state, "/", "mmad");
  const TimelineEvent event = index_of(state).event(*state.timeline.selected);
  press(state, "Tab");
  std::string all;
  for (int y = 0; y < 4; ++y) all += pane_row(state, kEventPane, y);
  const StartWait wait = index_of(state).why_not_earlier(event.id);
  const TimeFormat format = time_format(state);
  EXPECT_NE(all.find(format.number(wait.released)), std::string::npos) << all;
  EXPECT_NE(all.find("its lane"), std::string::npos) << all;
  EXPECT_NE(draw(state).text().find(fmt::format("#{} ", event.id)), std::string::npos);
  press(state, "Tab");
  for (int grouping = 1; grouping < kAreaGroupings; ++grouping) {
    press(state, "G");
    const EventGroup& group = state.timeline.area->groups.front();
    EXPECT_NE(pane_row(state, kAreaPane, 1).find(format.number(group.ticks)), std::string::npos);
    EXPECT_NE(pane_row(state, kAreaPane, 1).find(format_count(group.count)), std::string::npos);
  }
  press(state, "Tab");
  const PathRow& row = state.timeline.data->path_rows.front();
  EXPECT_NE(pane_row(state, kPathPane, 1).find(format.number(row.ticks)), std::string::npos);
}

TEST(TimelineScreen, FoldsAndOpensCores) {
  State state = timeline_state(HandMadeLaunch(9, 8));
  // Two open cores of four lanes, four folded ones, and a row for the rest.
  EXPECT_EQ(lane_rows(state.timeline).size(), 2u * 4 + 4 + 1);
  EXPECT_EQ(lane_rows(state.timeline).back().kind, LaneRow::Kind::kRest);
  press(state, "o");
  EXPECT_EQ(lane_rows(state.timeline).front().kind, LaneRow::Kind::kCore);
  EXPECT_EQ(state.timeline.row, 0);
  press(state, "o");
  EXPECT_EQ(lane_rows(state.timeline).size(), 13u);
  press(state, "O");
  EXPECT_EQ(lane_rows(state.timeline).size(), 9u * 4);
  press(state, "O PgDn PgDn o");
  EXPECT_EQ(lane_rows(state.timeline).size(), 2u * 4 + 7) << "the rest is listed";
}

TEST(TimelineScreen, PinnedLanesStayOnTop) {
  State state = timeline_state(launch());
  press(state, "j j P");
  const std::vector<LaneRow> rows = lane_rows(state.timeline);
  EXPECT_TRUE(rows.front().is_pinned);
  EXPECT_EQ(rows.front().lane, rows[3].lane);
  EXPECT_EQ(state.timeline.row, 3);
  press(state, "P");
  EXPECT_FALSE(lane_rows(state.timeline).front().is_pinned);
}

TEST(TimelineScreen, TheCursorStaysInSightWhateverTheSize) {
  State state = timeline_state(launch());
  press(state, "O PgDn PgDn");
  for (const int height : {60, 40, 24, 16, 20, 80}) {
    Effects effects;
    update(state, InputEvent(ResizeEvent{100, height}), effects);
    const Rect inside = inside_of(state, kLanesPane);
    bool is_drawn = false;
    for (int y = 1; y < inside.height; ++y) {
      is_drawn |= draw(state).at(inside.x, inside.y + y).glyph == U'▸';
    }
    EXPECT_TRUE(is_drawn) << height;
  }
}

TEST(TimelineScreen, ThePathsSharesSumToTheWhole) {
  State state = timeline_state(launch());
  int64_t ticks = 0;
  for (const PathRow& row : state.timeline.data->path_rows) {
    ticks += row.ticks;
    const TimelineEvent first = index_of(state).event(row.first_event);
    EXPECT_TRUE(row.pipe == "-" || row.pipe == name_of(first.pipe)) << row.pipe;
  }
  EXPECT_EQ(ticks, index_of(state).end());
  press(state, "Tab Tab Tab");
  ASSERT_EQ(state.pane().pane, kPathPane);
  const int count = static_cast<int>(state.timeline.data->path_rows.size());
  const int total = std::min(inside_of(state, kPathPane).height - 1, 1 + count);
  EXPECT_NE(pane_row(state, kPathPane, total).find("100.0 %"), std::string::npos);
  press(state, "j Enter");
  EXPECT_EQ(state.timeline.selected, state.timeline.data->path_rows[1].first_event);
}

TEST(TimelineScreen, WritesTheWholeLaunchToAFile) {
  State state = timeline_state(launch());
  press(state, "e");
  type(state, "trace.csv");
  const Effects effects = press(state, "Enter");
  const auto* job = effect_of<SubmitEffect>(effects);
  ASSERT_TRUE(job);
  EXPECT_EQ(std::get<ExportTimelineJob>(job->request).path, "trace.csv");
}

TEST(TimelineScreen, CopiesTheCommandLineThatWritesTheTrace) {
  State state = timeline_state(launch());
  const Effects effects = press(state, "y");
  const auto* copy = effect_of<CopyEffect>(effects);
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->text.starts_with("tilewright run gemm --shape m=512,n=512,k=512"));
  EXPECT_TRUE(copy->text.ends_with("--machine ascend-910b2 --trace timeline.json"));
}

TEST(TimelineScreen, EscapeGivesUpOneThingAtATime) {
  State state = timeline_state(launch());
  ask(state, "/", "load");
  press(state, "m Esc");
  EXPECT_FALSE(state.timeline.mark_begin);
  EXPECT_FALSE(state.timeline.search.empty());
  press(state, "Esc");
  EXPECT_TRUE(state.timeline.search.empty());
  EXPECT_TRUE(state.timeline.selected);
  press(state, "Esc");
  EXPECT_FALSE(state.timeline.selected);
}

TEST(TimelineScreen, AClickSelectsTheEventBelowIt) {
  State state = timeline_state(launch());
  press(state, "w w w");
  const Rect inside = inside_of(state, kLanesPane);
  const int column = LaneGeometry::kName + 40;
  send_mouse(state, Kind::kPress, inside.x + column, inside.y + 3);
  const int lane = lane_rows(state.timeline)[2].lane;
  const int64_t tick = tick_of(shown_window(state), cells_of_time(state), 40);
  EXPECT_EQ(state.timeline.row, 2);
  EXPECT_EQ(state.timeline.selected,
            index_of(state).id({lane, index_of(state).nearest(lane, tick)}));
}

TEST(TimelineScreen, TheWheelZoomsAtThePointer) {
  State state = timeline_state(launch());
  const Rect inside = inside_of(state, kLanesPane);
  const int64_t tick = tick_of(shown_window(state), cells_of_time(state), 20);
  for (int i = 0; i < 5; ++i) {
    send_mouse(state, Kind::kWheelUp, inside.x + LaneGeometry::kName + 20, inside.y + 2);
    EXPECT_NEAR(cell_of(shown_window(state), cells_of_time(state), tick), 20, 1 + i);
  }
  for (int i = 0; i < 5; ++i) {
    send_mouse(state, Kind::kWheelDown, inside.x + LaneGeometry::kName + 20, inside.y + 2);
  }
  EXPECT_EQ(state.timeline.zoom, TimeZoom{});
}

TEST(TimelineScreen, AClickOnTheOverviewMovesTheWindow) {
  State state = timeline_state(launch());
  press(state, "w w w w");
  const Rect inside = inside_of(state, kOverviewPane);
  send_mouse(state, Kind::kPress, inside.x + LaneGeometry::kName + 60, inside.y);
  const int64_t tick = tick_of({0, index_of(state).end()}, cells_of_time(state), 60);
  EXPECT_TRUE(shown_window(state).contains(tick));
  const int64_t before = shown_window(state).from;
  send_mouse(state, Kind::kDrag, inside.x + LaneGeometry::kName + 30, inside.y);
  EXPECT_LT(shown_window(state).from, before);
}

}  // namespace
}  // namespace tilewright
