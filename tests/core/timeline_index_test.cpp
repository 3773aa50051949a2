#include "core/timeline/timeline_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/timeline/timeline_area.h"
#include "core/timeline/timeline_cells.h"
#include "core/timeline/timeline_path.h"
#include "core/timeline/timeline_search.h"
#include "tests/core/timeline_fakes.h"

namespace tilewright {
namespace {

TEST(TimelineIndex, KeepsLanesThatRanSomethingByCoreAndPipe) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  EXPECT_EQ(index.event_count(), 5);
  EXPECT_EQ(index.first_start(), 100);
  EXPECT_EQ(index.end(), 400);
  EXPECT_EQ(index.last_event(), 4);
  ASSERT_EQ(index.cores().size(), 2u);
  EXPECT_EQ(index.cores()[0].core, 0);
  EXPECT_EQ(index.cores()[0].lanes, (std::vector<int>{0, 1}));
  EXPECT_EQ(index.cores()[1].core, 2);
  EXPECT_EQ(index.lane(0).pipe, Pipe::kCube);
  EXPECT_EQ(index.lane(1).pipe, Pipe::kMte2);
  EXPECT_EQ(index.load_lanes(), (std::vector<int>{1}));
  EXPECT_EQ(index.store_lanes(), (std::vector<int>{2}));
}

TEST(TimelineIndex, GivesBackEveryFieldOfAnEvent) {
  std::vector<TimelineEvent> events = random_events(1, 4, 500);
  const TimelineIndex index = index_of(fake_lanes(4), events);
  for (const TimelineEvent& event : events) {
    const TimelineEvent back = index.event(event.id);
    EXPECT_EQ(index.id(index.place(event.id)), event.id);
    EXPECT_EQ(back.id, event.id);
    EXPECT_EQ(back.start, event.start);
    EXPECT_EQ(back.end, event.end);
    EXPECT_EQ(back.core, event.core);
    EXPECT_EQ(back.pipe, event.pipe);
    EXPECT_EQ(back.reason, event.reason);
    EXPECT_EQ(back.flag, event.flag);
    EXPECT_EQ(back.predecessor, event.predecessor);
    EXPECT_EQ(back.name, event.name);
    EXPECT_EQ(back.task, event.task);
    EXPECT_EQ(back.iteration, event.iteration);
    EXPECT_EQ(back.bytes, event.bytes);
    EXPECT_EQ(back.flops, event.flops);
    EXPECT_EQ(back.l2_ticks, event.l2_ticks);
    EXPECT_EQ(back.hbm_ticks, event.hbm_ticks);
    EXPECT_EQ(back.conflict_ticks, event.conflict_ticks);
  }
}

TEST(TimelineIndex, NearestIsTheRunningEventElseTheCloserOne) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  // The MTE2 lane runs [100, 200) and [250, 300).
  EXPECT_EQ(index.nearest(1, 0), 0);
  EXPECT_EQ(index.nearest(1, 100), 0);
  EXPECT_EQ(index.nearest(1, 199), 0);
  EXPECT_EQ(index.nearest(1, 220), 0);
  EXPECT_EQ(index.nearest(1, 230), 1);
  EXPECT_EQ(index.nearest(1, 299), 1);
  EXPECT_EQ(index.nearest(1, 1000), 1);
  EXPECT_EQ(index.next({1, 0}), (EventPlace{1, 1}));
  EXPECT_FALSE(index.next({1, 1}));
  EXPECT_EQ(index.previous({1, 1}), (EventPlace{1, 0}));
  EXPECT_FALSE(index.previous({1, 0}));
}

TEST(TimelineIndex, SaysWhyAnEventDidNotStartEarlier) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  const StartWait cube = index.why_not_earlier(3);
  EXPECT_EQ(cube.reason, StartReason::kFlag);
  EXPECT_EQ(cube.flag, "full");
  EXPECT_EQ(cube.predecessor, 2);
  EXPECT_EQ(cube.released, 300);
  EXPECT_EQ(cube.latency, 10);
  EXPECT_EQ(cube.lane_free, 260);
  EXPECT_EQ(cube.lane_waited, 50);

  const StartWait load = index.why_not_earlier(2);
  EXPECT_EQ(load.reason, StartReason::kIssue);
  EXPECT_EQ(load.predecessor, 1);
  EXPECT_EQ(load.released, 210);  // the start of the mmad made room
  EXPECT_EQ(load.latency, 40);
  EXPECT_EQ(load.lane_waited, 50);

  const StartWait first = index.why_not_earlier(0);
  EXPECT_EQ(first.predecessor, -1);
  EXPECT_EQ(first.latency, 100);
}

TEST(TimelineIndex, TakesAtMostSoManyEventsAndSaysHowToGetByWithFewer) {
  TimelineIndex index(4);
  index.begin(fake_lanes(3));
  try {
    for (const TimelineEvent& event : hand_made()) index.add(event);
    FAIL() << "five events fit into four";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_NE(error.message().find("more than 4 events"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("larger tiles"), std::string::npos) << error.message();
  }
}

TEST(TimelineIndex, RefusesMoreFlagsThanItTellsApart) {
  TimelineLanes lanes = fake_lanes(1);
  lanes.flags.resize(EventKind::kMaxFlags);
  TimelineIndex index;
  index.begin(lanes);
  lanes.flags.emplace_back();
  EXPECT_THROW(index.begin(lanes), Error);
}

TEST(TimelineIndex, LargestNamesAndFlagsSurvivePacking) {
  const EventKind kind(EventKind::kMaxNames - 1, StartReason::kFlag, EventKind::kMaxFlags - 1,
                       kPipeCount);
  EXPECT_EQ(kind.name(), EventKind::kMaxNames - 1);
  EXPECT_EQ(kind.reason(), StartReason::kFlag);
  EXPECT_EQ(kind.flag(), EventKind::kMaxFlags - 1);
  EXPECT_EQ(kind.setter(), kPipeCount);
}

TEST(TimelineIndex, TakesAtMost42BytesAnEventAnd8ForEachAmount) {
  std::vector<TimelineEvent> events = random_events(2, 2, 40'000);
  const auto per_event = [&] {
    const TimelineIndex index = index_of(fake_lanes(2), events);
    return static_cast<double>(index.memory_bytes()) / static_cast<double>(events.size());
  };
  for (TimelineEvent& event : events) {
    event.bytes = event.flops = event.l2_ticks = event.hbm_ticks = event.conflict_ticks = 0;
  }
  EXPECT_LE(per_event(), 42.5);  // what grows with the kinds of events is not counted in the 42
  for (TimelineEvent& event : events) event.bytes = event.hbm_ticks = 1;
  EXPECT_GE(per_event(), 56);
  EXPECT_LE(per_event(), 58.5);
}

TEST(TimelineIndex, IsEmptyWithoutEvents) {
  const TimelineIndex index = index_of(fake_lanes(2), {});
  EXPECT_EQ(index.event_count(), 0);
  EXPECT_EQ(index.end(), 0);
  EXPECT_EQ(index.last_event(), -1);
  EXPECT_TRUE(index.lanes().empty());
  EXPECT_TRUE(critical_path(index).steps().empty());
  EXPECT_TRUE(area_statistics(index, TimelineArea::whole(index)).empty());
  EXPECT_EQ(TimelineSearch(index, "mmad").next(-1), -1);
  EXPECT_EQ(group_cells(index, {}, {0, 10, 2}).size(), 2u);
}

TEST(TimelineCells, CutEventsAtCellBorders) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  // MTE2: [100, 200), [250, 300). Cells of 80.
  const std::vector<LaneCell> cells = lane_cells(index.lane(1).events, {0, 400, 5});
  ASSERT_EQ(cells.size(), 5u);
  EXPECT_EQ(cells[0].events, 0);
  EXPECT_DOUBLE_EQ(cells[1].busy, 60.0 / 80);
  EXPECT_EQ(cells[1].events, 1);
  EXPECT_EQ(cells[1].first, 0);
  EXPECT_TRUE(cells[1].starts);
  EXPECT_FALSE(cells[1].ends);
  EXPECT_DOUBLE_EQ(cells[2].busy, 40.0 / 80);
  EXPECT_FALSE(cells[2].starts);
  EXPECT_TRUE(cells[2].ends);
  EXPECT_DOUBLE_EQ(cells[3].busy, 50.0 / 80);
  EXPECT_EQ(cells[3].first, 1);
  EXPECT_TRUE(cells[3].starts && cells[3].ends);
  EXPECT_DOUBLE_EQ(cells[4].busy, 0);
  EXPECT_EQ(cells[4].events, 0);
}

TEST(TimelineCells, GroupsHaveMeanLeastAndMostOfTheirLanes) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  // [240, 320): CUBE 20 of [210, 260) and 10 of [310, 330); MTE2 50.
  const std::vector<GroupCell> cells = group_cells(index, index.cores()[0].lanes, {240, 320, 1});
  EXPECT_DOUBLE_EQ(cells[0].mean, (30.0 / 80 + 50.0 / 80) / 2);
  EXPECT_DOUBLE_EQ(cells[0].min, 30.0 / 80);
  EXPECT_DOUBLE_EQ(cells[0].max, 50.0 / 80);
  EXPECT_EQ(cells[0].events, 3);
}

TEST(TimelineCells, SpreadBytesEvenlyOverAnEvent) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  // 1000 bytes in [100, 200), 400 in [250, 300).
  const std::vector<double> rates = byte_rates(index, index.load_lanes(), {150, 350, 2});
  EXPECT_DOUBLE_EQ(rates[0], 500.0 / 100);
  EXPECT_DOUBLE_EQ(rates[1], 400.0 / 100);
}

TEST(TimelineCells, RangeOfLessThanATickACellIsWidened) {
  const CellRange range(100, 103, 10);
  EXPECT_EQ(range.to(), 110);
  EXPECT_EQ(range.border(1), 101);
}

TEST(TimelineCells, AgreeWithCountingOnRandomTimelines) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<TimelineEvent> events = random_events(seed, 2, 300);
    const TimelineIndex index = index_of(fake_lanes(2), events);
    // Beyond both ends, and with cells from 1 tick to the whole.
    const CellRange ranges[] = {{-50, index.end() + 70, 37},
                                {0, index.end(), 1},
                                {index.end() / 2, index.end() / 2 + 23, 23}};
    for (const CellRange& range : ranges) {
      for (const TimelineLane& lane : index.lanes()) {
        const std::vector<LaneCell> cells = lane_cells(lane.events, range);
        for (int i = 0; i < range.count(); ++i) {
          const LaneCell expected = count_cell(events, lane, range.border(i), range.border(i + 1));
          const LaneCell& cell = cells[static_cast<size_t>(i)];
          EXPECT_DOUBLE_EQ(cell.busy, expected.busy);
          EXPECT_EQ(cell.events, expected.events);
          EXPECT_EQ(cell.starts, expected.starts);
          EXPECT_EQ(cell.ends, expected.ends);
          if (expected.events > 0) {
            EXPECT_EQ(cell.first, expected.first);
          }
        }
      }
    }
  }
}

TEST(TimelineCells, SumToAllTicksAndAllBytes) {
  const std::vector<TimelineEvent> events = random_events(5, 3, 2000);
  const TimelineIndex index = index_of(fake_lanes(3), events);
  double bytes = 0;
  double ticks = 0;
  for (const TimelineEvent& event : events) {
    ticks += static_cast<double>(event.end - event.start);
    // Of events that take no time, too: they count where they are.
    bytes += static_cast<double>(event.bytes);
  }
  const CellRange range(0, index.end() + 1, 113);
  const std::vector<GroupCell> cells = group_cells(index, index.all_lanes(), range);
  const std::vector<double> rates = byte_rates(index, index.all_lanes(), range);
  double busy = 0;
  double moved = 0;
  for (int i = 0; i < range.count(); ++i) {
    busy += cells[static_cast<size_t>(i)].mean * static_cast<double>(index.lanes().size()) *
            range.ticks(i);
    moved += rates[static_cast<size_t>(i)] * range.ticks(i);
  }
  EXPECT_NEAR(busy, ticks, ticks * 1e-12);
  EXPECT_NEAR(moved, bytes, bytes * 1e-12);
}

TEST(TimelinePath, WalksBackToTheLaunchAndAccountsForEveryTick) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  const TimelinePath path = critical_path(index);
  // The load's end 300, flag 10, mmad 310..330, flag 20, store 350..400. The second load was
  // issued 40 after the first mmad's start, which the first load's flag let go 10 after its end.
  std::vector<int64_t> ids;
  int64_t sum = 0;
  for (const PathStep& step : path.steps()) {
    ids.push_back(step.id);
    sum += step.waited + step.busy;
  }
  EXPECT_EQ(ids, (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(sum, index.end());
  EXPECT_EQ(path.steps()[0].waited, 100);
  EXPECT_EQ(path.steps()[1].busy, 0);  // left at its start
  EXPECT_EQ(path.steps()[2].waited, 40);
  ASSERT_EQ(path.shares().size(), 3u);
  EXPECT_EQ(path.shares()[0].pipe, Pipe::kMte2);
  EXPECT_EQ(path.shares()[0].ticks, 150);
  EXPECT_EQ(path.shares()[0].count, 2);
  ASSERT_EQ(path.waits().size(), 4u);
  EXPECT_EQ(path.waits()[0].cause, IdleCause::kLaunch);
  EXPECT_EQ(path.waits()[1].cause, IdleCause::kIssue);
  EXPECT_EQ(path.waits()[1].ticks, 40);

  const TimelinePath part(index, 1);
  EXPECT_EQ(part.steps().size(), 2u);
  EXPECT_TRUE(part.contains(1));
  EXPECT_FALSE(part.contains(2));
}

TEST(TimelineSearch, FindsInstructionsFlagsAndCoresWhateverTheirCase) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  const TimelineSearch loads(index, "LoA");
  EXPECT_EQ(loads.count(), 2);
  EXPECT_EQ(loads.next(-1), 0);
  EXPECT_EQ(loads.next(0), 2);
  EXPECT_EQ(loads.next(2), -1);
  EXPECT_EQ(loads.previous(-1), 2);
  EXPECT_EQ(loads.previous(2), 0);
  EXPECT_EQ(loads.previous(0), -1);
  EXPECT_TRUE(loads.matches(0));
  EXPECT_FALSE(loads.matches(1));
  EXPECT_EQ(TimelineSearch(index, "full").count(), 2);
  EXPECT_EQ(TimelineSearch(index, "core 2").count(), 1);
  EXPECT_EQ(TimelineSearch(index, "AIC 0.2").next(-1), 4);
  EXPECT_EQ(TimelineSearch(index, "nothing").count(), 0);
  EXPECT_EQ(TimelineSearch(index, "").count(), 0);
}

TEST(TimelineSearch, WalksAllMatchesInOrderOfStartInBothDirections) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<TimelineEvent> events = random_events(seed, 3, 200);
    const TimelineIndex index = index_of(fake_lanes(3), events);
    const TimelineSearch search(index, "mmad");
    std::ranges::sort(events, [](const TimelineEvent& a, const TimelineEvent& b) {
      return std::pair(a.start, a.id) < std::pair(b.start, b.id);
    });
    std::vector<int64_t> expected;
    for (const TimelineEvent& event : events) {
      EXPECT_EQ(search.previous(event.id), expected.empty() ? -1 : expected.back());
      if (event.name == kMmadName) expected.push_back(event.id);
    }
    std::vector<int64_t> found;
    for (int64_t id = search.next(-1); id >= 0; id = search.next(id)) found.push_back(id);
    EXPECT_EQ(found, expected);
    EXPECT_EQ(search.count(), static_cast<int64_t>(expected.size()));
  }
}

}  // namespace
}  // namespace tilewright
