// The real workbench in a terminal: start, keys, mouse, size, signals, and how it leaves.

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "app/tui/screen.h"
#include "core/base/file.h"
#include "db/store.h"
#include "tests/app/answer_times.h"
#include "tests/app/terminal_program.h"

namespace tilewright {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Echo, lines and signals, as a shell leaves them.
bool is_cooked(const termios& modes) {
  return (modes.c_lflag & ECHO) != 0 && (modes.c_lflag & ICANON) != 0 &&
         (modes.c_lflag & ISIG) != 0;
}

void expect_restored(const TerminalProgram& program) {
  EXPECT_TRUE(is_cooked(program.modes()));
  EXPECT_FALSE(program.is_alternate());
  EXPECT_TRUE(program.is_cursor_visible());
  EXPECT_FALSE(program.asks_for_mouse());
}

TEST(Workbench, OpensOnATerminalAndLeavesItAsItWas) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  EXPECT_TRUE(program.shows("ascend-910b2"));
  EXPECT_TRUE(program.is_alternate());
  EXPECT_FALSE(program.is_cursor_visible());
  EXPECT_TRUE(program.asks_for_mouse());
  EXPECT_FALSE(is_cooked(program.modes()));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
  expect_restored(program);
}

TEST(Workbench, HomeShowsByItselfWhatOthersAdd) {
  Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("no runs yet"));
  ASSERT_EQ(sandbox.run({"run", "silu_mul", "--shape", "rows=64,cols=512"}).status, 0);
  EXPECT_TRUE(program.shows("Runs  1")) << program.screen();
}

TEST(Workbench, ShowsADatabaseThatItCannotWriteAndSaysSo) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"run", "silu_mul", "--shape", "rows=64,cols=512"}).status, 0);
  const std::string folder = sandbox.path("");
  std::filesystem::permissions(folder, static_cast<std::filesystem::perms>(0555));
  if (::geteuid() == 0) {  // who may write everywhere
    sandbox.launcher = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  }
  if (sandbox.run({"--version"}).status != 0) {
    GTEST_SKIP() << "nobody may not run the program here";
  }
  {
    TerminalProgram program(sandbox, {});
    EXPECT_TRUE(program.shows("nothing is kept")) << program.screen();
    EXPECT_TRUE(program.shows("Runs  1")) << program.screen();
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0) << program.output();
    EXPECT_FALSE(contains(program.output(), "was not kept")) << "it was said at once";
  }
  std::filesystem::permissions(folder, static_cast<std::filesystem::perms>(0755));
}

TEST(Workbench, RefusesATerminalThatCannotMoveItsCursor) {
  Sandbox sandbox;
  sandbox.environment["TERM"] = "dumb";
  TerminalProgram program(sandbox, {});
  EXPECT_EQ(program.exit_status(), 2);
  EXPECT_TRUE(contains(program.output(), "needs a terminal that can move its cursor"));
  EXPECT_FALSE(contains(program.output(), "\x1b")) << "no escape is sent to it";
}

TEST(Workbench, RefusesATerminalTypeThatNobodyKnows) {
  Sandbox sandbox;
  sandbox.environment["TERM"] = "no-such-terminal";
  TerminalProgram program(sandbox, {});
  EXPECT_EQ(program.exit_status(), 1);
  EXPECT_TRUE(contains(program.output(), "set TERM=xterm-256color")) << program.output();
  EXPECT_TRUE(is_cooked(program.modes()));
}

TEST(Workbench, RefusesUnknownNamesBeforeItTakesTheTerminal) {
  const Sandbox sandbox;
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--colors", "17"},
                                                  {"--theme", "drak"},
                                                  {"--glyphs", "emoji"},
                                                  {"--fps", "0"},
                                                  {"--machine", "ascend-910b9"}}) {
    std::vector<std::string> arguments = {"tui"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    TerminalProgram program(sandbox, arguments);
    EXPECT_GE(program.exit_status(), 2) << options[0];
    EXPECT_TRUE(contains(program.output(), options[1])) << program.output();
    EXPECT_FALSE(contains(program.output(), "1049h")) << options[0];
  }
}

TEST(Workbench, TakesItsOptionsWithoutItsName) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {"--glyphs", "ascii", "--colors", "mono"});
  EXPECT_TRUE(program.shows("+- Runs"));
}

TEST(Workbench, APasteIsNoRowOfCommands) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("\x1b[200~qqq\r2\x1b[201~");
  EXPECT_TRUE(program.shows("pasted text is not taken for keys"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(Workbench, NeedsATerminal) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run({"tui"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(contains(outcome.err, "needs a terminal for input and output"));
}

TEST(Workbench, FollowsEachSizeOfTheTerminal) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("Best known configs"));
  program.resize(80, 24);
  EXPECT_TRUE(program.hides("Best known configs"));
  EXPECT_TRUE(program.shows_in_row(22, "? help"));
  program.resize(50, 10);
  EXPECT_TRUE(program.shows("this is 50x10"));
  program.resize(140, 50);
  EXPECT_TRUE(program.shows("Best known configs"));
  EXPECT_TRUE(program.shows_in_row(48, "? help"));
  program.resize(20, 3);
  EXPECT_TRUE(program.shows("too small"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
  expect_restored(program);
}

TEST(Workbench, EndsOfSignalsGiveTheTerminalBack) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV}) {
    const Sandbox sandbox;
    TerminalProgram program(sandbox, {});
    ASSERT_TRUE(program.shows("? help"));
    program.signal(signal);
    EXPECT_EQ(program.exit_status(), 128 + signal);
    expect_restored(program);
  }
}

TEST(Workbench, CtrlCLeaves) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("\x03");
  EXPECT_EQ(program.exit_status(), 0);
  expect_restored(program);
}

TEST(Workbench, StopsAndComesBack) {
  for (const bool by_key : {true, false}) {
    const Sandbox sandbox;
    TerminalProgram program(sandbox, {});
    ASSERT_TRUE(program.shows("? help"));
    if (by_key) {
      program.type("\x1a");  // Ctrl-Z
    } else {
      program.signal(SIGTSTP);
    }
    ASSERT_TRUE(program.is_stopped());
    program.bytes_within(0.05);
    expect_restored(program);
    program.signal(SIGCONT);
    EXPECT_TRUE(program.shows("? help"));
    EXPECT_TRUE(program.is_alternate());
    EXPECT_FALSE(is_cooked(program.modes()));
    EXPECT_TRUE(program.asks_for_mouse());
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
    expect_restored(program);
  }
}

TEST(Workbench, DrawsNothingWhileNothingHappens) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("0 runs"));
  program.bytes_within(0.3);
  EXPECT_EQ(program.bytes_within(0.5), 0u);
}

TEST(Workbench, HelpAndPaletteComeFromTheKeys) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("?");
  EXPECT_TRUE(program.shows("Keys and commands"));
  EXPECT_TRUE(program.shows(":screendump"));
  program.type("\x1b");
  EXPECT_TRUE(program.hides("Keys and commands"));
  program.type(":scr");
  EXPECT_TRUE(program.shows("write the screen as text to a file"));
  program.type("\tshot.txt\r");
  EXPECT_TRUE(program.shows("screen written to shot.txt"));
  EXPECT_TRUE(contains(sandbox.read("shot.txt"), "Best known configs"));
  program.type(":screendump no/such/folder\r");
  EXPECT_TRUE(program.shows("no/such/folder"));
  program.type(":nonsense\r");
  EXPECT_TRUE(program.shows("unknown command 'nonsense'"));
}

TEST(Workbench, CopiesTheCommandLineByOsc52) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("y");
  EXPECT_TRUE(program.shows("copied: tilewright query runs"));
  // "tilewright query runs"
  EXPECT_TRUE(contains(program.output(), "\x1b]52;c;dGlsZXdyaWdodCBxdWVyeSBydW5z\x07"));
}

TEST(Workbench, TabsTakeClicks) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  const size_t x = program.row(0).find("2 Lab");
  ASSERT_NE(x, std::string::npos);
  program.click(static_cast<int>(x), 0);
  EXPECT_TRUE(program.hides("Best known configs"));
}

TEST(Workbench, TheMouseZoomsAndMarksAnArea) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("2\r");
  ASSERT_TRUE(program.shows("run 1: "));
  program.type("t");
  ASSERT_TRUE(program.shows("Window by pipe"));
  const std::string lanes = program.row(6);
  program.type("\x1b[<64;60;10M");  // the wheel, up
  program.type("\x1b[<64;60;10M");
  EXPECT_TRUE(program.shows_in_row(6, "1,000 cyc/cell"));
  EXPECT_NE(program.row(6), lanes) << "a finer scale";
  program.type("\x1b[<0;40;9M\x1b[<32;50;9M\x1b[<32;60;9M\x1b[<0;60;9m");
  EXPECT_TRUE(program.shows("Area by pipe"));
  program.type("M");
  EXPECT_TRUE(program.shows("Window by pipe"));
}

TEST(Workbench, ColoursFollowTheTerminalAndTheUser) {
  struct Case {
    std::string term;
    std::string no_color;
    bool has_color;
  };
  for (const Case& one : {Case{"xterm-256color", "", true}, Case{"xterm", "", true},
                          Case{"vt100", "", false}, Case{"xterm-256color", "1", false}}) {
    Sandbox sandbox;
    sandbox.environment["TERM"] = one.term;
    sandbox.environment["NO_COLOR"] = one.no_color;
    TerminalProgram program(sandbox, {"tui", "--glyphs", "ascii"});
    ASSERT_TRUE(program.shows("? help")) << one.term;
    EXPECT_EQ(program.look_at(1, 38).foreground >= 0, one.has_color) << one.term;
    const size_t tab = program.row(0).find("1 Home");
    EXPECT_TRUE(program.look_at(static_cast<int>(tab), 0).reverse) << "seen without colours too";
  }
}

TEST(Workbench, GlyphsFollowTheLocale) {
  Sandbox sandbox;
  sandbox.environment["LC_ALL"] = "C";
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("+- Runs"));
  program.type(":glyphs unicode\r");
  EXPECT_TRUE(program.shows("unicode from now on"));
}

TEST(Workbench, TheTourRunsReadsAndMendsARealKernel) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    const Sandbox sandbox;
    TerminalProgram program(sandbox, {}, width, height);
    ASSERT_TRUE(program.shows("T tour"));
    program.type("T");
    ASSERT_TRUE(program.shows("Tour 1/12: a kernel"));
    program.type(" ");
    ASSERT_TRUE(program.shows("Every cycle of the critical path"));
    EXPECT_TRUE(program.shows("busy MTE2"));
    program.type(" ");
    ASSERT_TRUE(program.shows("is estimated to save"));
    program.type(" ");
    ASSERT_TRUE(program.shows("Tour 4/12"));
    ASSERT_TRUE(program.shows("estimated -"));
    EXPECT_TRUE(program.shows("real -"));
    program.type(" ");
    ASSERT_TRUE(program.shows("Tour 5/12"));
    program.type(" ");
    ASSERT_TRUE(program.shows("Every instruction on its core and pipe"));
    program.type(" ");
    ASSERT_TRUE(program.shows("configs were tried", 60));
    program.type(" ");
    ASSERT_TRUE(program.shows("The winner, simulated in detail"));
    program.type("\x1b");
    EXPECT_TRUE(program.hides("Tour 8/12"));
    program.type("1");
    EXPECT_TRUE(program.shows("3 runs")) << "both and the search are kept";
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  }
}

TEST(Workbench, TheTourTunesAModelAndReplaysItsTrafficSlow) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {}, 80, 24);
  ASSERT_TRUE(program.shows("T tour"));
  program.type("T");
  ASSERT_TRUE(program.shows("Tour 1/12"));
  for (const char* words :
       {"Every cycle", "is estimated to save", "estimated -", "Tour 5/12", "Every instruction on",
        "configs were tried", "The winner, simulated", "GEMMs", "This is the Export screen",
        "Before and after: qwen2-7b, chat", "Now it is yours"}) {
    program.type(" ");
    ASSERT_TRUE(program.shows(words, 60));
  }
  program.type(" ");
  EXPECT_TRUE(program.hides("Tour 12/12"));
  program.type("1");
  EXPECT_TRUE(program.shows("4 runs")) << "both and the searches are kept";
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(Workbench, ASessionComesBackAsItWasLeft) {
  const Sandbox sandbox;
  {
    TerminalProgram program(sandbox, {});
    ASSERT_TRUE(program.shows("? help"));
    program.type("2:set m 512\r");
    ASSERT_TRUE(program.hides("1000"));
    program.type("\r");
    ASSERT_TRUE(program.shows("run 1: "));
    program.type("p");
    ASSERT_TRUE(program.shows("run 1 is the baseline"));
    program.type(":theme light\r");
    ASSERT_TRUE(program.shows("light from now on"));
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_status(), 128 + SIGTERM);
  }
  {
    TerminalProgram program(sandbox, {});
    ASSERT_TRUE(program.shows("session main, as it was left"));
    EXPECT_TRUE(program.shows("512"));
    EXPECT_TRUE(program.shows("pinned"));
    program.type("1");
    EXPECT_TRUE(program.shows("1 runs")) << "bringing back runs keeps none";
    program.type(":session other\r");
    ASSERT_TRUE(program.hides("session main"));
    program.type("2");
    EXPECT_TRUE(program.shows("1000"));
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  }
  TerminalProgram fresh(sandbox, {"tui", "--fresh"});
  ASSERT_TRUE(fresh.shows("other"));
  fresh.type("2");
  EXPECT_TRUE(fresh.shows("1000"));
}

TEST(Workbench, ASessionComesBackOnWhateverScreenItWasLeft) {
  const auto leave = [](TerminalProgram& program) {
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0) << program.output();
  };
  for (const ScreenInfo& screen : all_screens()) {
    const Sandbox sandbox;
    const auto expect_kept = [&] {
      Store store = Store::open(sandbox.path("results.db"), OpenMode::kReadOnly);
      const std::string state = store.load_session("main")->state;
      EXPECT_TRUE(contains(state, "\"screen\":\"" + std::string(screen.name) + "\"")) << state;
    };
    {
      TerminalProgram program(sandbox, {});
      ASSERT_TRUE(program.shows("? help"));
      program.type(std::string(1, static_cast<char>('1' + static_cast<int>(screen.screen))));
      leave(program);
    }
    {
      TerminalProgram program(sandbox, {});
      EXPECT_TRUE(program.shows("session main, as it was left")) << screen.name;
      leave(program);
    }
    expect_kept();
    {
      TerminalProgram program(sandbox, {});
      EXPECT_TRUE(program.shows("session main, as it was left")) << screen.name;
      program.type(":session other\r");
      EXPECT_TRUE(program.shows("session other begins")) << screen.name;
      program.type(":session main\r");
      EXPECT_TRUE(program.shows("session main, as it was left")) << screen.name;
      leave(program);
    }
    expect_kept();
  }
}

TEST(Workbench, ASessionComesBackWhenTheProgramWasKilled) {
  const Sandbox sandbox;
  const auto kept = [&] {
    Store store = Store::open(sandbox.path("results.db"), OpenMode::kReadWrite);
    const auto session = store.load_session("main");
    return session && contains(session->state, "\"screen\":\"Tune\"") &&
           contains(session->state, "m=77,n=64,k=64");
  };
  {
    TerminalProgram program(sandbox, {});
    ASSERT_TRUE(program.shows("? help"));
    program.type("4:set shape m=77,n=64,k=64\r");
    ASSERT_TRUE(program.shows("m=77,n=64,k=64"));
    for (int i = 0; i < 200 && !kept(); ++i) ::usleep(50'000);
    program.signal(SIGKILL);
    EXPECT_EQ(program.exit_status(), 128 + SIGKILL);
  }
  TerminalProgram program(sandbox, {});
  EXPECT_TRUE(program.shows("session main, as it was left"));
  EXPECT_TRUE(program.shows("m=77,n=64,k=64")) << program.screen();
  EXPECT_TRUE(program.shows("New session")) << program.screen();
}

TEST(Workbench, ASessionThatDoesNotComeBackIsSaidAndLeftAsItIs) {
  const std::string kNewer = R"({"version": 99, "screen": 7})";
  const Sandbox sandbox;
  const auto leave = [&](const std::vector<std::string>& arguments, std::string_view said) {
    TerminalProgram program(sandbox, arguments);
    EXPECT_TRUE(program.shows(said));
    program.type("q");
    EXPECT_EQ(program.exit_status(), 0);
  };
  const auto stored = [&] {
    return Store::open(sandbox.path("results.db"), OpenMode::kReadOnly).load_session("main")->state;
  };
  leave({}, "? help");
  {
    Store store = Store::open(sandbox.path("results.db"), OpenMode::kReadWrite);
    store.save_session({"main", "2026-01-02T03:04:05Z", "Home", kNewer});
  }
  leave({}, "session main does not come back and is left as it is");
  EXPECT_EQ(stored(), kNewer);
  leave({"tui", "--fresh"}, "? help");
  EXPECT_NE(stored(), kNewer);
}

TEST(Workbench, AnswersKeysWithin33MillisecondsDuringAServingRun) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("6:set limit 200000\rr");
  ASSERT_TRUE(program.shows("run 1 running"));
  const AnswerTimes times = answer_times(program);
  ASSERT_TRUE(program.shows_in_row(1, "run 1 running")) << "the run must have lasted so long";
  EXPECT_LE(times.median(), 33);
  program.type("E");
  EXPECT_TRUE(program.shows("run 1 was ended and kept"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(Workbench, AnswersKeysWithin33MillisecondsDuringAJob) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("2");
  for (const char* line : {":set m 16384\r", ":set n 16384\r", ":set k 8192\r", ":set tile_m 64\r",
                           ":set tile_n 64\r"}) {
    program.type(line);
  }
  ASSERT_TRUE(program.shows("tile_n       64"));
  program.type("r");
  ASSERT_TRUE(program.shows_in_row(0, "run gemm"));
  const AnswerTimes times = answer_times(program);
  ASSERT_TRUE(program.shows_in_row(0, "run gemm")) << "the job must have lasted so long";
  EXPECT_LE(times.median(), 33);
  program.type("K");
  EXPECT_TRUE(program.shows("cancelled"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(Workbench, ServesReadsIntoARequestAndComesBack) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("6:set limit 12\r:set slo ttft=1ms\r");
  ASSERT_TRUE(program.shows("limit     12"));
  program.type("--r");
  ASSERT_TRUE(program.shows("run 1 running"));
  program.type(" ");
  ASSERT_TRUE(program.shows("PAUSED"));
  program.type("...");
  EXPECT_TRUE(program.shows("PAUSED"));
  program.type("++ ");
  ASSERT_TRUE(program.shows("run 1 is over and kept")) << "as fast as possible";
  EXPECT_TRUE(program.shows("12 done"));
  EXPECT_TRUE(program.shows("0.0%")) << "of the requests within a limit that none can keep";
  program.type("Vs\r");
  ASSERT_TRUE(program.shows("its steps"));
  program.type("\r");
  ASSERT_TRUE(program.shows("x  gemm bf16"));
  program.type("t");
  ASSERT_TRUE(program.shows("AIC 0.0"));
  program.type("6");
  EXPECT_TRUE(program.shows("its steps"));
  program.type("1");
  EXPECT_TRUE(program.shows("serve qwen2-7b chat"));
  program.type("q");
  EXPECT_EQ(program.exit_status(), 0);
}

TEST(Workbench, LeavesAtOnceDuringWorkThatCannotBeStopped) {
  const Sandbox sandbox;
  TerminalProgram program(sandbox, {});
  ASSERT_TRUE(program.shows("? help"));
  program.type("2:set m 4096\rC");  // checking these numbers takes many seconds
  ASSERT_TRUE(program.shows_in_row(0, "check gemm"));
  program.type("q");
  ASSERT_TRUE(program.shows("still at work"));
  program.type("y");
  EXPECT_EQ(program.exit_status(), 0);
  expect_restored(program);
}

}  // namespace
}  // namespace tilewright
