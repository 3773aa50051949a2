#include "app/tui/workbench.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "app/cli/clock.h"
#include "app/tui/job_work.h"
#include "app/tui/screen.h"
#include "app/tui/signals.h"
#include "app/tui/terminal.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Least time between two frames that answer input: a key that is held down needs no more.
constexpr double kInputFrameSeconds = 0.030;
/// A flush that takes longer is a slow link: then frames that nobody asked for become rare.
constexpr double kSlowFlushSeconds = 0.1;
constexpr double kSlowFrameSeconds = 0.5;

/// When the next frame may be drawn, and how it went so far.
class FrameClock {
 public:
  explicit FrameClock(int frames_per_second) : interval_(1.0 / frames_per_second) {}

  void want(bool by_input, double now) {
    if (by_input && !input_at_) input_at_ = now;
    is_wanted_ = true;
  }
  /// Seconds until the wanted frame; 0 when it is due, nothing when none is wanted.
  std::optional<double> wait(double now) const {
    if (!is_wanted_) return std::nullopt;
    const double interval = input_at_  ? std::min(kInputFrameSeconds, interval_)
                            : is_slow_ ? std::max(kSlowFrameSeconds, interval_)
                                       : interval_;
    return std::max(0.0, drawn_at_ + interval - now);
  }
  void drawn(double begin, double end) {
    if (input_at_) slowest_answer_ = std::max(slowest_answer_, end - *input_at_);
    is_slow_ = end - begin > kSlowFlushSeconds;
    drawn_at_ = begin;
    input_at_.reset();
    is_wanted_ = false;
    ++frames_;
  }
  std::string report() const {
    return fmt::format("{} frames drawn, slowest answer to input {:.1f} ms", frames_,
                       slowest_answer_ * 1e3);
  }

 private:
  double interval_;
  bool is_wanted_ = true;
  bool is_slow_ = false;
  double drawn_at_ = -1;
  std::optional<double> input_at_;
  double slowest_answer_ = 0;
  int64_t frames_ = 0;
};

class Workbench {
 public:
  explicit Workbench(const WorkbenchOptions& options)
      : clock_(options.frames_per_second),
        terminal_(open_terminal({options.has_color, options.most_colors})),
        jobs_(do_job, [this] { signals_.wake(); }) {
    state_.look.glyphs = options.glyphs.value_or(best_glyph_set());
    state_.look.theme = options.theme;
    state_.look.depth = terminal_->depth();
    state_.look.mouse = options.mouse;
    state_.db = options.db;
    state_.machine = options.machine;
    state_.width = terminal_->width();
    state_.height = terminal_->height();
    terminal_->set_mouse(options.mouse);
    Effects effects;
    info_of(state_.screen).enter(state_, effects);
    apply(effects);
  }

  int run() {
    while (!is_over_) {
      draw_when_due();
      wait();
      take_signals();
      take_jobs();
      take_input();
    }
    return status_;
  }

 private:
  void draw_when_due() {
    const double begin = wall_seconds();
    const std::optional<double> due = clock_.wait(begin);
    if (!due || *due > 0) return;
    terminal_->draw(draw(state_), state_.look.theme);
    clock_.drawn(begin, wall_seconds());
  }

  void wait() {
    const std::optional<double> due = clock_.wait(wall_seconds());
    pollfd descriptors[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.descriptor(), POLLIN, 0}};
    const int timeout = due ? static_cast<int>(*due * 1e3) + 1 : -1;
    ::poll(descriptors, 2, timeout);
    // A terminal that went away is readable and gives nothing for ever.
    if ((descriptors[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) leave(SIGHUP);
  }

  void take_signals() {
    for (const int signal : signals_.take()) {
      switch (signal) {
        case SIGWINCH:
          fit();
          break;
        case SIGTSTP:
          suspend();
          break;
        case SIGCONT:
          // After a stop of our own the terminal is taken already.
          if (!std::exchange(is_continuing_, false)) terminal_->resume();
          fit();
          break;
        default:
          leave(signal);
      }
    }
  }

  void fit() {
    terminal_->fit();
    handle(ResizeEvent{terminal_->width(), terminal_->height()});
  }

  void suspend() {
    is_continuing_ = true;
    terminal_->suspend();
    fit();
  }

  void leave(int signal) {
    is_over_ = true;
    status_ = 128 + signal;
  }

  void take_jobs() {
    for (const JobSnapshot& job : jobs_.take_changes()) {
      Effects effects;
      update(state_, job, effects);
      clock_.want(false, wall_seconds());
      apply(effects);
    }
  }

  void take_input() {
    for (const InputEvent& event : terminal_->read()) handle(event);
  }

  void handle(const InputEvent& event) {
    clock_.want(true, wall_seconds());
    Effects effects;
    update(state_, event, effects);
    apply(effects);
  }

  void apply(const Effects& effects) {
    for (const Effect& effect : effects) {
      std::visit([this](const auto& one) { apply(one); }, effect);
    }
  }

  void apply(const SubmitEffect& effect) { jobs_.submit(effect.id, effect.title, effect.request); }
  void apply(const CancelEffect& effect) { jobs_.cancel(effect.id); }
  void apply(const SuspendEffect&) { suspend(); }
  void apply(const RedrawEffect&) { terminal_->redraw(); }
  void apply(const AppearanceEffect&) { terminal_->set_mouse(state_.look.mouse); }
  void apply(const QuitEffect&) { is_over_ = true; }

  void apply(const CopyEffect& effect) {
    terminal_->copy(effect.text);
    state_.say("copied: " + effect.text);
  }

  void apply(const ScreenDumpEffect& effect) {
    try {
      write_file(effect.path, draw(state_).text());
      state_.say(fmt::format("screen written to {} ({})", printable(effect.path), clock_.report()));
    } catch (const Error& error) {
      state_.say(error.message(), Role::kBad);
    }
  }

  SignalPipe signals_;  // first: its handlers must be there before ncurses installs its own
  FrameClock clock_;
  std::unique_ptr<Terminal> terminal_;
  State state_;
  bool is_over_ = false;
  bool is_continuing_ = false;
  int status_ = 0;
  JobRunner jobs_;
};

}  // namespace

int run_workbench(const WorkbenchOptions& options) {
  return Workbench(options).run();
}

}  // namespace tilewright
