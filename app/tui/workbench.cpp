#include "app/tui/workbench.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <set>
#include <utility>

#include "app/cli/clock.h"
#include "app/tui/home/home_clock.h"
#include "app/tui/home/home_screen.h"
#include "app/tui/job_work.h"
#include "app/tui/lab/lab_edit.h"
#include "app/tui/screen.h"
#include "app/tui/session.h"
#include "app/tui/session_keeper.h"
#include "app/tui/signals.h"
#include "app/tui/terminal.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "db/store.h"

namespace tilewright {

namespace {

/// Least time between two frames that answer input: a key that is held down needs no more.
constexpr double kInputFrameSeconds = 0.016;
/// A flush that takes longer is a slow link: then frames that nobody asked for become rare.
constexpr double kSlowFlushSeconds = 0.1;
constexpr double kSlowFrameSeconds = 0.5;
/// Least time between two times that the session is kept while the program runs.
constexpr double kKeepSeconds = 2;

/// Why a frame is wanted: what somebody did or waits for is drawn at once.
enum class FrameCause : uint8_t { kInput, kResult, kProgress };

/// When the next frame may be drawn, and how it went so far.
class FrameClock {
 public:
  explicit FrameClock(int frames_per_second) : interval_(1.0 / frames_per_second) {}

  void want(FrameCause cause, double now) {
    if (cause == FrameCause::kInput && !input_at_) input_at_ = now;
    has_result_ = has_result_ || cause == FrameCause::kResult;
    is_wanted_ = true;
  }
  /// Seconds until the wanted frame; 0 when it is due, nothing when none is wanted.
  std::optional<double> wait(double now) const {
    if (!is_wanted_) return std::nullopt;
    const bool is_prompt = input_at_ || (has_result_ && !is_slow_);
    const double interval = is_prompt  ? std::min(kInputFrameSeconds, interval_)
                            : is_slow_ ? std::max(kSlowFrameSeconds, interval_)
                                       : interval_;
    return std::max(0.0, drawn_at_ + interval - now);
  }
  void drawn(double begin, double end) {
    if (input_at_) slowest_answer_ = std::max(slowest_answer_, end - *input_at_);
    is_slow_ = end - begin > kSlowFlushSeconds;
    drawn_at_ = begin;
    input_at_.reset();
    has_result_ = false;
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
  bool has_result_ = false;  ///< what is to be drawn has the first or last result of a job
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
    state_.db = options.db;
    state_.not_kept = options.not_kept;
    state_.tune.globals = options.globals;
    state_.look.glyphs = options.glyphs.value_or(best_glyph_set());
    state_.look.depth = terminal_->depth();
    state_.machine = options.machine;
    open_session(options.session, options.is_fresh);
    if (options.machine_is_given) use_machine(options.machine);
    state_.look.theme = options.theme.value_or(state_.look.theme);
    state_.look.mouse = options.mouse.value_or(state_.look.mouse);
    terminal_->set_mouse(state_.look.mouse);
  }

  WorkbenchEnd run() {
    while (!is_over_) {
      tell_time();
      reread_when_due();
      draw_when_due();
      keep_when_due();
      wait();
      tell_time();
      take_signals();
      take_jobs();
      take_input();
    }
    keeper_.reset();  // what it has is older
    std::string warning = keep_session();
    constexpr double kPatienceSeconds = 0.5;
    const bool is_idle = jobs_.stops_within(kPatienceSeconds);
    terminal_.reset();  // the user has it back, whatever the workers do
    return {status_, std::move(warning), !is_idle};
  }

 private:
  void tell_time() {
    constexpr size_t kDate = 11;
    constexpr size_t kTime = 8;
    state_.time = iso_date().substr(kDate, kTime);
  }

  void reread_when_due() {
    const bool is_in_front = state_.screen == Screen::kHome;
    if (!home_clock_.is_due(is_in_front, state_.home.load_job != 0, wall_seconds())) return;
    Effects effects;
    reread_home(state_, effects);
    apply(effects);
    home_clock_.is_due(is_in_front, true, wall_seconds());
  }

  void draw_when_due() {
    const double begin = wall_seconds();
    const std::optional<double> due = clock_.wait(begin);
    if (!due || *due > 0) return;
    terminal_->draw(draw(state_), state_.look.theme);
    clock_.drawn(begin, wall_seconds());
  }

  /// So that little is lost when nobody can ask any more: a kill, a machine that goes down. What
  /// is still being brought back would be missing in it.
  void keep_when_due() {
    if (!is_keeping_due() || wall_seconds() < kept_at_ + kKeepSeconds) return;
    is_touched_ = false;
    kept_at_ = wall_seconds();
    std::string text = session_text(state_);
    if (text == kept_) return;
    kept_ = text;
    if (!keeper_) keeper_ = std::make_unique<SessionKeeper>(state_.db);
    keeper_->keep({state_.session, iso_date(), session_summary(state_), std::move(text)});
  }

  bool is_keeping_due() const {
    return is_touched_ && restoring_.empty() && keeps_session_ && state_.not_kept.empty();
  }

  void wait() {
    const double now = wall_seconds();
    std::optional<double> due = clock_.wait(now);
    if (is_keeping_due()) {
      const double keep = std::max(0.0, kept_at_ + kKeepSeconds - now);
      due = std::min(due.value_or(keep), keep);
    }
    if (const auto reread = home_clock_.wait(now); reread && (!due || *reread < *due)) due = reread;
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
      const bool has_first =
          !std::holds_alternative<std::monostate>(job.result) && showing_.insert(job.id).second;
      if (job.is_over()) showing_.erase(job.id);
      if (has_first || job.is_over()) restoring_.erase(job.id);
      is_touched_ = is_touched_ || !job.is_quiet;
      update(state_, job, effects);
      clock_.want(has_first || job.is_over() ? FrameCause::kResult : FrameCause::kProgress,
                  wall_seconds());
      apply(effects);
    }
  }

  void take_input() {
    for (const InputEvent& event : terminal_->read()) handle(event);
  }

  void handle(const InputEvent& event) {
    clock_.want(FrameCause::kInput, wall_seconds());
    is_touched_ = true;
    Effects effects;
    update(state_, event, effects);
    apply(effects);
  }

  void apply(const Effects& effects) {
    for (const Effect& effect : effects) {
      std::visit([this](const auto& one) { apply(one); }, effect);
    }
  }

  /// A locked database is no reason to hang at the end.
  Store open_store() const {
    constexpr int kBusyMs = 1000;
    const OpenMode mode = state_.not_kept.empty() ? OpenMode::kReadWrite : OpenMode::kReadOnly;
    return Store::open(state_.db, mode, kBusyMs);
  }

  /// Returns why it cannot be kept; empty when it is. What did not come back stays as it is: a
  /// later version may have written it.
  std::string keep_session() const {
    if (!keeps_session_ || !state_.not_kept.empty()) return "";
    try {
      open_store().save_session(
          {state_.session, iso_date(), session_summary(state_), session_text(state_)});
      return "";
    } catch (const Error& error) {
      return fmt::format("session {} was not kept: {}", state_.session, error.message());
    }
  }

  /// Begins anew under a name, and with what was kept under it unless `is_fresh`.
  void open_session(const std::string& name, bool is_fresh) {
    State state;
    state.look = state_.look;
    state.db = state_.db;
    state.not_kept = state_.not_kept;
    state.messages = state_.messages;
    state.time = state_.time;
    state.machine = state_.machine;
    state.tune.globals = state_.tune.globals;
    state.tune.job = state_.tune.job;
    state.next_job = state_.next_job;
    state.jobs = state_.jobs;
    state.session = name;
    state.width = terminal_->width();
    state.height = terminal_->height();
    state_ = std::move(state);
    keeps_session_ = true;
    Effects effects;
    if (!is_fresh) restore(effects);
    kept_.clear();
    restoring_.clear();
    for (const Effect& effect : effects) {
      if (const auto* job = std::get_if<SubmitEffect>(&effect)) restoring_.insert(job->id);
    }
    refresh_home(state_, effects);
    if (state_.screen != Screen::kHome) enter_screen(state_, effects);
    if (!state_.not_kept.empty()) {
      state_.say(
          fmt::format("nothing is kept, neither results nor this session: {}", state_.not_kept),
          Role::kWarn);
    }
    apply(effects);
  }

  void restore(Effects& effects) {
    try {
      const std::optional<SavedSession> session = open_store().load_session(state_.session);
      if (!session) {
        if (state_.session != "main") state_.say(fmt::format("session {} begins", state_.session));
        return;
      }
      restore_session(state_, session->state, effects);
      state_.say(
          fmt::format("session {}, as it was left on {}", printable(session->name), session->date));
    } catch (const Error& error) {
      keeps_session_ = false;
      state_.say(fmt::format("session {} does not come back and is left as it is (--fresh begins "
                             "it anew): {}",
                             printable(state_.session), error.message()),
                 Role::kWarn);
    }
  }

  void use_machine(const MachineRef& machine) {
    state_.machine = machine;
    if (!state_.lab.form.machine || state_.lab.form.machine->argument == machine->argument) return;
    LabForm form = state_.lab.form;
    form.machine = machine;
    settle_config(form);
    replace_form(state_, form);
  }

  void apply(const SessionEffect& effect) {
    keeper_.reset();  // what it has is older
    if (std::string failure = keep_session(); !failure.empty()) {
      state_.say(std::move(failure), Role::kBad);
      return;
    }
    open_session(effect.name, false);
    terminal_->set_mouse(state_.look.mouse);
  }

  void apply(const SubmitEffect& effect) { jobs_.submit(effect.id, effect.title, effect.request); }
  void apply(const CancelEffect& effect) { jobs_.cancel(effect.id); }
  void apply(const SteerEffect& effect) { jobs_.steer(effect.id, effect.command); }
  void apply(const SuspendEffect&) { suspend(); }
  void apply(const RedrawEffect&) { terminal_->redraw(); }
  void apply(const AppearanceEffect&) { terminal_->set_mouse(state_.look.mouse); }
  void apply(const QuitEffect&) { is_over_ = true; }

  void apply(const CopyEffect& effect) {
    terminal_->copy(effect.text);
    tell_copied(state_, effect.text);
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
  HomeClock home_clock_;
  std::unique_ptr<Terminal> terminal_;
  State state_;
  std::set<int64_t> showing_;    ///< jobs at work that have shown something
  std::set<int64_t> restoring_;  ///< jobs that bring back a session and have shown nothing yet
  bool is_touched_ = false;      ///< since the session was kept
  double kept_at_ = 0;
  std::string kept_;                       ///< what the session was then
  std::unique_ptr<SessionKeeper> keeper_;  ///< none before there is something to keep
  bool keeps_session_ = true;              ///< false where what is stored did not come back
  bool is_over_ = false;
  bool is_continuing_ = false;
  int status_ = 0;
  JobRunner jobs_;
};

}  // namespace

WorkbenchEnd run_workbench(const WorkbenchOptions& options) {
  auto workbench = std::make_unique<Workbench>(options);
  const WorkbenchEnd end = workbench->run();
  // Its end would wait for the workers.
  if (end.is_busy) static_cast<void>(workbench.release());
  return end;
}

}  // namespace tilewright
