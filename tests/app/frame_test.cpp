// What all screens share: layout at every size, hints, help, palette, questions, jobs.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "app/tui/command_table.h"
#include "app/tui/home/home_screen.h"
#include "app/tui/home/home_views.h"
#include "app/tui/palette.h"
#include "core/base/file.h"
#include "core/base/random.h"
#include "tests/app/golden.h"
#include "tests/app/tui_fixture.h"

namespace tilewright {
namespace {

std::string row_of(const Grid& grid, int y) {
  std::u32string row;
  for (int x = 0; x < grid.width(); ++x) row += grid.at(x, y).glyph;
  return utf8_of(row);
}

void expect_sound_layout(const State& state) {
  const Rect body = body_of(state.width, state.height);
  const std::vector<PaneBox> boxes = visible_panes(state);
  bool has_focus = false;
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Rect& rect = boxes[i].rect;
    ASSERT_EQ(rect.intersection(body), rect) << "inside";
    ASSERT_GE(rect.width, 12);
    ASSERT_GE(rect.height, 3);
    has_focus |= boxes[i].pane == state.pane().pane;
    for (size_t j = 0; j < i; ++j) {
      ASSERT_TRUE(rect.intersection(boxes[j].rect).is_empty()) << "disjoint";
      ASSERT_NE(boxes[i].pane, boxes[j].pane);
    }
  }
  ASSERT_TRUE(has_focus);
}

TEST(Layout, PanesAreInsideDisjointAndFocusedAtEverySize) {
  for (const ScreenInfo& screen : all_screens()) {
    State state = test_state();
    state.screen = screen.screen;
    for (state.width = kLeastWidth; state.width <= 240; ++state.width) {
      for (state.height = kLeastHeight; state.height <= 80; ++state.height) {
        for (size_t pane = 0; pane < screen.panes.size(); ++pane) {
          state.pane().pane = static_cast<int>(pane);
          expect_sound_layout(state);
          ASSERT_FALSE(HasFatalFailure())
              << screen.name << " " << state.width << "x" << state.height << " pane " << pane;
        }
      }
    }
  }
}

TEST(Layout, HelpIsHintedAndHintsFitAtEverySize) {
  for (const ScreenInfo& screen : all_screens()) {
    State state = test_state();
    state.screen = screen.screen;
    for (state.width = kLeastWidth; state.width <= 240; state.width += 9) {
      for (state.height = kLeastHeight; state.height <= 80; state.height += 7) {
        const Grid grid = draw(state);
        ASSERT_EQ(grid.width(), state.width);
        ASSERT_EQ(grid.height(), state.height);
        const int hints = state.height - (has_status_row(state.height) ? 2 : 1);
        ASSERT_TRUE(row_of(grid, hints).starts_with(" ? help ")) << row_of(grid, hints);
        ASSERT_EQ(row_of(grid, hints).find("…"), std::string::npos) << row_of(grid, hints);
        ASSERT_NE(row_of(grid, 0).find(screen.name), std::string::npos) << row_of(grid, 0);
      }
    }
  }
}

TEST(Layout, TheFocusedPaneIsMarkedInTextAtEverySize) {
  for (const ScreenInfo& screen : all_screens()) {
    for (const auto& [width, height] : {std::pair(60, 16), {80, 24}, {100, 30}, {120, 40}}) {
      State state = test_state(width, height);
      state.screen = screen.screen;
      for (size_t pane = 0; pane < screen.panes.size(); ++pane) {
        state.pane().pane = static_cast<int>(pane);
        const std::string text = draw(state).text();
        const std::string mark = fmt::format("({}/{}, Tab)", pane + 1, screen.panes.size());
        const size_t at = text.find(mark);
        EXPECT_NE(at, std::string::npos) << mark << "\n" << text;
        EXPECT_EQ(text.find(", Tab)"), text.rfind(", Tab)")) << "one alone\n" << text;
      }
    }
  }
}

TEST(Layout, EnterAndTabAreHintedFirst) {
  const auto hints = [](Screen screen, int pane, int width, int height) {
    State state = test_state(width, height);
    state.screen = screen;
    state.pane().pane = pane;
    return row_of(draw(state), height - 2);
  };
  for (const auto& size : {std::pair(120, 40), {80, 24}}) {
    const auto starts = [&](Screen screen, int pane, std::string_view with) {
      const std::string row = hints(screen, pane, size.first, size.second);
      EXPECT_TRUE(row.starts_with(fmt::format(" ? help  Enter {}  Tab next pane", with))) << row;
    };
    starts(Screen::kServe, kServeConfig, "start");
    starts(Screen::kServe, kServeStep, "timeline of op");
    starts(Screen::kServe, kServeRequests, "look into");
    starts(Screen::kTune, kTuneSession, "start");
    starts(Screen::kTune, kTuneTop, "open in Lab");
    starts(Screen::kExport, 0, "write");
  }
}

TEST(Message, ALongOneIsReadInFull) {
  for (const char* keys : {"!", ": m e s s a g e Enter"}) {
    State state = test_state(80, 24);
    state.say("tune gemm: " + std::string(40, 'a') + " " + std::string(40, 'b') + " its end",
              Role::kBad);
    const std::string row = row_of(draw(state), 23);
    EXPECT_NE(row.find("! shows all"), std::string::npos) << row;
    press(state, keys);
    EXPECT_NE(draw(state).text().find("its end"), std::string::npos) << draw(state).text();
    press(state, "x");
    EXPECT_FALSE(state.message_page);
  }
  State quiet = test_state(80, 24);
  press(quiet, "!");
  EXPECT_NE(quiet.message.text.find("there is no message"), std::string::npos);
}

TEST(Message, TheOnesBeforeAreListedNewestFirst) {
  State state = test_state(80, 24);
  for (size_t i = 1; i <= kMostMessages + 30; ++i) {
    state.time = fmt::format("12:{:02}:{:02}", i / 60, i % 60);
    state.say(fmt::format("message {}", i), i % 2 == 0 ? Role::kWarn : Role::kBad);
  }
  state.say("message 230", Role::kWarn);
  EXPECT_EQ(state.messages.size(), kMostMessages) << "the same again is none more";
  press(state, "Q");
  EXPECT_TRUE(state.message.text.starts_with("Q does nothing here"));
  press(state, "!");
  EXPECT_NE(row_of(draw(state), 2).find("Q does nothing here"), std::string::npos);
  EXPECT_NE(row_of(draw(state), 3).find("12:03:50 warning message 230"), std::string::npos)
      << draw(state).text();
  EXPECT_NE(row_of(draw(state), 4).find("12:03:49 error   message 229"), std::string::npos);
  press(state, "j");
  EXPECT_NE(row_of(draw(state), 2).find("message 230"), std::string::npos);
  press(state, "End");
  EXPECT_NE(draw(state).text().find("message 32 "), std::string::npos) << draw(state).text();
  EXPECT_EQ(draw(state).text().find("message 31 "), std::string::npos) << "200 in all";
  press(state, "Esc");
  EXPECT_FALSE(state.message_page);
}

TEST(Layout, ATerminalThatIsTooSmallSaysSoAndOnlyLeaves) {
  State state = test_state(59, 30);
  EXPECT_NE(draw(state).text().find("too small: 60x16 is needed, this is 59x30"),
            std::string::npos);
  EXPECT_TRUE(press(state, "2 ? : y").empty());
  EXPECT_FALSE(state.help || state.palette);
  EXPECT_TRUE(effect_of<QuitEffect>(press(state, "q")));
  State tiny = test_state(1, 1);
  EXPECT_EQ(draw(tiny).width(), 1);
}

TEST(CommandTable, IdsAndKeysOfAScreenAreUnique) {
  for (const ScreenInfo& screen : all_screens()) {
    std::vector<std::string> ids;
    std::vector<std::pair<char32_t, int>> codes;
    for (const WorkbenchCommand* command : commands_on(screen.screen)) {
      ids.emplace_back(command->id);
      EXPECT_TRUE(command->act) << command->id;
      EXPECT_FALSE(command->help.empty()) << command->id;
      EXPECT_TRUE(command->hint.empty() || !command->keys.empty()) << command->id;
      EXPECT_EQ(command->id.find(' '), std::string_view::npos);
      for (const Key key : command->key_list()) {
        codes.emplace_back(key.code, command->pane);
      }
    }
    std::ranges::sort(ids);
    EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end())
        << screen.name << ": " << *std::ranges::adjacent_find(ids);
    std::ranges::sort(codes);
    const auto twice = std::ranges::adjacent_find(codes);
    EXPECT_EQ(twice, codes.end()) << screen.name << ": " << name_of(Key{twice->first});
  }
}

TEST(CommandTable, KeysHaveNamesThatReadBack) {
  for (const WorkbenchCommand& command : workbench_commands()) {
    for (const Key key : command.key_list()) EXPECT_EQ(parse_key(name_of(key)), key);
  }
}

/// The chapter of the manual is written by the table: TW_UPDATE_GOLDEN=1 takes over a change.
TEST(Manual, HasTheKeysOfTheTable) {
  const std::string path = std::string(TILEWRIGHT_SOURCE_DIR) + "/docs/workbench.md";
  const std::string heading = "# Keys and commands\n\n";
  const std::string text = read_file(path);
  const size_t begin = text.find(heading);
  ASSERT_NE(begin, std::string::npos);
  const std::string chapter = text.substr(begin + heading.size());
  const char* const update = std::getenv("TW_UPDATE_GOLDEN");
  if (chapter != command_manual() && update && std::string_view(update) == "1") {
    write_file(path, text.substr(0, begin + heading.size()) + command_manual());
  }
  EXPECT_EQ(chapter, command_manual()) << "TW_UPDATE_GOLDEN=1 writes it anew";
}

TEST(Help, ListsEveryCommandOfTheScreen) {
  State state = test_state(140, 80);
  for (const ScreenInfo& screen : all_screens()) {
    state.screen = screen.screen;
    press(state, "?");
    std::string text = draw(state).text();
    press(state, "PgDn");
    text += draw(state).text();
    for (const WorkbenchCommand* command : commands_on(screen.screen)) {
      EXPECT_NE(text.find(":" + std::string(command->id)), std::string::npos) << command->id;
    }
    press(state, "Esc");
    EXPECT_FALSE(state.help);
  }
}

TEST(Palette, FindsCommandsByTheirLettersAndCompletes) {
  State state = test_state();
  press(state, ":");
  ASSERT_TRUE(state.palette);
  type(state, "scdp");
  ASSERT_FALSE(palette_entries(state).empty());
  EXPECT_EQ(palette_entries(state)[0].line, "screendump ");
  press(state, "Tab");
  EXPECT_EQ(state.palette->line.utf8(), "screendump ");
  type(state, "a file.txt");
  const Effects effects = press(state, "Enter");
  ASSERT_TRUE(effect_of<ScreenDumpEffect>(effects));
  EXPECT_EQ(effect_of<ScreenDumpEffect>(effects)->path, "a file.txt");
  EXPECT_FALSE(state.palette);
}

TEST(Palette, CompletesArguments) {
  State state = test_state();
  type(state, ":theme ");
  EXPECT_EQ(palette_entries(state).size(), 3u);
  type(state, "col");
  ASSERT_EQ(palette_entries(state).size(), 1u);
  press(state, "Tab Enter");
  EXPECT_EQ(state.look.theme, Theme::kColorBlind);
  type(state, ":theme pink");
  press(state, "Enter");
  EXPECT_NE(state.message.text.find("unknown theme 'pink'"), std::string::npos);
}

TEST(Palette, KeepsTheCommandThatAsksForItsArgument) {
  State state = test_state();
  const WorkbenchCommand* command = command_named(Screen::kHome, "screendump");
  Effects effects;
  start_command(state, *command, "", effects);
  ASSERT_TRUE(state.palette);
  type(state, "no");
  press(state, "Ctrl-U Backspace Backspace");
  ASSERT_TRUE(state.palette);
  EXPECT_NE(draw(state).text().find(":screendump "), std::string::npos);
  type(state, "a file.txt");
  effects = press(state, "Enter");
  ASSERT_TRUE(effect_of<ScreenDumpEffect>(effects));
  EXPECT_EQ(effect_of<ScreenDumpEffect>(effects)->path, "a file.txt");
  // Its choices complete as behind a command that was typed.
  state.palette = Palette{.line = LineEdit(), .asking = "theme"};
  type(state, "col");
  press(state, "Tab");
  EXPECT_EQ(state.palette->line.utf8(), "colorblind");
  press(state, "Enter");
  EXPECT_EQ(state.look.theme, Theme::kColorBlind);
}

TEST(Palette, EditsItsLine) {
  State state = test_state();
  type(state, ":abc");
  press(state, "Left Left Backspace");
  EXPECT_EQ(state.palette->line.utf8(), "bc");
  press(state, "End Backspace Home Del");
  EXPECT_EQ(state.palette->line.utf8(), "");
  type(state, "käse");
  EXPECT_EQ(state.palette->line.utf8(), "käse");
  press(state, "Esc");
  EXPECT_FALSE(state.palette);
  press(state, ": Backspace");
  EXPECT_FALSE(state.palette);
}

TEST(Palette, TakesPastesThatNothingElseTakes) {
  State state = test_state();
  Effects effects;
  update(state, PasteEvent{U"q\nq"}, effects);
  EXPECT_FALSE(effect_of<QuitEffect>(effects)) << "a paste is no row of keys";
  EXPECT_NE(state.message.text.find("pasted text"), std::string::npos);
  press(state, ":");
  update(state, PasteEvent{U"theme \nlight"}, effects);
  EXPECT_EQ(state.palette->line.utf8(), "theme light");
}

TEST(Mouse, IsOnOrOffAndNothingElse) {
  State state = test_state();
  for (const auto& [word, is_on] : {std::pair("off", false), {"off", false}, {"on", true}}) {
    type(state, std::string(":mouse ") + word);
    EXPECT_TRUE(effect_of<AppearanceEffect>(press(state, "Enter")));
    EXPECT_EQ(state.look.mouse, is_on);
  }
  type(state, ":mouse maybe");
  EXPECT_FALSE(effect_of<AppearanceEffect>(press(state, "Enter")));
  EXPECT_EQ(state.message.role, Role::kBad);
}

TEST(Copy, ShowsTheWholeLine) {
  State state = test_state(80, 24);
  tell_copied(state, "tilewright query runs");
  EXPECT_EQ(state.message.text, "copied: tilewright query runs");
  const std::string line = "tilewright run " + std::string(200, 'x') + " end";
  tell_copied(state, line);
  ASSERT_TRUE(state.notice);
  EXPECT_NE(draw(state).text().find(" end"), std::string::npos);
  EXPECT_FALSE(effect_of<QuitEffect>(press(state, "q")));
  EXPECT_FALSE(state.notice);
  tell_copied(state, line);
  press(state, "2");
  EXPECT_FALSE(state.notice);
  EXPECT_EQ(state.screen, Screen::kLab) << "the key is not lost";
}

TEST(Jobs, ProgressIsShownAndQuittingAsks) {
  State state = test_state();
  Effects effects;
  const int64_t id = submit(state, effects, "gemm", RunKernelJob{});
  JobSnapshot job;
  job.id = id;
  job.phase = JobPhase::kRunning;
  job.fraction = 0.4;
  update(state, job, effects);
  EXPECT_NE(row_of(draw(state), 0).find("gemm 40 %"), std::string::npos);
  EXPECT_FALSE(effect_of<QuitEffect>(press(state, "q")));
  ASSERT_TRUE(state.question);
  EXPECT_NE(draw(state).text().find("a job is still at work"), std::string::npos);
  press(state, "n");
  EXPECT_FALSE(state.question);
  EXPECT_TRUE(effect_of<QuitEffect>(press(state, "q y")));
  EXPECT_EQ(effect_of<CancelEffect>(press(state, "K"))->id, id);
  job.phase = JobPhase::kFailed;
  job.failure = "no memory";
  update(state, job, effects);
  EXPECT_TRUE(state.jobs.empty());
  EXPECT_EQ(state.message.text, "gemm: no memory");
  EXPECT_EQ(state.message.role, Role::kBad);
}

TEST(Jobs, ReadingTheDatabaseKeepsNobody) {
  State state = test_state();
  Effects effects;
  refresh_home(state, effects);
  EXPECT_TRUE(effect_of<QuitEffect>(press(state, "q")));
}

HomeData some_data() {
  HomeData data;
  data.exists = true;
  data.run_count = 3;
  data.measurement_count = 1234;
  data.bytes = 81'920;
  data.schema_version = 2;
  const std::string problem = "gemm f16 f16 f16 nd nd nd m=1000 n=4096 k=4096 epilogue=none";
  const std::string config = "tile_m=128,tile_n=256";
  data.runs = {{3, "kernel", problem, "done", "2026-01-02T03:04:05Z", "ascend-910b2",
                "tilewright run gemm", problem, config, 149.43},
               {2, "tune", "qwen2-7b chat", "interrupted", "2026-01-02T02:04:05Z", "ascend-910b2",
                "tilewright tune qwen2-7b", "", "", 0},
               {1, "kernel", "\x1b[31mhostile\n", "failed", "", "", "", "", "", 0}};
  data.best = {{problem, config, "ascend-910b2", "sim/2/detailed", 149.43}};
  return data;
}

State home_state(int width, int height, GlyphSet glyphs) {
  State state = test_state(width, height, glyphs);
  home_loaded(state, 0, std::make_shared<const HomeData>(some_data()));
  return state;
}

TEST(Home, LooksAsDrawn) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}, {60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      const State state = home_state(width, height, glyphs);
      expect_golden(fmt::format("home.{}x{}.{}", width, height, name_of(glyphs)), draw(state));
    }
  }
}

TEST(Home, FilterLeavesMatchingRuns) {
  State state = home_state(120, 40, GlyphSet::kAscii);
  press(state, "/");
  type(state, "QWEN");
  press(state, "Enter");
  ASSERT_EQ(shown_runs(state.home).size(), 1u);
  EXPECT_EQ(shown_runs(state.home)[0]->id, 2);
  EXPECT_EQ(info_of(Screen::kHome).command_line(state), "tilewright report 2");
  press(state, "Esc");
  EXPECT_EQ(shown_runs(state.home).size(), 3u);
}

TEST(Home, CursorStaysInTheList) {
  State state = home_state(120, 40, GlyphSet::kAscii);
  press(state, "k j j j j j");
  EXPECT_EQ(state.home.runs.row, 2);
  press(state, "g PgDn");
  EXPECT_EQ(state.home.runs.row, 2);
  HomeData less = some_data();
  less.runs.resize(1);
  home_loaded(state, 0, std::make_shared<const HomeData>(less));
  EXPECT_EQ(state.home.runs.row, 0);
}

/// Random keys, clicks and sizes: nothing crashes, the grid is always whole.
TEST(Fuzz, RandomInputLeavesAWholeScreen) {
  std::u32string letters = U"?:/jkvVzyKnRgGq1 23abcnyx.-=<>[]{}0\u00e9";
  Random rng(7);
  for (int round = 0; round < 20; ++round) {
    State state = home_state(120, 40, GlyphSet::kUnicode);
    for (int step = 0; step < 500; ++step) {
      Effects effects;
      const uint64_t dice = rng.below(20);
      if (dice == 0) {
        update(state,
               InputEvent(
                   ResizeEvent{static_cast<int>(rng.below(250)), static_cast<int>(rng.below(90))}),
               effects);
      } else if (dice < 4) {
        update(state,
               InputEvent(MouseEvent{static_cast<MouseEvent::Kind>(rng.below(5)),
                                     static_cast<int>(rng.below(250)),
                                     static_cast<int>(rng.below(90))}),
               effects);
      } else if (dice < 9) {
        update(state, InputEvent(Key{static_cast<char32_t>(keys::kEnter.code + rng.below(15))}),
               effects);
      } else {
        update(state, InputEvent(Key{letters[rng.below(letters.size())]}), effects);
      }
      const Grid grid = draw(state);
      ASSERT_EQ(grid.width(), state.width);
      ASSERT_EQ(grid.height(), state.height);
      ASSERT_LT(state.pane().pane, static_cast<int>(info_of(state.screen).panes.size()));
    }
  }
}

}  // namespace
}  // namespace tilewright
