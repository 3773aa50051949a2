#include "app/cli/shell_word.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/tui/serve/serve_command.h"
#include "tests/app/program.h"
#include "tuner/evaluate/command_template.h"

namespace tilewright {
namespace {

TEST(ShellWord, WhatAShellTakesAsItIsStaysAsItIs) {
  EXPECT_EQ(shell_word("--shape=m=1..4,n=2"), "--shape=m=1..4,n=2");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("my model.json"), "'my model.json'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(x)"), "'$(x)'");
}

TEST(ShellWord, ALineIsTakenApartIntoTheSameWords) {
  const std::vector<std::string> words = {"replay", "my models/a b.json", "--slo", "it's", ""};
  const std::string line = shell_line(words);
  EXPECT_EQ(words_of_command(line), words) << line;
}

TEST(ShellWord, ACommandThatNoShellTakesIsSplitAtItsBlanks) {
  const std::vector<std::string> words = {"replay", "it's"};
  EXPECT_EQ(words_of_command("tilewright replay it's"), words);
}

TEST(ShellWord, StoredCommandLinesKeepPathsWithBlanks) {
  Sandbox sandbox;
  const std::string model = sandbox.file("my model.json", kSmallModel);
  ASSERT_EQ(sandbox.run({"replay", model, "--workload", "chat", "--limit", "2"}).status, 0);
  const Outcome outcome = sandbox.run({"query", "SELECT command FROM runs", "--csv"});
  EXPECT_NE(outcome.out.find("tilewright replay '" + model + "' --workload chat"),
            std::string::npos)
      << outcome.out << outcome.err;
}

}  // namespace
}  // namespace tilewright
