// The real workbench over a large database: how fast its screens open.

#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <vector>

#include "tests/app/answer_times.h"
#include "tests/app/terminal_program.h"
#include "tests/large_database.h"

namespace tilewright {
namespace {

constexpr DatabaseSize kSize = {10'000, 400, 500};
constexpr double kMostMilliseconds = 100;
constexpr double kMostAnswerMilliseconds = 33;

/// A sandbox whose database has `kSize` more than a run of each kind.
void fill(Sandbox& sandbox) {
  const std::string model = sandbox.file("config.json", kSmallModel);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"run", "gemm", "--shape", "m=256,n=256,k=256"},
        {"tune", model, "--workload", "chat", "--limit", "4", "--budget", "evaluations=16"},
        {"replay", model, "--workload", "chat", "--limit", "20"}}) {
    const Outcome outcome = sandbox.run(words);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  enlarge_database(sandbox.path("results.db"), kSize);
}

/// A way to a screen, from Home as it comes up.
struct Way {
  const char* name;
  std::string before;  ///< keys that lead to where the way begins
  std::string begin;   ///< what is seen there
  std::string keys;
  std::string text;  ///< of the whole screen with its data, and not of where the way begins
};

const std::vector<Way>& ways() {
  static const std::vector<Way> kWays = {
      {"Home", "2", "fits?", "1", "Start here"},
      {"Lab", "", "Start here", "2", "fits?"},
      {"Lab with a run", "", "Start here", "\r", "run 10003: "},
      {"Timeline", "", "Start here", "3", "no run is shown"},
      {"Tune", "", "Start here", "4", "New session"},
      {"Tune with a run", "jj", "Start here", "\r", "tile_n across"},
      {"Serve", "", "Start here", "6", "what r starts"},
      {"Serve with a run", "j", "Start here", "\r", "20 done"},
      {"Results", "", "Start here", "7", "attempts"},
      {"Results with all rows counted", "", "Start here", "7", "attempts        200,"},
  };
  return kWays;
}

TEST(WorkbenchLarge, EveryScreenOpensWithin100MillisecondsSlow) {
  Sandbox sandbox;
  fill(sandbox);
  constexpr int kTimes = 5;
  for (const Way& way : ways()) {
    AnswerTimes opened;
    for (int i = 0; i < kTimes; ++i) {
      TerminalProgram program(sandbox, {"tui", "--fresh"});
      ASSERT_TRUE(program.shows("10,003 runs"));
      program.type(way.before);
      ASSERT_TRUE(program.shows(way.begin));
      program.bytes_within(0.05);
      opened.add(milliseconds_until(program, way.keys, [&] { return program.shows(way.text); }));
      program.type("q");
      EXPECT_EQ(program.exit_status(), 0);
    }
    std::cout << opened.text(way.name) << "\n";
    EXPECT_LE(opened.median(), kMostMilliseconds) << way.name;
  }
}

TEST(WorkbenchLarge, KeysAreAnsweredWhileTheDatabaseIsReadSlow) {
  Sandbox sandbox;
  fill(sandbox);
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("10,003 runs"));
  AnswerTimes at_home;
  for (int i = 0; i < 20; ++i) {
    program.type("R");
    at_home.add(answer_times(program, 2).p95());
  }
  std::cout << at_home.text("while Home is read") << "\n";
  EXPECT_LE(at_home.median(), kMostAnswerMilliseconds);
  program.type("7");
  ASSERT_TRUE(program.shows("attempts        200,"));
  program.type("n");
  ASSERT_TRUE(program.shows("SQL  typing"));
  program.type("SELECT count(*) FROM measurements a, measurements b WHERE a.config < b.reason\x1b");
  ASSERT_TRUE(program.shows("SQL  read-only"));
  program.type("r");
  ASSERT_TRUE(program.shows_in_row(0, "query"));
  const AnswerTimes querying = answer_times(program);
  ASSERT_TRUE(program.shows_in_row(0, "query")) << "it must have lasted so long";
  std::cout << querying.text("during a query") << "\n";
  EXPECT_LE(querying.median(), kMostAnswerMilliseconds);
  program.type("K");
  EXPECT_TRUE(program.shows("cancelled"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

}  // namespace
}  // namespace tilewright
