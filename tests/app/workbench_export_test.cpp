// Export in the real workbench in a terminal: tuned, chosen, checked, written.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/app/terminal_program.h"

namespace tilewright {
namespace {

TEST(WorkbenchExport, WhatWasTunedIsCheckedAndWrittenAsTheCommandLineDoes) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    Sandbox sandbox;
    sandbox.file("plan.json", "what was there\n");
    TerminalProgram program(sandbox, {}, width, height);
    ASSERT_TRUE(program.shows("? help"));
    program.type("4:set shape m=16..64,n=512,k=512\r");
    ASSERT_TRUE(program.shows("m=16..64,n=512,k=512"));
    program.type(":set options --regret 0\r");
    ASSERT_TRUE(program.shows("--regret 0"));
    program.type(":set budget evaluations=6\r");
    ASSERT_TRUE(program.shows("evaluations=6"));
    program.type("\r");
    ASSERT_TRUE(program.shows("run 1: done", 60));
    program.type("x");
    ASSERT_TRUE(program.shows("Winners of run 1  4 of 4 selected"));
    ASSERT_TRUE(program.shows("OK  engine"));
    program.type("c");
    ASSERT_TRUE(program.shows("OK  numerics", 60));
    program.type("jj ");
    ASSERT_TRUE(program.shows("3 of 4 selected"));
    ASSERT_TRUE(program.shows("numerics: c runs it"));
    ASSERT_TRUE(program.shows("OK  engine"));
    program.type("y");
    ASSERT_TRUE(program.shows("tilewright export 1 --winners 1,2,4 -o plan.json"));
    program.type("\r");
    ASSERT_TRUE(program.shows("wrote plan.json: 1 table"));
    EXPECT_EQ(sandbox.read("plan.json.bak"), "what was there\n");
    ASSERT_EQ(sandbox.run({"export", "1", "--winners", "1,2,4", "-o", "other.json"}).status, 0);
    EXPECT_EQ(sandbox.read("plan.json"), sandbox.read("other.json"));
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  }
}

}  // namespace
}  // namespace tilewright
