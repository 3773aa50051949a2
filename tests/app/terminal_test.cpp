// From a grid to ncurses: what the library holds for each cell is what the grid says.

#include "app/tui/terminal.h"

#include <gtest/gtest.h>
#include <ncurses.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "core/base/error.h"

namespace tilewright {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 20;

/// Runs `work` in a child whose terminal is a new pseudo-terminal; what it returns, empty for
/// success, comes back through a pipe. `output` gets what the terminal was sent.
std::string in_terminal(const std::string& type, const std::function<std::string()>& work,
                        std::string* output = nullptr) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return "no pipe";
  winsize size{};
  size.ws_col = kWidth;
  size.ws_row = kHeight;
  int master = -1;
  const pid_t child = ::forkpty(&master, nullptr, nullptr, &size);
  if (child == 0) {
    ::setenv("TERM", type.c_str(), 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    ::unsetenv("LINES");
    ::unsetenv("COLUMNS");
    std::string result;
    try {
      result = work();
    } catch (const Error& error) {
      result = error.message();
    }
    [[maybe_unused]] const ssize_t written = ::write(pipe[1], result.data(), result.size());
    ::_exit(0);
  }
  ::close(pipe[1]);
  // The terminal's output must be read or the child would wait for ever.
  std::array<char, 65536> bytes{};
  for (ssize_t got = 0; (got = ::read(master, bytes.data(), bytes.size())) > 0;) {
    if (output) output->append(bytes.data(), static_cast<size_t>(got));
  }
  const ssize_t count = ::read(pipe[0], bytes.data(), bytes.size());
  ::close(pipe[0]);
  ::close(master);
  ::waitpid(child, nullptr, 0);
  return {bytes.data(), static_cast<size_t>(std::max<ssize_t>(0, count))};
}

/// Every role, and glyphs of every kind.
Grid colourful() {
  Grid grid(kWidth, kHeight);
  constexpr std::u32string_view kGlyphs = U"aZ0~│─┌█▓░▏▄⣿⠁·◆▲▸…";
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      grid.at(x, y) = {kGlyphs[static_cast<size_t>(x + y) % kGlyphs.size()],
                       static_cast<Role>((x * 7 + y) % kRoleCount)};
    }
  }
  return grid;
}

std::string difference(const ScreenCell& cell, int x, int y, Theme theme, ColorDepth depth) {
  cchar_t shown;
  mvin_wch(y, x, &shown);
  std::array<wchar_t, CCHARW_MAX> text{};
  attr_t attributes = 0;
  short short_pair = 0;
  int pair = 0;
  getcchar(&shown, text.data(), &attributes, &short_pair, &pair);
  const Paint paint = paint_of(cell.role, theme, depth);
  int foreground = -1;
  int background = -1;
  if (pair != 0) extended_pair_content(pair, &foreground, &background);
  const std::string place = std::to_string(x) + "," + std::to_string(y) + ": ";
  if (static_cast<char32_t>(text[0]) != cell.glyph) return place + "another glyph";
  if (foreground != paint.foreground || background != paint.background) return place + "colour";
  if (((attributes & A_BOLD) != 0) != paint.bold) return place + "bold";
  if (((attributes & A_REVERSE) != 0) != paint.reverse) return place + "reverse";
  if (((attributes & A_UNDERLINE) != 0) != paint.underline) return place + "underline";
  return "";
}

std::string draw_and_read_back(const TerminalOptions& options, ColorDepth expected, Theme theme) {
  const std::unique_ptr<Terminal> terminal = open_terminal(options);
  if (terminal->width() != kWidth || terminal->height() != kHeight) return "another size";
  if (terminal->depth() != expected) {
    return "another depth: " + std::string(name_of(terminal->depth()));
  }
  const Grid grid = colourful();
  terminal->draw(Grid(kWidth, kHeight), theme);
  terminal->draw(grid, theme);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const std::string wrong = difference(grid.at(x, y), x, y, theme, expected);
      if (!wrong.empty()) return wrong;
    }
  }
  return "";
}

struct TerminalCase {
  std::string type;
  TerminalOptions options;
  ColorDepth depth;
};

TEST(Terminal, HoldsWhatTheGridSays) {
  const std::array<TerminalCase, 7> cases = {{
      {"xterm-256color", {true}, ColorDepth::k256},
      {"xterm-256color", {true, ColorDepth::k16}, ColorDepth::k16},
      {"xterm-256color", {true, ColorDepth::k8}, ColorDepth::k8},
      {"xterm-256color", {true, ColorDepth::kMono}, ColorDepth::kMono},
      {"xterm-256color", {false}, ColorDepth::kMono},
      {"xterm", {true}, ColorDepth::k8},
      {"vt100", {true}, ColorDepth::kMono},
  }};
  for (const TerminalCase& one : cases) {
    for (const Theme theme : {Theme::kDark, Theme::kLight, Theme::kColorBlind}) {
      EXPECT_EQ(
          in_terminal(one.type, [&] { return draw_and_read_back(one.options, one.depth, theme); }),
          "")
          << one.type << " with at most " << name_of(one.options.depth) << " colours, "
          << name_of(theme);
    }
  }
}

TEST(Terminal, ShowsLastWordsAfterItIsGivenBack) {
  for (const bool dies : {true, false}) {
    std::string output;
    in_terminal(
        "xterm-256color",
        [dies] {
          const std::unique_ptr<Terminal> terminal = open_terminal({});
          terminal->draw(Grid(kWidth, kHeight), Theme::kDark);
          std::fputs("broken invariant\n", stderr);
          if (dies) std::abort();
          return std::string();
        },
        &output);
    const size_t left = output.rfind("\x1b[?1049l");
    const size_t said = output.find("broken invariant");
    ASSERT_NE(left, std::string::npos);
    ASSERT_NE(said, std::string::npos);
    EXPECT_LT(left, said) << (dies ? "abort" : "exit");
  }
}

TEST(Terminal, ClipboardSequencesHoldTheText) {
  EXPECT_EQ(clipboard_sequence("a", false), "\x1b]52;c;YQ==\x07");
  EXPECT_EQ(clipboard_sequence("ab", false), "\x1b]52;c;YWI=\x07");
  EXPECT_EQ(clipboard_sequence("abc", false), "\x1b]52;c;YWJj\x07");
  EXPECT_EQ(clipboard_sequence("", false), "\x1b]52;c;\x07");
  EXPECT_EQ(clipboard_sequence("a", true), "\x1bPtmux;\x1b\x1b]52;c;YQ==\x07\x1b\\");
}

TEST(Theme, EveryRoleCanBeSeenAtEveryDepth) {
  for (const Theme theme : {Theme::kDark, Theme::kLight, Theme::kColorBlind}) {
    for (int role = 0; role < kRoleCount; ++role) {
      const Paint rich = paint_of(static_cast<Role>(role), theme, ColorDepth::k256);
      const Paint eight = paint_of(static_cast<Role>(role), theme, ColorDepth::k8);
      const Paint mono = paint_of(static_cast<Role>(role), theme, ColorDepth::kMono);
      EXPECT_LT(rich.foreground, 256);
      EXPECT_LT(eight.foreground, 8) << letter_of(static_cast<Role>(role));
      EXPECT_EQ(mono.foreground, -1);
      EXPECT_EQ(mono.background, -1);
    }
  }
  const auto attributes = [](Role role) {
    Paint paint = paint_of(role, Theme::kDark, ColorDepth::kMono);
    return paint.bold || paint.reverse || paint.underline;
  };
  for (const Role role : {Role::kCursor, Role::kActiveTab, Role::kBad, Role::kPath, Role::kMatch,
                          Role::kField, Role::kFocus}) {
    EXPECT_TRUE(attributes(role)) << "what matters stands out without colours";
  }
}

}  // namespace
}  // namespace tilewright
