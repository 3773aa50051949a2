#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/random.h"
#include "tests/app/golden.h"
#include "tests/app/timeline_fixture.h"

namespace tilewright {
namespace {

const HandMadeLaunch& launch() {
  static const HandMadeLaunch made(9, 24);
  return made;
}

TEST(TimelineScreenView, PanesAreDisjointInsideAndFillTheBody) {
  State state = timeline_state(launch());
  for (int width = 60; width <= 240; width += 5) {
    for (int height = 16; height <= 80; ++height) {
      for (int pane = kOverviewPane; pane <= kPathPane; ++pane) {
        state.width = width;
        state.height = height;
        state.pane().pane = pane;
        const Rect body = body_of(width, height);
        int area = 0;
        bool has_focused = false;
        const std::vector<PaneBox> boxes = visible_panes(state);
        for (size_t i = 0; i < boxes.size(); ++i) {
          const Rect& rect = boxes[i].rect;
          EXPECT_EQ(rect.intersection(body), rect);
          EXPECT_GE(rect.height, 3);
          EXPECT_GE(rect.width, 30);
          area += rect.width * rect.height;
          has_focused |= boxes[i].pane == pane;
          for (size_t j = 0; j < i; ++j) {
            EXPECT_TRUE(rect.intersection(boxes[j].rect).is_empty());
          }
        }
        EXPECT_EQ(area, body.width * body.height);
        EXPECT_TRUE(has_focused) << width << "x" << height << " pane " << pane;
      }
    }
  }
}

InputEvent random_event(Random& random, int width, int height) {
  constexpr std::u32string_view kKeys = U"adADwsjk[]fFcbmMCGoOPugnN/+-z:?0123456789v #\x15\x04";
  constexpr Key kNamed[] = {keys::kUp,    keys::kDown,   keys::kLeft,    keys::kRight,
                            keys::kEnter, keys::kEscape, keys::kTab,     keys::kHome,
                            keys::kEnd,   keys::kPageUp, keys::kPageDown};
  const uint64_t what = random.below(10);
  const auto below = [&](int limit) {
    return static_cast<int>(random.below(static_cast<uint64_t>(limit)));
  };
  if (what < 5) return Key{kKeys[random.below(kKeys.size())]};
  if (what < 7) return kNamed[random.below(std::size(kNamed))];
  if (what < 9) {
    return MouseEvent{static_cast<MouseEvent::Kind>(random.below(5)), below(width), below(height)};
  }
  if (below(4) > 0) return keys::kEscape;
  return ResizeEvent{below(200) + 1, below(60) + 1};
}

TEST(TimelineScreenView, AnyKeysClicksAndSizesLeaveAFullScreen) {
  for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kBlocks, GlyphSet::kAscii}) {
    State state = timeline_state(launch(), 120, 40, glyphs);
    Random random(static_cast<uint64_t>(glyphs) + 1);
    for (int i = 0; i < 3000; ++i) {
      Effects effects;
      update(state, random_event(random, state.width, state.height), effects);
      // Keys of other screens lead away.
      state.screen = Screen::kTimeline;
      const Grid grid = draw(state);
      ASSERT_EQ(grid.width(), state.width);
      ASSERT_EQ(grid.height(), state.height);
    }
    ASSERT_TRUE(state.timeline.data);
  }
}

TEST(TimelineScreenView, AnEmptyLaunchIsDrawn) {
  State state = test_state();
  Effects effects;
  open_timeline(state, small_request(), effects);
  JobSnapshot done = state.jobs.front();
  done.phase = JobPhase::kDone;
  TimelineIndex nothing;
  nothing.begin({.cores = {"AIC 0.0"}, .names = {}, .flags = {}, .ticks_per_us = 1});
  nothing.finish();
  done.result = make_timeline(small_request(), "nothing", std::move(nothing));
  update(state, done, effects);
  press(state, "w s a d j k ] [ . , Home End c b f F m m M o O P C u G G G Enter Tab Enter n");
  EXPECT_EQ(draw(state).width(), 120);
}

struct Size {
  int width;
  int height;
};

/// A golden grid at three sizes and in two glyph sets.
void expect_goldens(const std::string& name, std::string_view pressed) {
  for (const Size size : {Size{120, 40}, Size{80, 24}, Size{60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      State state = timeline_state(launch(), size.width, size.height, glyphs);
      if (!pressed.empty()) press(state, pressed);
      expect_golden(
          fmt::format("timeline_{}_{}x{}_{}", name, size.width, size.height, name_of(glyphs)),
          draw(state));
    }
  }
}

TEST(TimelineScreenView, LooksAsItDidAtTheWholeLaunch) {
  expect_goldens("whole", "");
}

TEST(TimelineScreenView, LooksAsItDidAtSingleInstructions) {
  expect_goldens("zoomed", "] w w w w w w Tab");
}

TEST(TimelineScreenView, LooksAsItDidWithAreaAndTrail) {
  expect_goldens("area", "] w w w m ] ] m c c C Tab Tab G");
}

TEST(TimelineScreenView, LooksAsItDidWithTheCriticalPath) {
  expect_goldens("path", "c C u Tab Tab Tab j");
}

TEST(TimelineScreenView, LooksAsItDidWithoutARun) {
  for (const Size size : {Size{120, 40}, Size{80, 24}, Size{60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      State state = test_state(size.width, size.height, glyphs);
      press(state, "3");
      expect_golden(
          fmt::format("timeline_empty_{}x{}_{}", size.width, size.height, name_of(glyphs)),
          draw(state));
    }
  }
}

}  // namespace
}  // namespace tilewright
