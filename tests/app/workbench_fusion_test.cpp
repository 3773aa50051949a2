// Fusion in the real workbench in a terminal: a model's layer planned, edited, timed, compared.

#include <gtest/gtest.h>

#include "tests/app/terminal_program.h"

namespace tilewright {
namespace {

TEST(WorkbenchFusion, ALayerIsPlannedEditedSimulatedAndCompared) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    Sandbox sandbox;
    TerminalProgram program(sandbox, {}, width, height);
    ASSERT_TRUE(program.shows("? help"));
    program.type("5:set planners xla\r");
    ASSERT_TRUE(program.shows("qwen2-7b"));
    program.type("r");
    ASSERT_TRUE(program.shows("Costs of xla against xla", 60));
    program.type("/silu_mul.out\r");
    program.type("s");
    ASSERT_TRUE(program.shows("split before")) << program.screen();
    ASSERT_TRUE(program.shows("Costs of edited against xla"));
    program.type("u");
    ASSERT_TRUE(program.shows("Costs of xla against xla"));
    program.type("U");
    ASSERT_TRUE(program.shows("Costs of edited against xla"));
    program.type("S");
    ASSERT_TRUE(program.shows("simulated", 60));
    program.type("D");
    ASSERT_TRUE(program.shows("Diff  - xla  + edited"));
    program.type("y");
    ASSERT_TRUE(program.shows("tilewright fuse qwen2-7b --tokens 16 --planner tilewright --veto"));
    program.type("qq");  // the first one may take the copied line away
    EXPECT_EQ(program.exit_status(), 0);
  }
}

}  // namespace
}  // namespace tilewright
