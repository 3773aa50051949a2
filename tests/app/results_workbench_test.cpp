// Results in the real workbench: ask, complete, mend, write, compare.

#include <gtest/gtest.h>

#include "core/base/file.h"
#include "tests/app/terminal_program.h"

namespace tilewright {
namespace {

constexpr const char* kF5 = "\x1b[15~";

TEST(ResultsWorkbench, AsksComparesWritesAndOpens) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    Sandbox sandbox;
    for (const char* tile : {"tile_m=64", "tile_m=128"}) {
      ASSERT_EQ(
          sandbox.run({"run", "gemm", "--shape", "m=256,n=256,k=256", "--config", tile}).status, 0);
    }
    TerminalProgram program(sandbox, {}, width, height);
    ASSERT_TRUE(program.shows("? help"));
    program.type(":results\r");
    ASSERT_TRUE(program.shows("Saved queries"));
    program.type("e");
    ASSERT_TRUE(program.shows("SQL  typing"));
    program.type("\x15");  // the line of the saved query, up to the cursor
    program.type("\x1b[A\x0b\x1b[A\x0b\x1b[A\x0b\x1b[A\x0b");
    program.type(":q");
    EXPECT_TRUE(program.shows(":q")) << "keys are text";
    program.type("\x1b");
    ASSERT_TRUE(program.shows("SQL  read-only"));
    program.type("\x1b[Z");
    ASSERT_TRUE(program.shows("Saved queries"));
    program.type("jjjjjj\r");  // runs
    ASSERT_TRUE(program.shows("Result  2 rows"));
    program.type("ajb");
    ASSERT_TRUE(program.shows("B is run 1"));
    program.type("D");
    ASSERT_TRUE(program.shows("A/B  run 2 -> run 1"));
    ASSERT_TRUE(program.shows("config: tile_m=128 -> tile_m=64"));
    program.type("\x1b[Z\x1b[Z");
    ASSERT_TRUE(program.shows("Result  2 rows"));
    program.type("wrows.csv\r");
    ASSERT_TRUE(program.shows("wrote 2 rows to rows.csv"));
    program.type("wrows.csv\r");
    ASSERT_TRUE(program.shows("rows.csv is there; replace it?"));
    program.type("n");
    EXPECT_EQ(read_file(sandbox.path("rows.csv")).substr(0, 8), "id,kind,");
    program.type("\r");
    EXPECT_TRUE(program.shows("run 1: ")) << "the run, in the Lab";
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  }
}

TEST(ResultsWorkbench, ShowsWhatIsWrongCancelsAndRefusesToWrite) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"run", "gemm", "--shape", "m=256,n=256,k=256"}).status, 0);
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type(":results\r");
  ASSERT_TRUE(program.shows("Saved queries"));
  program.type("\te");
  ASSERT_TRUE(program.shows("SQL  typing"));
  program.type("\x1b[200~select id\nfrom runz\x1b[201~");
  ASSERT_TRUE(program.shows("from runz"));
  program.type(kF5);
  ASSERT_TRUE(program.shows("no such table: runz"));
  program.type("\x05\x7f\t");
  ASSERT_TRUE(program.hides("no such table"));
  program.type(kF5);
  ASSERT_TRUE(program.shows("Result  1 row"));
  program.type(
      "\x1b[Ze\x15\x1b[A\x0b\x1b[200~with recursive c(x) as (select 1 union all select x + 1 from "
      "c) select sum(x) from c --\x1b[201~");
  program.type(kF5);
  ASSERT_TRUE(program.shows("under way, Esc cancels"));
  program.type("\x1b");
  ASSERT_TRUE(program.shows("query: cancelled"));
  program.type("\x1b");
  ASSERT_TRUE(program.shows("SQL  read-only"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

}  // namespace
}  // namespace tilewright
