// The only file that knows ncurses and the terminal's own language.

// "border" and the like are names elsewhere.
#define NCURSES_NOMACROS 1
#include <fcntl.h>
#include <langinfo.h>
#include <ncurses.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>
#include <string_view>

#include "app/tui/terminal.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

/// The terminal as it was found, for the handlers that run when all else fails.
termios g_found_modes;
volatile std::sig_atomic_t g_is_taken = 0;
/// What the process says on stderr meanwhile would spoil the screen: it goes to a file in memory
/// and is shown when the terminal is given back.
int g_said = -1;
int g_found_stderr = -1;

/// Leaves the alternate screen, shows the cursor, turns mouse, keypad and attributes off.
constexpr std::string_view kReset =
    "\x1b[?2004l\x1b[?1002l\x1b[?1006;1000l\x1b[m\x1b[?1l\x1b>\x1b[?25h\x1b[?1049l";

void hold_stderr() {
  g_said = ::memfd_create("stderr", MFD_CLOEXEC);
  g_found_stderr = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (g_said >= 0 && g_found_stderr >= 0) ::dup2(g_said, STDERR_FILENO);
}

/// Safe within a signal handler.
void release_stderr() {
  if (g_said < 0 || g_found_stderr < 0) return;
  ::dup2(g_found_stderr, STDERR_FILENO);
  ::lseek(g_said, 0, SEEK_SET);
  std::array<char, 512> text;
  for (ssize_t count = 0; (count = ::read(g_said, text.data(), text.size())) > 0;) {
    [[maybe_unused]] const ssize_t written =
        ::write(STDERR_FILENO, text.data(), static_cast<size_t>(count));
  }
  ::close(g_said);
  ::close(g_found_stderr);
  g_said = g_found_stderr = -1;
}

/// Safe within a signal handler.
void give_terminal_back() {
  if (!g_is_taken) return;
  g_is_taken = 0;
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kReset.data(), kReset.size());
  ::tcsetattr(STDIN_FILENO, TCSANOW, &g_found_modes);
  release_stderr();
}

void die_of_signal(int signal) {
  give_terminal_back();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void install_last_resorts() {
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGSYS, SIGPIPE,
                           SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ}) {
    std::signal(signal, die_of_signal);
  }
}

std::map<int, Key> special_keys() {
  return {{KEY_ENTER, keys::kEnter}, {KEY_BTAB, keys::kBackTab}, {KEY_BACKSPACE, keys::kBackspace},
          {KEY_DC, keys::kDelete},   {KEY_UP, keys::kUp},        {KEY_DOWN, keys::kDown},
          {KEY_LEFT, keys::kLeft},   {KEY_RIGHT, keys::kRight},  {KEY_HOME, keys::kHome},
          {KEY_END, keys::kEnd},     {KEY_PPAGE, keys::kPageUp}, {KEY_NPAGE, keys::kPageDown},
          {KEY_F(1), keys::kF1},     {KEY_F(5), keys::kF5}};
}

Key character_key(wint_t character) {
  switch (character) {
    case L'\r':
    case L'\n':
      return keys::kEnter;
    case L'\t':
      return keys::kTab;
    case 27:
      return keys::kEscape;
    case 8:
    case 127:
      return keys::kBackspace;
    default:
      return Key{static_cast<char32_t>(character)};
  }
}

class CursesTerminal : public Terminal {
  /// Codes of ours for the marks around a paste.
  static constexpr wint_t kPasteBegin = KEY_MAX + 1;
  static constexpr wint_t kPasteEnd = KEY_MAX + 2;

 public:
  explicit CursesTerminal(const TerminalOptions& options) {
    ::tcgetattr(STDIN_FILENO, &g_found_modes);
    use_tioctl(TRUE);  // the terminal knows its size better than the environment
    screen_ = newterm(nullptr, stdout, stdin);
    if (!screen_) {
      throw Error(ErrorKind::kFailed,
                  "the terminal type in TERM is not known here; set TERM=xterm-256color, or use a "
                  "command, see tilewright help");
    }
    g_is_taken = 1;
    hold_stderr();
    install_last_resorts();
    set_up();
    choose_depth(options);
  }

  ~CursesTerminal() override {
    set_mouse(false);
    tell_pastes(false);
    endwin();
    delscreen(screen_);
    g_is_taken = 0;
    release_stderr();
  }

  int width() const override { return COLS; }
  int height() const override { return LINES; }
  ColorDepth depth() const override { return depth_; }

  void draw(const Grid& grid, Theme theme) override {
    if (theme != theme_) pairs_.clear();
    theme_ = theme;
    for (int y = 0; y < std::min(grid.height(), LINES); ++y) {
      for (int x = 0; x < std::min(grid.width(), COLS); ++x) put(x, y, grid.at(x, y));
    }
    refresh();
  }

  std::vector<InputEvent> read() override {
    std::vector<InputEvent> events;
    wint_t code = 0;
    for (int kind = get_wch(&code); kind != ERR; kind = get_wch(&code)) {
      if (kind == KEY_CODE_YES && code == kPasteBegin) {
        pasted_.emplace();
      } else if (kind == KEY_CODE_YES && code == kPasteEnd) {
        if (pasted_) events.emplace_back(PasteEvent{std::move(*pasted_)});
        pasted_.reset();
      } else if (pasted_) {
        if (kind != KEY_CODE_YES) *pasted_ += static_cast<char32_t>(code);
      } else if (kind != KEY_CODE_YES) {
        events.emplace_back(character_key(code));
      } else if (code == KEY_MOUSE) {
        read_mouse(events);
      } else if (const auto key = special_.find(static_cast<int>(code)); key != special_.end()) {
        events.emplace_back(key->second);
      }
    }
    return events;
  }

  void set_mouse(bool is_on) override {
    mousemask(is_on ? kMouseMask : 0, nullptr);
    has_mouse_ = is_on;
    tell_drags(is_on);
  }

  void fit() override {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return;
    resizeterm(size.ws_row, size.ws_col);
  }

  void redraw() override { clearok(curscr, TRUE); }

  void suspend() override {
    tell_drags(false);
    tell_pastes(false);
    endwin();
    g_is_taken = 0;
    struct sigaction handler {};
    struct sigaction stop {};
    stop.sa_handler = SIG_DFL;
    ::sigaction(SIGTSTP, &stop, &handler);
    ::kill(0, SIGTSTP);  // the whole job, as the terminal's own Ctrl-Z
    // Here again after SIGCONT.
    ::sigaction(SIGTSTP, &handler, nullptr);
    resume();
  }

  void resume() override {
    reset_prog_mode();
    g_is_taken = 1;
    tell_drags(has_mouse_);
    tell_pastes(true);
    redraw();
    refresh();
  }

  void copy(const std::string& text) override {
    const std::string sequence = clipboard_sequence(text, std::getenv("TMUX") != nullptr);
    std::fwrite(sequence.data(), 1, sequence.size(), stdout);
    std::fflush(stdout);
  }

 private:
  static void set_up() {
    raw();  // Ctrl-C and Ctrl-Z are keys like others
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    mouseinterval(0);
    curs_set(0);
    // Some terminals send these whatever their description says.
    define_key("\x1b[A", KEY_UP);
    define_key("\x1b[B", KEY_DOWN);
    define_key("\x1b[C", KEY_RIGHT);
    define_key("\x1b[D", KEY_LEFT);
    define_key("\x1b[H", KEY_HOME);
    define_key("\x1b[F", KEY_END);
    define_key("\x1b[200~", static_cast<int>(kPasteBegin));
    define_key("\x1b[201~", static_cast<int>(kPasteEnd));
    tell_pastes(true);
  }

  void choose_depth(const TerminalOptions& options) {
    depth_ = ColorDepth::kMono;
    if (!options.has_color || !has_colors()) return;
    start_color();
    use_default_colors();
    depth_ = COLORS >= 256  ? ColorDepth::k256
             : COLORS >= 16 ? ColorDepth::k16
             : COLORS >= 8  ? ColorDepth::k8
                            : ColorDepth::kMono;
    depth_ = std::min(depth_, options.depth);
  }

  int pair_of(const Paint& paint) {
    if (depth_ == ColorDepth::kMono) return 0;
    if (paint.foreground < 0 && paint.background < 0) return 0;
    const auto colors = std::pair(paint.foreground, paint.background);
    const auto known = pairs_.find(colors);
    if (known != pairs_.end()) return known->second;
    const int pair = alloc_pair(paint.foreground, paint.background);
    pairs_.emplace(colors, std::max(pair, 0));
    return std::max(pair, 0);
  }

  void put(int x, int y, const ScreenCell& cell) {
    const Paint paint = paint_of(cell.role, theme_, depth_);
    attr_t attributes = A_NORMAL;
    if (paint.bold) attributes |= A_BOLD;
    if (paint.reverse) attributes |= A_REVERSE;
    if (paint.underline) attributes |= A_UNDERLINE;
    if (paint.dim) attributes |= A_DIM;
    const std::array<wchar_t, 2> text = {static_cast<wchar_t>(cell.glyph), L'\0'};
    int pair = pair_of(paint);
    cchar_t character;
    setcchar(&character, text.data(), attributes, 0, &pair);
    mvadd_wch(y, x, &character);
  }

  static void read_mouse(std::vector<InputEvent>& events) {
    MEVENT event;
    if (getmouse(&event) != OK) return;
    const auto add = [&](MouseEvent::Kind kind) {
      events.emplace_back(MouseEvent{kind, event.x, event.y});
    };
    using Kind = MouseEvent::Kind;
    // A press and its release that came together were joined to a click.
    const int clicks = (event.bstate & BUTTON1_CLICKED) != 0          ? 1
                       : (event.bstate & BUTTON1_DOUBLE_CLICKED) != 0 ? 2
                       : (event.bstate & BUTTON1_TRIPLE_CLICKED) != 0 ? 3
                                                                      : 0;
    for (int i = 0; i < clicks; ++i) {
      add(Kind::kPress);
      add(Kind::kRelease);
    }
    if (clicks > 0) return;
    if ((event.bstate & BUTTON1_PRESSED) != 0) return add(Kind::kPress);
    if ((event.bstate & BUTTON1_RELEASED) != 0) return add(Kind::kRelease);
    if ((event.bstate & BUTTON4_PRESSED) != 0) return add(Kind::kWheelUp);
    if ((event.bstate & BUTTON5_PRESSED) != 0) return add(Kind::kWheelDown);
    if ((event.bstate & REPORT_MOUSE_POSITION) != 0) add(Kind::kDrag);
  }

  /// ncurses asks for presses alone; terminals of today also tell drags while a button is down.
  static void tell_drags(bool is_on) { send_to_xterm(is_on ? "\x1b[?1002h" : "\x1b[?1002l"); }
  /// Pastes come between marks, so that they are not taken for keys.
  static void tell_pastes(bool is_on) { send_to_xterm(is_on ? "\x1b[?2004h" : "\x1b[?2004l"); }

  /// To terminals that speak xterm's language, by what is known of their mouse.
  static void send_to_xterm(const char* sequence) {
    const char* const form = tigetstr("kmous");
    if (!form || std::string_view(form) != "\x1b[<") return;
    std::fputs(sequence, stdout);
    std::fflush(stdout);
  }

  static constexpr mmask_t kMouseMask = BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON1_CLICKED |
                                        BUTTON1_DOUBLE_CLICKED | BUTTON1_TRIPLE_CLICKED |
                                        BUTTON4_PRESSED | BUTTON5_PRESSED | REPORT_MOUSE_POSITION;

  SCREEN* screen_ = nullptr;
  ColorDepth depth_ = ColorDepth::kMono;
  Theme theme_ = Theme::kDark;
  bool has_mouse_ = false;
  std::optional<std::u32string> pasted_;  ///< while a paste is coming in
  std::map<std::pair<int, int>, int> pairs_;
  const std::map<int, Key> special_ = special_keys();
};

std::string base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (size_t i = 0; i < text.size(); i += 3) {
    unsigned bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      result += i + j > text.size() ? '=' : kDigits[(bits >> (18 - 6 * j)) & 63u];
    }
  }
  return result;
}

}  // namespace

std::unique_ptr<Terminal> open_terminal(const TerminalOptions& options) {
  std::setlocale(LC_CTYPE, "");
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    throw Error(ErrorKind::kUsage,
                "the workbench needs a terminal for input and output; use a command instead, see "
                "tilewright help");
  }
  const char* const type = std::getenv("TERM");
  if (!type || std::string_view(type).empty() || std::string_view(type) == "dumb") {
    throw Error(ErrorKind::kUsage,
                "the workbench needs a terminal that can move its cursor, and TERM says that this "
                "one cannot; use a command instead, see tilewright help");
  }
  return std::make_unique<CursesTerminal>(options);
}

GlyphSet best_glyph_set() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") return GlyphSet::kAscii;
  const char* const type = std::getenv("TERM");
  // The console of Linux has lines and blocks in its font, and no braille.
  return type && std::string_view(type) == "linux" ? GlyphSet::kBlocks : GlyphSet::kUnicode;
}

std::string clipboard_sequence(const std::string& text, bool is_in_tmux) {
  const std::string sequence = "\x1b]52;c;" + base64(text) + "\x07";
  if (!is_in_tmux) return sequence;
  std::string wrapped = "\x1bPtmux;";
  for (const char byte : sequence) {
    if (byte == '\x1b') wrapped += '\x1b';
    wrapped += byte;
  }
  return wrapped + "\x1b\\";
}

}  // namespace tilewright
