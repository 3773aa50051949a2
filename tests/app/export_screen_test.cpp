// The Export screen: what is selected, what may be written, how it looks.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/app/export_fixture.h"
#include "tests/app/golden.h"

namespace tilewright {
namespace {

using Places = std::vector<size_t>;

TEST(ExportScreen, SelectsWhatIsCurrentAndNothingElse) {
  State state = export_state();
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 1, 2}));
  press(state, "Space");
  EXPECT_EQ(selected_places(state.exporting), (Places{1, 2}));
  press(state, "A");
  EXPECT_TRUE(selected_places(state.exporting).empty());
  EXPECT_NE(write_obstacle(state).find("no winner is selected"), std::string::npos);
  press(state, "a");
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 1, 2}));
  press(state, "j j j Space");
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 1, 2})) << "stale";
  EXPECT_NE(state.message.text.find("revision 1 of gemm"), std::string::npos);
  press(state, "j Space");
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 1, 2})) << "of no plan";
}

TEST(ExportScreen, AWorseWinnerIsLeftOutUntilItIsAskedFor) {
  State state = test_state();
  press(state, "8");
  auto view = std::make_shared<ExportView>(*some_export());
  view->source.winners[1].winner.time_us = 30;
  finish(state, state.exporting.load_job, std::shared_ptr<const ExportView>(view));
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 2}));
}

TEST(ExportScreen, MakesADraftOfEveryNewSelection) {
  State state = export_state();
  EXPECT_EQ(submitted<DraftExportJob>(press(state, "j")), nullptr) << "nothing has changed";
  press(state, "k");
  const Effects effects = press(state, "Space");
  const SubmitEffect* job = submitted<DraftExportJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(std::get<DraftExportJob>(job->request).request.places, (Places{1, 2}));
  EXPECT_EQ(current_draft(state.exporting), nullptr);
  EXPECT_NE(write_obstacle(state).find("still at work"), std::string::npos);
  const Effects again = press(state, "Space");
  EXPECT_TRUE(effect_of<CancelEffect>(again)) << "the draft before is of no use any more";
  finish_draft(state);
  EXPECT_NE(current_draft(state.exporting), nullptr);
  EXPECT_EQ(write_obstacle(state), "");
}

TEST(ExportScreen, WritesOnlyWhatNoCheckRefuses) {
  State state = export_state();
  press(state, "Space");
  auto draft = std::make_shared<ExportDraft>(*some_draft(*state.exporting.asked));
  draft->checks[0] = {"fit", CheckStatus::kFailed, "m=64: L0C is too small"};
  finish_draft(state, draft);
  EXPECT_EQ(submitted<WriteExportJob>(press(state, "Enter")), nullptr);
  EXPECT_NE(state.message.text.find("'fit' failed: m=64: L0C"), std::string::npos);
  press(state, "Space");
  finish_draft(state);
  const Effects effects = press(state, "Enter");
  const SubmitEffect* job = submitted<WriteExportJob>(effects);
  ASSERT_NE(job, nullptr);
  auto written = std::make_shared<WrittenPlan>();
  written->path = "plan.json";
  written->what = "1 table with 3 ranges";
  written->written.backup = "plan.json.bak";
  const Effects after =
      finish(state, job->id, std::shared_ptr<const WrittenPlan>(std::move(written)));
  EXPECT_EQ(state.message.text,
            "wrote plan.json: 1 table with 3 ranges; what was there is in plan.json.bak");
  EXPECT_NE(submitted<DraftExportJob>(after), nullptr) << "compared with the new file";
}

TEST(ExportScreen, AVerdictIsOfTheSelectionItWasMadeFor) {
  State state = export_state();
  const Effects effects = press(state, "r");
  const SubmitEffect* job = submitted<VerifyReplayJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(submitted<VerifyReplayJob>(press(state, "r")), nullptr) << "it is at work";
  EXPECT_NE(draw(state).text().find("replay: at work"), std::string::npos);
  auto verdict = std::make_shared<ExportVerdict>();
  verdict->kind = ExportVerdict::Kind::kReplay;
  verdict->of = std::get<VerifyReplayJob>(job->request).request;
  verdict->check = {"replay", CheckStatus::kFailed, "slower with the plan than without"};
  finish(state, job->id, std::shared_ptr<const ExportVerdict>(verdict));
  EXPECT_NE(write_obstacle(state).find("slower with the plan"), std::string::npos);
  EXPECT_NE(draw(state).text().find("1 failed"), std::string::npos);
  press(state, "Space");
  finish_draft(state);
  EXPECT_EQ(write_obstacle(state), "") << "another selection";
  EXPECT_NE(draw(state).text().find("replay: r runs it"), std::string::npos);
  EXPECT_NE(submitted<VerifyNumericsJob>(press(state, "c")), nullptr);
}

TEST(ExportScreen, CopiesTheCommandLineThatWritesTheSameBytes) {
  State state = export_state();
  EXPECT_EQ(export_command_line(state), "tilewright export 12 --winners 1-3 -o plan.json");
  press(state, "j Space");
  type(state, ":path my plan.json");
  press(state, "Enter");
  EXPECT_EQ(export_command_line(state), "tilewright export 12 --winners 1,3 -o 'my plan.json'");
  press(state, "A");
  EXPECT_EQ(export_command_line(state), "tilewright export 12 --list");
  press(state, "f");
  EXPECT_EQ(export_command_line(state), "tilewright export 12 --format csv -o 'my plan.json'");
  auto draft = std::make_shared<ExportDraft>(*some_draft(*state.exporting.asked));
  draft->text.problem = 2;
  finish_draft(state, draft);
  EXPECT_EQ(export_command_line(state),
            "tilewright export 12 --format csv --problem 2 -o 'my plan.json'");
}

TEST(ExportScreen, EveryFormatHasItsUsualPath) {
  State state = export_state();
  for (const char* path : {"results.csv", "results.json", "catlass.csv", "plan.json"}) {
    press(state, "f");
    EXPECT_EQ(state.exporting.path, path);
  }
  press(state, "e");
  ASSERT_TRUE(state.palette);
  EXPECT_EQ(state.palette->line.utf8(), "plan.json") << "to be changed, not typed anew";
  type(state, "x");
  press(state, "Enter f");
  EXPECT_EQ(state.exporting.path, "plan.jsonx");
}

TEST(ExportScreen, AnotherRunIsChosenFromAList) {
  State state = export_state();
  press(state, "R");
  EXPECT_NE(draw(state).text().find("run 4 gemm"), std::string::npos);
  type(state, "4");
  const Effects effects = press(state, "Down Enter");
  const SubmitEffect* job = submitted<LoadExportJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(std::get<LoadExportJob>(job->request).run, 4);
  Effects ended;
  JobSnapshot failed;
  failed.id = job->id;
  failed.phase = JobPhase::kFailed;
  failed.failure = "there is no run 4";
  update(state, failed, ended);
  EXPECT_NE(draw(state).text().find("there is no run 4; R chooses"), std::string::npos);
}

TEST(ExportScreen, AReadAgainKeepsSelectionAndVerdicts) {
  State state = export_state();
  press(state, "j Space");
  finish_draft(state);
  const auto* before = state.exporting.view.get();
  press(state, "1 8");
  const Effects effects = finish(state, state.exporting.load_job, some_export());
  EXPECT_EQ(state.exporting.view.get(), before);
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 2}));
  EXPECT_EQ(submitted<DraftExportJob>(effects), nullptr);
}

TEST(ExportScreen, WithoutWinnersItSaysWhatToPress) {
  State state = test_state();
  press(state, "8");
  EXPECT_NE(draw(state).text().find("reading the winners"), std::string::npos);
  finish(state, state.exporting.load_job, std::make_shared<const ExportView>());
  EXPECT_NE(draw(state).text().find("no tuning yet: 4 opens Tune"), std::string::npos);
  EXPECT_EQ(info_of(Screen::kExport).command_line(state), "");
  for (const char* key : {"Enter", "Space", "a", "c", "r", "f", "o"}) {
    press(state, key);
    EXPECT_EQ(state.message.role, Role::kWarn) << key;
  }
  auto empty = std::make_shared<ExportView>();
  empty->source.run.id = 3;
  type(state, ":run 3");
  press(state, "Enter");
  finish(state, state.exporting.load_job, std::shared_ptr<const ExportView>(empty));
  EXPECT_NE(draw(state).text().find("run 3 has no winners"), std::string::npos);
}

TEST(ExportScreen, ClicksChooseAndToggle) {
  State state = export_state();
  const auto click = [&](int x, int y) {
    Effects effects;
    update(state, InputEvent(MouseEvent{MouseEvent::Kind::kPress, x, y}), effects);
  };
  click(20, 4);
  EXPECT_EQ(state.exporting.winner.row, 1);
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 1, 2}));
  click(20, 4);
  EXPECT_EQ(selected_places(state.exporting), (Places{0, 2}));
  click(3, 5);
  EXPECT_EQ(selected_places(state.exporting), (Places{0})) << "on the mark";
}

TEST(ExportScreen, LooksAsDrawn) {
  for (const auto& [width, height] : {std::pair(120, 40), {100, 30}, {80, 24}, {60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      State state = export_state(width, height, glyphs);
      const std::string name = fmt::format("{}x{}.{}", width, height, name_of(glyphs));
      press(state, "j j j");
      expect_golden("export." + name, draw(state));
      press(state, "Tab Tab");
      expect_golden("export_preview." + name, draw(state));
    }
  }
}

TEST(ExportScreen, SurvivesAnyKeysAtAnySize) {
  State state = export_state();
  for (const auto& [width, height] : {std::pair(60, 16), {80, 24}, {240, 80}}) {
    state.width = width;
    state.height = height;
    for (const char* key : {"j", "G", "Tab", "PgDn", "PgUp", "f", "G", "g", "Space", "A", "a"}) {
      press(state, key);
      if (state.exporting.draft_job != 0) finish_draft(state);
      EXPECT_EQ(draw(state).width(), width);
    }
  }
}

TEST(LineDiff, ShowsChangesWithTheirSurroundings) {
  const auto text = [](const LineDiff& diff) {
    std::string lines;
    for (const DiffLine& line : diff.lines) {
      lines += std::string(1, " -+~"[static_cast<size_t>(line.kind)]) + line.text + "\n";
    }
    return lines;
  };
  const LineDiff diff = diff_lines("a\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nD\nd2\ne\nf\ng\n", 1);
  EXPECT_EQ(text(diff), "~2 equal lines\n c\n-d\n+D\n+d2\n e\n~2 equal lines\n");
  EXPECT_EQ(diff.added, 2);
  EXPECT_EQ(diff.removed, 1);
  EXPECT_EQ(text(diff_lines("", "x\ny\n")), "+x\n+y\n");
  EXPECT_EQ(text(diff_lines("x\ny\n", "")), "-x\n-y\n");
  EXPECT_EQ(text(diff_lines("x\ny\n", "x\ny\n")), " x\n y\n");
  EXPECT_TRUE(diff_lines("x\ny\n", "x\ny\n").is_empty());
  EXPECT_EQ(text(diff_lines("", "1\n2\n3\n", 2, 2)), "+1\n+2\n~1 more line\n");
}

TEST(LineDiff, LargeTextsThatShareNothingAreReplacedWhole) {
  std::string a, b;
  for (int i = 0; i < 5000; ++i) {
    a += fmt::format("a{}\n", i);
    b += fmt::format("b{}\n", i);
  }
  const LineDiff diff = diff_lines(a + "same\n" + a, b + "same\n" + b);
  EXPECT_EQ(diff.added, 10'001);
  EXPECT_EQ(diff.removed, 10'001);
}

TEST(WinnerNumbers, AreReadAsTheyAreWritten) {
  for (const char* text : {"1", "1-4,6", "2,3", "10", "1-10"}) {
    EXPECT_EQ(numbers_text(parse_numbers(text, 10)), text);
  }
  EXPECT_EQ(numbers_text(parse_numbers("6, 1-3 ,2-4", 10)), "1-4,6");
  for (const char* wrong : {"", "0", "11", "3-1", "1-", "-1", "a", "1,,2"}) {
    EXPECT_THROW(parse_numbers(wrong, 10), Error) << wrong;
  }
}

}  // namespace
}  // namespace tilewright
