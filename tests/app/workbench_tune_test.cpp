// Tuning in the real workbench in a terminal: begun, steered, kept, followed.

#include <gtest/gtest.h>

#include <csignal>
#include <iostream>

#include "tests/app/answer_times.h"
#include "tests/app/terminal_program.h"

namespace tilewright {
namespace {

/// The workbench at its Tune screen with a small problem in the form.
void fill_form(TerminalProgram& program, const std::string& budget) {
  program.type("4:set shape m=64,n=512,k=512\r");
  ASSERT_TRUE(program.shows("m=64,n=512,k=512"));
  program.type(":set budget " + budget + "\r");
  ASSERT_TRUE(program.shows(budget));
}

TEST(WorkbenchTune, ASessionIsTunedKeptAndOpenedFromHome) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    const Sandbox sandbox;
    TerminalProgram program(sandbox, {}, width, height);
    ASSERT_TRUE(program.shows("? help"));
    fill_form(program, "evaluations=20");
    program.type("\r");
    ASSERT_TRUE(program.shows("run 1: done", 60));
    EXPECT_TRUE(program.shows("20/20 100 %"));
    EXPECT_TRUE(program.shows("tile_n across"));
    program.type("y");
    EXPECT_TRUE(program.shows("tilewright tune gemm --shape m=64,n=512,k=512"));
    program.type(" 1");
    ASSERT_TRUE(program.shows("Runs  1"));
    ASSERT_TRUE(program.shows("T tour")) << "all of Home, down to its hints";
    program.type("\r");
    EXPECT_TRUE(program.shows("20/20 100 %")) << "read from the database";
    program.type("\r");
    ASSERT_TRUE(program.shows("(not kept): ")) << "the best config in the Lab";
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  }
}

TEST(WorkbenchTune, ASessionIsPausedSteeredStoppedAndResumed) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  fill_form(program, "evaluations=100000");
  program.type("\r");
  ASSERT_TRUE(program.shows("best "));
  program.type(" ");
  ASSERT_TRUE(program.shows("paused"));
  program.type(":strategy annealing\r");
  ASSERT_TRUE(program.shows("strategy: annealing"));
  program.type(" ");
  ASSERT_TRUE(program.shows("running"));
  program.type(":ban nonsense=3\r");
  ASSERT_TRUE(program.shows("no parameter 'nonsense'"));
  program.type("S");
  ASSERT_TRUE(program.shows("run 1: interrupted"));
  program.type("R");
  ASSERT_TRUE(program.shows("running"));
  program.type("q");
  ASSERT_TRUE(program.shows("a job is still at work"));
  program.type("y");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(WorkbenchTune, ASessionOfAnotherProcessIsFollowed) {
  Sandbox sandbox;
  const pid_t other = sandbox.start({"tune", "gemm", "--shape", "m=4096,n=4096,k=4096",
                                     "--fidelity", "detailed", "--budget", "evaluations=100000"});
  TerminalProgram program(sandbox, {});
  for (int i = 0; i < 200 && program.screen().find("tune gemm") == std::string::npos; ++i) {
    program.type("R");
    program.bytes_within(0.1);
  }
  program.type("\r");
  ASSERT_TRUE(program.shows("followed, read-only"));
  ASSERT_TRUE(program.shows("best "));
  program.type("+");
  EXPECT_TRUE(program.shows("it is only followed"));
  ::kill(other, SIGKILL);
  sandbox.wait(other);
  EXPECT_TRUE(program.shows("its process is gone"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(WorkbenchTune, KeysAreAnsweredWithin33MillisecondsMeanwhile) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  fill_form(program, "evaluations=100000");
  program.type("\r");
  ASSERT_TRUE(program.shows("tile_n across"));
  const AnswerTimes times = answer_times(program);
  EXPECT_TRUE(program.shows_in_row(0, "tune gemm")) << "the job must have lasted so long";
  EXPECT_LE(times.median(), 33);
  program.type("S");
  EXPECT_TRUE(program.shows("run 1: "));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(WorkbenchTune, ATuningAndAServingRunGoOnSideBySide) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  fill_form(program, "evaluations=100000");
  program.type("\r");
  ASSERT_TRUE(program.shows("tile_n across"));
  program.type("6:set limit 200000\rr");
  ASSERT_TRUE(program.shows("run 2 running"));
  const AnswerTimes serving = answer_times(program, 40);
  ASSERT_TRUE(program.shows_in_row(1, "run 2 running")) << "the run must have lasted so long";
  program.type("4");
  ASSERT_TRUE(program.shows("tile_n across"));
  const AnswerTimes tuning = answer_times(program, 40);
  EXPECT_TRUE(program.shows_in_row(0, "tune gemm")) << "the tuning must have lasted so long";
  std::cout << serving.text("Serve") << "\n" << tuning.text("Tune") << "\n";
  EXPECT_LE(serving.median(), 33);
  EXPECT_LE(tuning.median(), 33);
  program.type("S");
  EXPECT_TRUE(program.shows("run 1: "));
  program.type("6E");
  EXPECT_TRUE(program.shows("run 2 was ended and kept"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

}  // namespace
}  // namespace tilewright
