#include <gtest/gtest.h>

#include <cstdlib>

#include "app/tui/timeline/time_window.h"
#include "core/base/random.h"
#include "core/machine/machine.h"

namespace tilewright {
namespace {

constexpr int64_t kEnd = 2'560'000 * kTicksPerCycle;
constexpr int kCells = 88;

TEST(TimelineScreenWindow, ShowsTheWholeLaunchAtFirst) {
  EXPECT_EQ(window_of({}, kEnd, kCells), (TimeWindow{0, kEnd}));
}

TEST(TimelineScreenWindow, ZoomsInStepsOfOneTwoFiveDownToAHundredthOfACycle) {
  TimeZoom zoom;
  const double expected[] = {20000, 10000, 5000, 2000, 1000, 500, 200, 100, 50,   20,   10,
                             5,     2,     1,    0.5,  0.2,  0.1, .05, .02, 0.01, 0.01, 0.01};
  for (const double cycles : expected) {
    zoom = zoomed(zoom, kEnd, kCells, 1, kEnd / 2);
    EXPECT_NEAR(static_cast<double>(zoom.cell), cycles * kTicksPerCycle, 0.5);
  }
}

TEST(TimelineScreenWindow, ZoomingInAndOutAgainRestoresTheWholeLaunch) {
  TimeZoom zoom;
  for (int i = 0; i < 30; ++i) zoom = zoomed(zoom, kEnd, kCells, 1, kEnd / 3);
  for (int i = 0; i < 30; ++i) zoom = zoomed(zoom, kEnd, kCells, -1, kEnd / 3);
  EXPECT_EQ(zoom, TimeZoom{});
}

TEST(TimelineScreenWindow, ZoomingInAndOutAgainRestoresAWindowWithinACell) {
  const TimeZoom before = {kEnd / 4, 5000 * kTicksPerCycle};
  const int64_t anchor = kEnd / 4 + 70'000 * kTicksPerCycle;
  TimeZoom zoom = before;
  for (int i = 0; i < 9; ++i) zoom = zoomed(zoom, kEnd, kCells, 1, anchor);
  for (int i = 0; i < 9; ++i) zoom = zoomed(zoom, kEnd, kCells, -1, anchor);
  EXPECT_EQ(zoom.cell, before.cell);
  EXPECT_LT(std::abs(zoom.from - before.from), before.cell);
}

TEST(TimelineScreenWindow, TheAnchorStaysInItsCell) {
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    const int cells = 28 + static_cast<int>(random.below(180));
    TimeZoom zoom = {static_cast<int64_t>(random.below(kEnd)), kTicksPerCycle << random.below(12)};
    const TimeWindow window = window_of(zoom, kEnd, cells);
    const int cell = static_cast<int>(random.below(static_cast<uint64_t>(cells)));
    const int64_t anchor = tick_of(window, cells, cell);
    zoom = zoomed(zoom, kEnd, cells, 1, anchor);
    const TimeWindow closer = window_of(zoom, kEnd, cells);
    EXPECT_NEAR(cell_of(closer, cells, anchor), cell, 1);
  }
}

TEST(TimelineScreenWindow, PanningStopsAtBothEnds) {
  TimeZoom zoom = {kEnd / 2, 100 * kTicksPerCycle};
  for (int i = 0; i < 1000; ++i) zoom = panned(zoom, kEnd, kCells, -0.9);
  EXPECT_EQ(window_of(zoom, kEnd, kCells).from, 0);
  for (int i = 0; i < 1000; ++i) zoom = panned(zoom, kEnd, kCells, 0.9);
  EXPECT_EQ(window_of(zoom, kEnd, kCells).to, kEnd);
}

TEST(TimelineScreenWindow, PanningTheWholeLaunchDoesNothing) {
  EXPECT_EQ(panned({}, kEnd, kCells, 0.5), TimeZoom{});
}

TEST(TimelineScreenWindow, FittedEventsTakeAtLeastHalfOfTheCells) {
  for (const int64_t cycles : {40, 133, 1000, 77'777}) {
    const int64_t begin = 1'000'000 * kTicksPerCycle;
    const int64_t end = begin + cycles * kTicksPerCycle;
    const TimeWindow window = window_of(fitted(begin, end, kEnd, kCells), kEnd, kCells);
    EXPECT_GE(2 * (end - begin), window.ticks());
    EXPECT_LE(window.from, begin);
    EXPECT_GE(window.to, end);
  }
}

TEST(TimelineScreenWindow, CellsAndTicksAgree) {
  const TimeWindow window = {1000, 1000 + 88 * 50};
  for (int cell = 0; cell < kCells; ++cell) {
    EXPECT_EQ(cell_of(window, kCells, tick_of(window, kCells, cell)), cell);
  }
  EXPECT_LT(cell_of(window, kCells, 999), 0);
  EXPECT_GE(cell_of(window, kCells, window.to), kCells);
}

TEST(TimelineScreenWindow, RulerMarksAreRoundAndTheirLabelsApart) {
  const TimeFormat format;
  for (TimeZoom zoom; window_of(zoom, kEnd, kCells).ticks() > 88 * 100;
       zoom = zoomed(zoom, kEnd, kCells, 1, kEnd / 3)) {
    const TimeWindow window = window_of(zoom, kEnd, kCells);
    const std::vector<RulerMark> marks = ruler_marks(window, kCells, format);
    ASSERT_FALSE(marks.empty());
    for (size_t i = 1; i < marks.size(); ++i) {
      EXPECT_GT(marks[i].cell - marks[i - 1].cell, static_cast<int>(marks[i - 1].label.size()));
    }
  }
  const std::vector<RulerMark> marks = ruler_marks({0, 880 * kTicksPerCycle}, kCells, format);
  ASSERT_GE(marks.size(), 3u);
  EXPECT_EQ(marks[0].label, "0");
  EXPECT_EQ(marks[1].label, "100");
  EXPECT_EQ(marks[1].cell, 10);
  const int64_t far = 118'910 * kTicksPerCycle;
  const std::vector<RulerMark> fine = ruler_marks({far, far + kTicksPerCycle}, kCells, format);
  ASSERT_GE(fine.size(), 2u);
  EXPECT_EQ(fine[1].label.substr(0, 8), "118,910.");
}

TEST(TimelineScreenWindow, TimesAreWrittenInCyclesOrMicroseconds) {
  const TimeFormat cycles;
  EXPECT_EQ(cycles.text(278 * kTicksPerCycle), "278 cyc");
  EXPECT_EQ(cycles.text(278 * kTicksPerCycle + kTicksPerCycle / 2), "278.5 cyc");
  EXPECT_EQ(cycles.text(1'001'216 * kTicksPerCycle + 1), "1,001,216 cyc");
  const TimeFormat us{TimeUnit::kMicroseconds, 1800.0 * kTicksPerCycle};
  EXPECT_EQ(us.text(900 * kTicksPerCycle), "0.500 us");
  EXPECT_EQ(us.text(int64_t{1800} * 12'345 * kTicksPerCycle), "12,345.000 us");
}

}  // namespace
}  // namespace tilewright
