#include "tests/app/terminal_program.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "app/tui/grid.h"

namespace tilewright {

struct TerminalProgram::Emulator {
  Emulator(int columns, int rows) : terminal(vterm_new(rows, columns)) {
    vterm_set_utf8(terminal, 1);
    screen = vterm_obtain_screen(terminal);
    callbacks.settermprop = [](VTermProp property, VTermValue* value, void* user) {
      static_cast<Emulator*>(user)->set(property, *value);
      return 1;
    };
    vterm_screen_set_callbacks(screen, &callbacks, this);
    vterm_screen_enable_altscreen(screen, 1);
    vterm_screen_reset(screen, 1);
  }
  ~Emulator() { vterm_free(terminal); }
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  void set(VTermProp property, const VTermValue& value) {
    if (property == VTERM_PROP_ALTSCREEN) is_alternate = value.boolean != 0;
    if (property == VTERM_PROP_CURSORVISIBLE) is_cursor_visible = value.boolean != 0;
  }

  VTermScreenCell cell(int x, int y) const {
    VTermScreenCell cell;
    vterm_screen_get_cell(screen, VTermPos{y, x}, &cell);
    return cell;
  }

  VTerm* terminal;
  VTermScreen* screen = nullptr;
  VTermScreenCallbacks callbacks{};
  bool is_alternate = false;
  bool is_cursor_visible = true;
};

namespace {

int palette_number(const VTermColor& color) {
  if (VTERM_COLOR_IS_DEFAULT_FG(&color) || VTERM_COLOR_IS_DEFAULT_BG(&color)) return -1;
  return VTERM_COLOR_IS_INDEXED(&color) ? color.indexed.idx : -2;
}

/// In the child that leads the terminal's session: runs the program as a job of its own, tells its
/// process by `pipe`, and ends as it does.
[[noreturn]] void start_job(const Sandbox& sandbox, const std::vector<std::string>& arguments,
                            int pipe) {
  ::signal(SIGTTOU, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  const pid_t program = ::fork();
  if (program == 0) {
    ::setpgid(0, 0);
    ::tcsetpgrp(0, ::getpid());
    ::signal(SIGTTOU, SIG_DFL);
    ::signal(SIGHUP, SIG_DFL);
    [[maybe_unused]] const pid_t self = ::getpid();
    [[maybe_unused]] const ssize_t told = ::write(pipe, &self, sizeof self);
    ::close(pipe);
    sandbox.become_program(arguments);
  }
  int status = 0;
  ::waitpid(program, &status, 0);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

}  // namespace

TerminalProgram::TerminalProgram(const Sandbox& sandbox, const std::vector<std::string>& arguments,
                                 int width, int height)
    : emulator_(std::make_unique<Emulator>(width, height)) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(width);
  size.ws_row = static_cast<unsigned short>(height);
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  parent_ = ::forkpty(&master_, nullptr, nullptr, &size);
  if (parent_ == 0) {
    ::setenv("TERM", "xterm-256color", 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    for (const char* name : {"LINES", "COLUMNS", "TMUX", "ESCDELAY"}) ::unsetenv(name);
    start_job(sandbox, arguments, pipe[1]);
  }
  EXPECT_GT(parent_, 0);
  ::close(pipe[1]);
  EXPECT_EQ(::read(pipe[0], &process_, sizeof process_), static_cast<ssize_t>(sizeof process_));
  ::close(pipe[0]);
}

TerminalProgram::~TerminalProgram() {
  if (status_ < 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(parent_, nullptr, 0);
  }
  ::close(master_);
}

void TerminalProgram::type(std::string_view bytes) {
  EXPECT_EQ(::write(master_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

void TerminalProgram::click(int x, int y) {
  type(fmt::format("\x1b[<0;{};{}M\x1b[<0;{};{}m", x + 1, y + 1, x + 1, y + 1));
}

void TerminalProgram::resize(int width, int height) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(width);
  size.ws_row = static_cast<unsigned short>(height);
  vterm_set_size(emulator_->terminal, height, width);
  EXPECT_EQ(::ioctl(master_, TIOCSWINSZ, &size), 0);
}

void TerminalProgram::signal(int number) const {
  ::kill(process_, number);
}

bool TerminalProgram::read_some(int milliseconds) {
  pollfd descriptor = {master_, POLLIN, 0};
  if (::poll(&descriptor, 1, milliseconds) <= 0) return true;
  std::array<char, 65536> bytes{};
  const ssize_t count = ::read(master_, bytes.data(), bytes.size());
  if (count <= 0) return false;  // EIO: the program closed its end
  output_.append(bytes.data(), static_cast<size_t>(count));
  vterm_input_write(emulator_->terminal, bytes.data(), static_cast<size_t>(count));
  return true;
}

bool TerminalProgram::waits_until(const std::function<bool()>& condition, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (Clock::now() > end || !read_some(20)) return condition();
  }
  return true;
}

bool TerminalProgram::shows(std::string_view text, double seconds) {
  const bool found = waits_until([&] { return screen().find(text) != std::string::npos; }, seconds);
  EXPECT_TRUE(found) << "no \"" << text << "\" on\n" << screen();
  return found;
}

bool TerminalProgram::shows_in_row(int y, std::string_view text) {
  const bool found = waits_until([&] { return row(y).find(text) != std::string::npos; }, 20);
  EXPECT_TRUE(found) << "no \"" << text << "\" in row " << y << " of\n" << screen();
  return found;
}

bool TerminalProgram::hides(std::string_view text, double seconds) {
  const bool gone = waits_until([&] { return screen().find(text) == std::string::npos; }, seconds);
  EXPECT_TRUE(gone) << "still \"" << text << "\" on\n" << screen();
  return gone;
}

size_t TerminalProgram::bytes_within(double seconds) {
  const size_t before = output_.size();
  waits_until([] { return false; }, seconds);
  return output_.size() - before;
}

int TerminalProgram::exit_status() {
  if (status_ >= 0) return status_;
  int status = 0;
  bool is_over = false;
  while (waits_until(
      [&] { return is_over || (is_over = ::waitpid(parent_, &status, WNOHANG) == parent_); }, 20)) {
    // What it wrote last may still be on its way.
    pollfd more = {master_, POLLIN, 0};
    if (::poll(&more, 1, 0) <= 0 || !read_some(0)) break;
  }
  if (!is_over && ::waitpid(parent_, &status, 0) != parent_) return -1;
  status_ = WEXITSTATUS(status);
  return status_;
}

bool TerminalProgram::is_stopped() {
  return waits_until(
      [&] {
        std::ifstream file(fmt::format("/proc/{}/stat", process_));
        std::string text;
        std::getline(file, text);
        const size_t name_end = text.rfind(')');
        return name_end != std::string::npos && text.compare(name_end, 3, ") T") == 0;
      },
      20);
}

std::string TerminalProgram::row(int y) const {
  int rows = 0;
  int columns = 0;
  vterm_get_size(emulator_->terminal, &rows, &columns);
  std::u32string text;
  for (int x = 0; x < columns; ++x) {
    const uint32_t glyph = emulator_->cell(x, y).chars[0];
    text += glyph == 0 ? U' ' : static_cast<char32_t>(glyph);
  }
  text.erase(text.find_last_not_of(U' ') + 1);
  return utf8_of(text);
}

std::string TerminalProgram::screen() const {
  int rows = 0;
  int columns = 0;
  vterm_get_size(emulator_->terminal, &rows, &columns);
  std::string text;
  for (int y = 0; y < rows; ++y) text += row(y) + "\n";
  return text;
}

TerminalProgram::Look TerminalProgram::look_at(int x, int y) const {
  const VTermScreenCell cell = emulator_->cell(x, y);
  Look look;
  look.foreground = palette_number(cell.fg);
  look.background = palette_number(cell.bg);
  look.bold = cell.attrs.bold != 0;
  look.reverse = cell.attrs.reverse != 0;
  look.underline = cell.attrs.underline != 0;
  return look;
}

bool TerminalProgram::is_alternate() const {
  return emulator_->is_alternate;
}

bool TerminalProgram::is_cursor_visible() const {
  return emulator_->is_cursor_visible;
}

bool TerminalProgram::asks_for_mouse() const {
  // The emulator reads only the first of several modes that one sequence sets.
  const auto is_on = [this](const std::string& mode) {
    const size_t on = output_.rfind(mode + "h");
    const size_t off = output_.rfind(mode + "l");
    return on != std::string::npos && (off == std::string::npos || off < on);
  };
  return is_on("1006;1000") || is_on("1002");
}

termios TerminalProgram::modes() const {
  termios modes{};
  EXPECT_EQ(::tcgetattr(master_, &modes), 0);
  return modes;
}

}  // namespace tilewright
