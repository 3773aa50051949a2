// What `y` copies: a command line that does the same in any shell.

#include "app/tui/shell_command.h"

#include <gtest/gtest.h>

#include "tests/app/results_fixture.h"

namespace tilewright {
namespace {

TEST(ShellCommand, NamesADatabaseThatWasNamedToTheWorkbench) {
  State state = test_state();
  EXPECT_EQ(with_database("tilewright query runs", state), "tilewright query runs");
  state.db = "my results.db";
  state.tune.globals.settings["db"] = {state.db, "environment TILEWRIGHT_DB"};
  EXPECT_EQ(with_database("tilewright query runs", state), "tilewright query runs");
  state.tune.globals.settings["db"].source = "--db";
  EXPECT_EQ(with_database("tilewright query runs", state),
            "tilewright query runs --db 'my results.db'");
  for (const char* line : {"tilewright machine show ascend-910b1", "tilewright tune gemm --db a.db",
                           "tilewright tune gemm --db=a.db", "tilewright 'open quote", ""}) {
    EXPECT_EQ(with_database(line, state), line);
  }
}

TEST(ShellCommand, NamesAMachineThatAShellDoesNotTakeAnyway) {
  const std::string line = "tilewright tune gemm --shape m=1,n=2,k=3";
  State state = test_state();
  EXPECT_EQ(with_machine(line, "ascend-910b1", state), line + " --machine ascend-910b1");
  EXPECT_EQ(with_machine(line, "ascend-910b2:datasheet", state),
            line + " --machine ascend-910b2:datasheet");
  EXPECT_EQ(with_machine(line, "ascend-910b2", state), line);
  EXPECT_EQ(with_machine(line + " --machine my.json", "ascend-910b1", state),
            line + " --machine my.json");
  for (const char* unknown : {"", "A100", "\x1b[31m"}) {
    EXPECT_EQ(with_machine(line, unknown, state), line);
  }
  state.tune.globals.settings["machine"] = {"ascend-910b1", "environment TILEWRIGHT_MACHINE"};
  EXPECT_EQ(with_machine(line, "ascend-910b1", state), line);
  EXPECT_EQ(with_machine(line, "ascend-910b2", state), line + " --machine ascend-910b2");
  state.tune.globals.settings["machine"].source = "--machine";
  EXPECT_EQ(with_machine(line, "ascend-910b1", state), line + " --machine ascend-910b1");
}

TEST(ShellCommand, IsWhatIsCopiedFromEveryScreen) {
  State state = test_state();
  state.db = "/tmp/other.db";
  state.tune.globals.settings["db"] = {state.db, "--db"};
  for (const char* screen : {"1", "2", "4", "5", "6", "7"}) {
    press(state, screen);
    const Effects effects = press(state, "y");
    const auto* copied = effect_of<CopyEffect>(effects);
    ASSERT_NE(copied, nullptr) << screen << state.message.text;
    EXPECT_TRUE(copied->text.ends_with(" --db /tmp/other.db")) << copied->text;
  }
}

}  // namespace
}  // namespace tilewright
