#pragma once

#include <sys/types.h>
#include <termios.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/app/program.h"

namespace tilewright {

/// The real binary in a pseudo-terminal of its own, with an emulated terminal (libvterm) that shows
/// what a user would see. It is killed with the object when it still runs.
class TerminalProgram {
 public:
  /// Colours and attributes of a cell; palette numbers, -1 for the terminal's own.
  struct Look {
    int foreground = -1;
    int background = -1;
    bool bold = false;
    bool reverse = false;
    bool underline = false;
  };

  /// `environment` of the sandbox holds; TERM and LC_ALL are xterm-256color and C.UTF-8 unless it
  /// says otherwise.
  TerminalProgram(const Sandbox& sandbox, const std::vector<std::string>& arguments,
                  int width = 120, int height = 40);
  ~TerminalProgram();
  TerminalProgram(const TerminalProgram&) = delete;
  TerminalProgram& operator=(const TerminalProgram&) = delete;

  void type(std::string_view bytes);
  /// A press and release of the left button, as terminals tell it (SGR); columns from 0.
  void click(int x, int y);
  void resize(int width, int height);
  void signal(int number) const;

  /// Reads what the program writes until the screen holds the text, or until `seconds` are over.
  bool shows(std::string_view text, double seconds = 20);
  /// As shows(), in one row.
  bool shows_in_row(int y, std::string_view text);
  bool hides(std::string_view text, double seconds = 20);
  /// Bytes that the program writes within a time.
  size_t bytes_within(double seconds);
  /// The exit status once the program has ended, 128 + signal when one ended it; -1 when it does
  /// not within 20 s.
  int exit_status();
  /// Whether it gets stopped by a signal within 20 s.
  bool is_stopped();

  std::string screen() const;
  std::string row(int y) const;
  Look look_at(int x, int y) const;
  /// Everything that was written so far, escapes and all.
  const std::string& output() const { return output_; }
  bool is_alternate() const;
  bool is_cursor_visible() const;
  bool asks_for_mouse() const;
  /// The modes of the pseudo-terminal: echo, lines, signals.
  termios modes() const;

 private:
  struct Emulator;

  bool waits_until(const std::function<bool()>& condition, double seconds);
  /// Reads what is there, waiting at most so long; false at the end of the output.
  bool read_some(int milliseconds);

  int master_ = -1;
  pid_t parent_ = -1;   ///< stands between, as a shell would: it keeps the program's job stoppable
  pid_t process_ = -1;  ///< the program
  int status_ = -1;
  std::string output_;
  std::unique_ptr<Emulator> emulator_;
};

}  // namespace tilewright
