#include "tuner/evaluate/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kStopIntervalMs = 50;

/// An open file of this process, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

/// `number` when it is one; Error with the reason of the system otherwise.
int checked(int number, std::string_view what) {
  if (number >= 0) return number;
  throw Error(ErrorKind::kFailed, fmt::format("cannot {} for a command: {}", what,
                                              std::generic_category().message(errno)));
}

struct Pipe {
  Descriptor read;
  Descriptor write;
};

/// Its ends are never 0, 1 or 2, which the child replaces, even where this process has closed
/// those.
Pipe make_pipe() {
  int ends[2];
  checked(::pipe2(ends, O_CLOEXEC), "make a pipe");
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  for (Descriptor* end : {&pipe.read, &pipe.write}) {
    if (end->number() > STDERR_FILENO) continue;
    Descriptor moved(
        checked(::fcntl(end->number(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1), "make a pipe"));
    std::swap(*end, moved);
  }
  return pipe;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything that the child needs, made before it: between fork and exec nothing may allocate or
/// take a lock.
struct Start {
  const char* program;
  char* const* words;
  char* const* environment;
  int out;
  int err;
  int report;  ///< where errno goes when exec fails
  rlim_t memory;
  pid_t parent;
};

/// In the child.
[[noreturn]] void become(const Start& start) {
  const auto fail = [&] {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(start.report, &error, sizeof error);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != start.parent) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0) fail();
  if (::dup2(start.out, STDOUT_FILENO) < 0 || ::dup2(start.err, STDERR_FILENO) < 0) fail();
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const rlimit memory = {start.memory, start.memory};
  if (start.memory > 0 && ::setrlimit(RLIMIT_AS, &memory) != 0) fail();
  ::execve(start.program, start.words, start.environment);
  fail();
  ::_exit(127);
}

/// A running child with its pipes, and the loop that watches it.
class Child {
 public:
  Child(const ChildLimits& limits, const std::function<bool()>& stop)
      : limits_(limits), stop_(stop) {}
  ~Child() {
    if (process_ > 0) end();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// False, with the reason in the result, when the program cannot be started.
  bool start(std::vector<std::string> words, std::vector<std::string> environment,
             const std::string& program) {
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    Pipe report = make_pipe();
    const std::vector<char*> word_pointers = pointers_to(words);
    const std::vector<char*> environment_pointers = pointers_to(environment);
    const Start start{program.c_str(),
                      word_pointers.data(),
                      environment_pointers.data(),
                      out.write.number(),
                      err.write.number(),
                      report.write.number(),
                      static_cast<rlim_t>(limits_.memory_bytes),
                      ::getpid()};
    process_ = ::fork();
    if (process_ == 0) become(start);
    checked(process_, "start a process");
    report.write.close();
    out_ = std::move(out.read);
    err_ = std::move(err.read);
    for (const Descriptor* end : {&out_, &err_}) {
      checked(::fcntl(end->number(), F_SETFL, O_NONBLOCK), "prepare a pipe");
    }
    int error = 0;
    ssize_t count = 0;
    do {
      count = ::read(report.read.number(), &error, sizeof error);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return true;
    end();
    result_.end = ChildEnd::kNotStarted;
    result_.code = error;
    return false;
  }

  /// Until it ends or must be ended.
  ChildResult watch() {
    const Descriptor timer = armed_timer();
    // glibc 2.36 declares pidfd_open for C only.
    const auto opened = static_cast<int>(::syscall(SYS_pidfd_open, process_, 0));
    const Descriptor life(checked(opened, "watch a process"));
    ChildEnd why = ChildEnd::kExited;
    for (;;) {
      pollfd files[] = {{life.number(), POLLIN, 0},
                        {timer.number(), POLLIN, 0},
                        {out_.number(), POLLIN, 0},
                        {err_.number(), POLLIN, 0}};
      ::poll(files, std::size(files), stop_ ? kStopIntervalMs : -1);
      read_all();
      if (flooded_) why = ChildEnd::kOutputLimit;
      if (files[0].revents != 0) break;
      if (files[1].revents != 0 && !flooded_) why = ChildEnd::kTimeLimit;
      if (stop_ && stop_()) why = ChildEnd::kStopped;
      if (why != ChildEnd::kExited) break;
    }
    const int status = end();
    read_all();  // what was written up to the end
    if (flooded_ && why == ChildEnd::kExited) why = ChildEnd::kOutputLimit;
    const bool by_signal = WIFSIGNALED(status);
    result_.end = why == ChildEnd::kExited && by_signal ? ChildEnd::kSignal : why;
    result_.code = by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    return std::move(result_);
  }

  ChildResult take_result() { return std::move(result_); }

 private:
  Descriptor armed_timer() const {
    Descriptor timer(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "make a timer"));
    itimerspec when = {};
    const double seconds = std::max(limits_.seconds, 1e-3);
    when.it_value.tv_sec = static_cast<time_t>(seconds);
    when.it_value.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
    checked(::timerfd_settime(timer.number(), 0, &when, nullptr), "set a timer");
    return timer;
  }

  /// Kills the group before its leader is waited for: until then its number belongs to nobody else.
  int end() {
    ::kill(-process_, SIGKILL);
    ::kill(process_, SIGKILL);
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return status;
  }

  void read_all() {
    read_some(out_, result_.out);
    read_some(err_, result_.err);
  }

  /// What is there now, at most up to the limit.
  void read_some(Descriptor& from, std::string& to) {
    char buffer[16384];
    while (from.is_open() && !flooded_) {
      const ssize_t count = ::read(from.number(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        from.close();
        return;
      }
      const auto room = limits_.output_bytes - std::ssize(result_.out) - std::ssize(result_.err);
      flooded_ = count > room;
      to.append(buffer, static_cast<size_t>(std::min<int64_t>(count, room)));
    }
  }

  const ChildLimits& limits_;
  const std::function<bool()>& stop_;
  ChildResult result_;
  Descriptor out_;
  Descriptor err_;
  pid_t process_ = -1;
  bool flooded_ = false;
};

}  // namespace

std::string find_program(std::string_view name, std::span<const std::string> environment) {
  if (name.find('/') != std::string_view::npos) return std::string(name);
  constexpr std::string_view kPath = "PATH=";
  const auto path =
      std::ranges::find_if(environment, [&](const std::string& v) { return v.starts_with(kPath); });
  if (name.empty() || path == environment.end()) return "";
  for (const std::string_view folder : split(std::string_view(*path).substr(kPath.size()), ':')) {
    std::string file = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

ChildResult run_child(std::span<const std::string> words, std::span<const std::string> environment,
                      const ChildLimits& limits, const std::function<bool()>& stop) {
  const std::string program = find_program(words.front(), environment);
  if (program.empty()) return {ChildEnd::kNotStarted, ENOENT, "", ""};
  Child child(limits, stop);
  if (!child.start({words.begin(), words.end()}, {environment.begin(), environment.end()},
                   program)) {
    return child.take_result();
  }
  return child.watch();
}

}  // namespace tilewright
