#include "simulator/path_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "simulator/timing.h"
#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

int64_t at(const PathLog::Ticks& ticks, Cause cause) {
  return ticks[cause.id()];
}

TEST(PathLog, WalksBackThroughPredecessors) {
  PathLog log(100, 64);
  const int32_t load = log.begin(100, 0, Cause::issue(), Pipe::kMte2);
  log.end(load, 180, {10, 20, 0});
  const int32_t add = log.begin(185, PathLog::end_of(load), Cause::issue(), Pipe::kVec);
  log.end(add, 200);
  const PathLog::Ticks ticks = log.path_to(PathLog::end_of(add));
  EXPECT_EQ(at(ticks, Cause::launch()), 100);
  EXPECT_EQ(at(ticks, Cause::busy(Pipe::kMte2)), 50);
  EXPECT_EQ(at(ticks, Cause::l2()), 10);
  EXPECT_EQ(at(ticks, Cause::hbm()), 20);
  EXPECT_EQ(at(ticks, Cause::issue()), 5);
  EXPECT_EQ(at(ticks, Cause::busy(Pipe::kVec)), 15);
  // Up to its start, the instruction itself is not on the path.
  EXPECT_EQ(at(log.path_to(PathLog::start_of(add)), Cause::busy(Pipe::kVec)), 0);
}

TEST(PathLog, CompactingKeepsThePathsThatStillMatter) {
  PathLog log(0, 16);
  const int32_t a = log.begin(0, 0, Cause::issue(), Pipe::kMte2);
  log.end(a, 10, {0, 4, 0});
  const int32_t b = log.begin(12, PathLog::end_of(a), Cause::handover(), Pipe::kCube);
  log.end(b, 30);
  const int32_t dead = log.begin(10, PathLog::end_of(a), Cause::issue(), Pipe::kMte2);
  log.end(dead, 11);
  int32_t open = log.begin(30, PathLog::end_of(b), Cause::issue(), Pipe::kFixp);
  PathLog::Moment end_of_b = PathLog::end_of(b);
  PathLog::Moment start_of_b = PathLog::start_of(b);
  PathLog::Moment start_of_open = PathLog::start_of(open);
  const PathLog::Ticks before = log.path_to(end_of_b);
  const PathLog::Ticks before_start = log.path_to(start_of_b);
  PathLog::Moment* const live[] = {&end_of_b, &start_of_b, &start_of_open};
  int32_t* const running[] = {&open};
  log.compact(live, running);
  EXPECT_EQ(log.path_to(end_of_b), before);
  EXPECT_EQ(log.path_to(start_of_b), before_start);
  EXPECT_EQ(log.path_to(start_of_open), before);
  log.end(open, 45);
  PathLog::Ticks after = before;
  after[Cause::busy(Pipe::kFixp).id()] += 15;
  EXPECT_EQ(log.path_to(PathLog::end_of(open)), after);
}

TEST(PathLog, ALongLaunchKeepsItsCriticalPathThroughCompaction) {
  // 60,000 tiles are 180,000 instructions, more than the log holds at a time. Two slots: the stores
  // run back to back from 36.
  const TimingResult result = time_detailed(copy_launch(60000, 2), toy_machine());
  EXPECT_EQ(cycles(result.ticks), 36 + 60000 * int64_t{64});
  EXPECT_EQ(cycles(result.critical_path.ticks[Cause::busy(Pipe::kMte3).id()]), 60000 * int64_t{64});
  EXPECT_EQ(cycles(result.critical_path.ticks[Cause::busy(Pipe::kVec).id()]), 4);
}

TEST(WhyNotEarlier, EachEventNamesWhatItsStartWaitedForLast) {
  Timeline timeline;
  const TimingResult result = time_detailed(copy_launch(5, 2, 2, false), toy_machine(), &timeline);
  std::map<int64_t, const TimelineEvent*> by_id;
  for (const TimelineEvent& event : timeline.events) by_id[event.id] = &event;
  ASSERT_EQ(by_id.size(), timeline.events.size());
  for (const TimelineEvent& event : timeline.events) {
    if (event.predecessor < 0) {
      EXPECT_TRUE(event.reason == StartReason::kLaunch || event.flag >= 0 ||
                  event.reason == StartReason::kIssue);
      continue;
    }
    const TimelineEvent& before = *by_id.at(event.predecessor);
    // No overheads on the toy machine: it starts the moment its predecessor ends.
    EXPECT_EQ(before.end, event.start);
    if (event.reason == StartReason::kPipe) {
      EXPECT_EQ(before.pipe, event.pipe);
    }
    if (event.reason == StartReason::kFlag) {
      EXPECT_GE(event.flag, 0);
    }
  }
  // Walking back from the last event covers the whole time.
  const auto* at = &*std::max_element(
      timeline.events.begin(), timeline.events.end(),
      [](const TimelineEvent& a, const TimelineEvent& b) { return a.end < b.end; });
  int64_t covered = at->end - at->start;
  while (at->predecessor >= 0) {
    at = by_id.at(at->predecessor);
    covered += at->end - at->start;
  }
  EXPECT_EQ(covered, result.ticks);
}

}  // namespace
}  // namespace tilewright
