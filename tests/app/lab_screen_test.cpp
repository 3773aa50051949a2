#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/tui/command_table.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "tests/app/golden.h"
#include "tests/app/lab_fixture.h"

namespace tilewright {
namespace {

struct Size {
  int width;
  int height;
};

/// A session with two runs, the first one pinned.
State with_results(State state) {
  run_made_up(state, 100'000);
  press(state, "p G >");
  run_made_up(state, 90'000);
  return state;
}

State unfit(State state) {
  Effects effects;
  start_command(state, *command_named(Screen::kLab, "set"), "tile_k0 128", effects);
  return state;
}

TEST(LabScreen, LooksAsDrawnAtThreeSizesWithTwoGlyphSets) {
  for (const auto& [width, height] : {Size{120, 40}, {80, 24}, {60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      const std::string suffix = fmt::format("{}x{}_{}", width, height, name_of(glyphs));
      State state = lab_state(width, height);
      state.look.glyphs = glyphs;
      expect_golden("lab_begin_" + suffix, draw(state));
      expect_golden("lab_unfit_" + suffix, draw(unfit(state)));
      State results = with_results(state);
      results.message = {};
      results.pane().pane = static_cast<int>(LabPane::kTime);
      expect_golden("lab_result_" + suffix, draw(results));
    }
  }
}

TEST(LabScreen, ItsPanesNeverOverlapAndHoldTheFocusAtEverySize) {
  State state = with_results(lab_state());
  for (int width = kLeastWidth; width <= 200; width += 7) {
    for (int height = kLeastHeight; height <= 60; ++height) {
      state.width = width;
      state.height = height;
      for (int pane = 0; pane < 6; ++pane) {
        state.pane().pane = pane;
        const std::vector<PaneBox> boxes = visible_panes(state);
        const Rect body = body_of(width, height);
        bool has_focused = false;
        for (size_t i = 0; i < boxes.size(); ++i) {
          const Rect& rect = boxes[i].rect;
          EXPECT_FALSE(rect.is_empty());
          EXPECT_EQ(rect.intersection(body), rect) << width << "x" << height;
          has_focused = has_focused || boxes[i].pane == pane;
          for (size_t j = 0; j < i; ++j) {
            EXPECT_TRUE(rect.intersection(boxes[j].rect).is_empty()) << width << "x" << height;
          }
        }
        ASSERT_TRUE(has_focused) << width << "x" << height << " pane " << pane;
      }
    }
  }
}

/// The rows of a screen that hold a part.
std::vector<std::string> rows_with(const std::string& screen, std::string_view part) {
  std::vector<std::string> rows;
  for (const std::string_view row : split(screen, '\n')) {
    if (row.find(part) != std::string_view::npos) rows.emplace_back(row);
  }
  return rows;
}

TEST(LabScreen, TheRooflineHasItsLabelsWholeAndRunsOfItsOwnRoofAlone) {
  State state = lab_state();
  for (const int64_t cycles : {100'000, 90'000, 80'000, 70'000, 60'000}) {
    run_made_up(state, cycles);
  }
  type(state, ":set dtype i8");
  press(state, "Enter");
  run_made_up(state, 50'000);
  state.pane() = {static_cast<int>(LabPane::kRoofline), true};
  for (int width = kLeastWidth; width <= 160; ++width) {
    state.width = width;
    for (const int shown : {5, 6}) {
      state.lab.shown = shown;
      const std::string screen = draw(state).text();
      const std::string unit = shown == 5 ? "TFLOPS" : "TOPS";
      EXPECT_EQ(rows_with(screen, shown == 5 ? "(5)" : "(6)").empty(), false) << screen;
      EXPECT_FALSE(rows_with(screen, unit).empty()) << screen;
      EXPECT_EQ(rows_with(screen, shown == 5 ? "TOPS" : "FLOP").size(), 0u) << screen;
      for (const std::string& row : rows_with(screen, "HBM ")) {
        if (row.find("of HBM") != std::string::npos) continue;
        EXPECT_NE(row.find("HBM 1.8 TB/s"), std::string::npos) << screen;
      }
    }
  }
}

TEST(LabScreen, HelpIsNeverPushedOutOfTheHints) {
  for (int width = kLeastWidth; width <= 130; ++width) {
    const Grid grid = draw(lab_state(width, 24));
    EXPECT_NE(grid.text().find("? help"), std::string::npos) << width;
  }
}

TEST(LabScreen, AClickChoosesAField) {
  State state = lab_state();
  Effects effects;
  update(state, MouseEvent{MouseEvent::Kind::kPress, 6, 5}, effects);
  EXPECT_EQ(chosen_field(state.lab).name, "n");
}

Key random_key(Random& random) {
  constexpr Key kNamed[] = {keys::kEnter,   keys::kEscape, keys::kTab,       keys::kBackTab,
                            keys::kUp,      keys::kDown,   keys::kLeft,      keys::kRight,
                            keys::kHome,    keys::kEnd,    keys::kBackspace, keys::kPageUp,
                            keys::kPageDown};
  if (random.below(3) == 0) return kNamed[random.below(std::size(kNamed))];
  // Without what leaves for another screen's jobs or writes files.
  constexpr std::string_view kLetters = "hjklaApDeuCHbwnNrvVzgGt<>0456789?:K ";
  return Key{static_cast<char32_t>(kLetters[random.below(kLetters.size())])};
}

/// Answers a run that is under way, well or badly.
void answer_job(State& state, const Effects& effects, Random& random) {
  const RunKernelJob* job = job_in<RunKernelJob>(effects);
  if (!job) return;
  if (random.below(4) == 0) {
    Effects more;
    update(state,
           JobSnapshot{.id = state.lab.job,
                       .title = "run",
                       .phase = JobPhase::kCancelled,
                       .failure = {},
                       .result = {}},
           more);
    return;
  }
  finish_run(state,
             made_up_outcome(job->request, 50'000 + static_cast<int64_t>(random.below(99'999))));
}

TEST(LabScreen, RandomKeysAndSizesNeverBreakIt) {
  Random random(7);
  State state = lab_state();
  for (int i = 0; i < 4000; ++i) {
    Effects effects;
    const uint64_t what = random.below(20);
    if (what == 0) {
      update(state,
             ResizeEvent{20 + static_cast<int>(random.below(200)),
                         5 + static_cast<int>(random.below(60))},
             effects);
    } else if (what == 1) {
      const int x = static_cast<int>(random.below(static_cast<uint64_t>(state.width)));
      const int y = 1 + static_cast<int>(random.below(static_cast<uint64_t>(state.height)));
      update(state, MouseEvent{MouseEvent::Kind::kPress, x, y}, effects);
    } else {
      update(state, random_key(random), effects);
    }
    answer_job(state, effects, random);
    if (state.screen != Screen::kLab) state.screen = Screen::kLab;
    const Grid grid = draw(state);
    ASSERT_EQ(grid.width(), state.width);
    ASSERT_EQ(grid.height(), state.height);
  }
  EXPECT_GT(state.lab.runs.size(), 5u);
}

}  // namespace
}  // namespace tilewright
