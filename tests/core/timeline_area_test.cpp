#include "core/timeline/timeline_area.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/core/timeline_fakes.h"

namespace tilewright {
namespace {

/// Idle ticks by name.
std::map<std::string, int64_t> idle_of(const PipeStatistics& pipe, const TimelineLanes& names) {
  std::map<std::string, int64_t> idle;
  for (const IdleShare& share : pipe.idle) idle[share.name(names)] += share.ticks;
  return idle;
}

TEST(TimelineArea, StatesWhatEachPipeDidAndWhyItIdled) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  const auto pipes = area_statistics(index, TimelineArea::whole(index));
  ASSERT_EQ(pipes.size(), 3u);
  const PipeStatistics& cube = pipes[0];
  EXPECT_EQ(cube.pipe, Pipe::kCube);
  EXPECT_EQ(cube.lanes, 1);
  EXPECT_EQ(cube.busy_ticks, 70);
  EXPECT_DOUBLE_EQ(cube.busy, 70.0 / 400);
  EXPECT_EQ(cube.events, 2);
  EXPECT_DOUBLE_EQ(cube.mean, 35);
  EXPECT_EQ(cube.p50, 20);
  EXPECT_EQ(cube.p99, 50);
  EXPECT_EQ(cube.max, 50);
  EXPECT_EQ(cube.flops, 128);
  EXPECT_EQ(idle_of(cube, index.names()),
            (std::map<std::string, int64_t>{
                {"launch", 100}, {"flag full of MTE2", 110 + 50}, {"done", 70}}));
  EXPECT_EQ(pipes[1].pipe, Pipe::kMte2);
  EXPECT_EQ(pipes[1].bytes, 1400);
  EXPECT_EQ(idle_of(pipes[1], index.names()),
            (std::map<std::string, int64_t>{{"launch", 100}, {"issue", 50}, {"done", 100}}));
  EXPECT_EQ(idle_of(pipes[2], index.names()),
            (std::map<std::string, int64_t>{{"launch", 100}, {"flag done of CUBE", 250}}));
}

TEST(TimelineArea, CutsAtItsBordersAndCountsEventsThatStartInIt) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  const auto pipes = area_statistics(index, {150, 260, {0, 1}});
  ASSERT_EQ(pipes.size(), 2u);
  EXPECT_EQ(pipes[1].busy_ticks, 50 + 10);
  EXPECT_EQ(pipes[1].events, 1);
  EXPECT_EQ(pipes[1].max, 50);
  EXPECT_EQ(pipes[1].bytes, 400);
  // Nothing runs on the store's lane; its later start says why.
  const auto store = area_statistics(index, {320, 340, {2}});
  EXPECT_EQ(store[0].events, 0);
  EXPECT_EQ(idle_of(store[0], index.names()),
            (std::map<std::string, int64_t>{{"flag done of CUBE", 20}}));
  EXPECT_TRUE(area_statistics(index, {300, 300, {0}}).empty());
}

TEST(TimelineArea, AgreesWithCountingOnRandomTimelines) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<TimelineEvent> events = random_events(seed, 3, 400);
    const TimelineIndex index = index_of(fake_lanes(3), events);
    const int64_t end = index.end();
    for (const auto& [from, to] : {std::pair(int64_t{-5}, end + 9), std::pair(end / 3, end / 2),
                                   std::pair(end / 2, end / 2 + 1)}) {
      for (const PipeStatistics& pipe : area_statistics(index, {from, to, index.all_lanes()})) {
        int64_t busy = 0;
        int64_t bytes = 0;
        std::vector<int64_t> durations;
        for (const TimelineEvent& event : events) {
          if (event.pipe != pipe.pipe) continue;
          busy += std::max<int64_t>(0, std::min(event.end, to) - std::max(event.start, from));
          if (event.start < from || event.start >= to) continue;
          durations.push_back(event.end - event.start);
          bytes += event.bytes;
        }
        std::ranges::sort(durations);
        EXPECT_EQ(pipe.busy_ticks, busy);
        EXPECT_EQ(pipe.bytes, bytes);
        ASSERT_EQ(pipe.events, static_cast<int64_t>(durations.size()));
        int64_t idle = 0;
        for (const IdleShare& share : pipe.idle) idle += share.ticks;
        EXPECT_EQ(busy + idle, pipe.lanes * (to - from));
        if (durations.empty()) continue;
        const auto rank = [&](size_t percent) {
          return durations[(durations.size() * percent + 99) / 100 - 1];
        };
        EXPECT_EQ(pipe.p50, rank(50));
        EXPECT_EQ(pipe.p99, rank(99));
        EXPECT_EQ(pipe.max, durations.back());
      }
    }
  }
}

TEST(TimelineGroups, SumToBusyAndIdleTime) {
  const std::vector<TimelineEvent> events = random_events(9, 2, 600);
  const TimelineIndex index = index_of(fake_lanes(2), events);
  const TimelineArea area{index.end() / 4, index.end() / 2, index.all_lanes()};
  int64_t busy = 0;
  int64_t idle = 0;
  int64_t count = 0;
  for (const PipeStatistics& pipe : area_statistics(index, area)) {
    busy += pipe.busy_ticks;
    count += pipe.events;
    for (const IdleShare& share : pipe.idle) idle += share.ticks;
  }
  const auto sum = [&](GroupBy by, int64_t EventGroup::*amount) {
    int64_t total = 0;
    for (const EventGroup& group : group_area(index, area, by)) total += group.*amount;
    return total;
  };
  EXPECT_EQ(sum(GroupBy::kInstruction, &EventGroup::ticks), busy);
  EXPECT_EQ(sum(GroupBy::kInstruction, &EventGroup::count), count);
  EXPECT_EQ(sum(GroupBy::kTask, &EventGroup::ticks), busy);
  EXPECT_EQ(sum(GroupBy::kTask, &EventGroup::count), count);
  EXPECT_EQ(sum(GroupBy::kCause, &EventGroup::ticks), idle);
}

TEST(TimelineGroups, AreNamedByWhatTheyHaveInCommon) {
  const TimelineIndex index = index_of(fake_lanes(3), hand_made());
  const TimelineArea all = TimelineArea::whole(index);
  const auto instructions = group_area(index, all, GroupBy::kInstruction);
  ASSERT_EQ(instructions.size(), 3u);
  EXPECT_EQ(instructions[0].label, "MTE2 tile load");
  EXPECT_EQ(instructions[0].count, 2);
  EXPECT_EQ(instructions[0].ticks, 150);
  EXPECT_EQ(instructions[0].bytes, 1400);
  const auto tasks = group_area(index, all, GroupBy::kTask);
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[1].label, "AIC 0.0 task 1");
  EXPECT_EQ(tasks[1].flops, 128);
  EXPECT_EQ(group_area(index, all, GroupBy::kCause)[0].label, "launch");
}

}  // namespace
}  // namespace tilewright
