#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/tui/event.h"
#include "app/tui/grid.h"
#include "app/tui/state.h"

namespace tilewright {

/// A terminal that shows grids and gives keys. Only the interface thread calls it.
class Terminal {
 public:
  virtual ~Terminal() = default;

  virtual int width() const = 0;
  virtual int height() const = 0;
  /// Colours that it has.
  virtual ColorDepth depth() const = 0;
  /// Shows a grid of exactly its size; only what differs from the last one is sent.
  virtual void draw(const Grid& grid, Theme theme) = 0;
  /// What came since the last call; never waits.
  virtual std::vector<InputEvent> read() = 0;
  /// Asks the terminal for clicks and wheel, or leaves them to it.
  virtual void set_mouse(bool is_on) = 0;
  /// Takes over the size that the terminal has now.
  virtual void fit() = 0;
  /// Forgets what is thought to be on the screen.
  virtual void redraw() = 0;
  /// Gives the terminal back, stops the process, and takes it again when it continues.
  virtual void suspend() = 0;
  /// Takes the terminal again after somebody else stopped and continued the process.
  virtual void resume() = 0;
  /// Puts a text on the clipboard of the user's terminal by OSC 52.
  virtual void copy(const std::string& text) = 0;
};

struct TerminalOptions {
  bool has_color = true;
  /// No more colours than these.
  ColorDepth depth = ColorDepth::k256;
};

/// Takes over the terminal of stdin and stdout; it is given back with the object, and also when the
/// process dies of a signal or std::terminate. Error (failed) when stdin or stdout is no terminal,
/// or one that cannot move its cursor; the message says what to do instead.
std::unique_ptr<Terminal> open_terminal(const TerminalOptions& options);

/// What the terminal and locale of the environment can show.
GlyphSet best_glyph_set();

/// The sequence that puts a text on the clipboard, within tmux or not.
std::string clipboard_sequence(const std::string& text, bool is_in_tmux);

}  // namespace tilewright
