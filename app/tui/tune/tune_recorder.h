#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/tui/tune/tune_view.h"
#include "tuner/session/session.h"

namespace tilewright {

/// What a problem is made of, beyond its tries.
struct ProblemFacts {
  std::vector<Parameter> parameters;
  std::shared_ptr<const TuneSpaces> spaces;  // null: not known; shared with the views
  double bound_us = 0;                       ///< 0: none is known
};

/// Turns what a session reports into views of it. Time is told to it, in seconds since the begin.
class TuneRecorder {
 public:
  /// Facts about a problem when its search begins; they take milliseconds.
  using Describe = std::function<ProblemFacts(const Problem&)>;

  /// `header` says what is tuned and how.
  TuneRecorder(TuneView header, Describe describe);

  /// A problem whose search has not begun.
  void expect(const std::string& problem, std::string ops, int64_t planned);
  /// The session goes on with a run: what that tried before, and the time it took, count.
  void go_on_from(const TuneView& before);
  void take(const TuneEvent& event, double seconds);
  /// A try from a database. `is_last_word`: its time may win.
  void take(const Problem& problem, const Config& config, const Measurement& measurement,
            bool is_screened, bool is_baseline);
  /// A command is on its way to the session, which will answer it with an event.
  void asked(const TuneCommand& command);
  void note(std::string text, double seconds, bool is_warning = false);
  /// A pause that lasts is over with it.
  void set_phase(TunePhase phase, double seconds);
  /// The result of the search: winners of families, and that every search has ended.
  void finish(const TuneResult& result);
  /// No search goes on; what random draws would find is worked out where it can be.
  void end_all();

  TunePhase phase() const { return view_.phase; }
  TuneView& header() { return view_; }
  /// What there is to see now. It shares what did not change with the one before.
  TuneView view(double wall_seconds);

 private:
  struct Entry {
    TuneProblemView now;
    std::shared_ptr<const TuneProblemView> shown;  // shared with views
    /// What the run tried before it was resumed, until the search begins; shared with its view.
    std::shared_ptr<const TuneProblemView> before;
    bool is_known = false;  ///< its facts are there
    bool is_changed = true;
  };

  Entry& entry_of(const Problem& problem);
  Entry& entry_of(const std::string& problem);
  void begin(Entry& entry, const Problem& problem, int64_t tried);
  void take_over(Entry& entry, const TuneProblemView& before, int64_t most);
  void add_trial(Entry& entry, const Config& config, const SeenTrial& trial);
  void say_best(const Entry& entry, const TuneEvent& event, double seconds);
  void answer(const TuneEvent& event, double seconds);
  void pause(double seconds);
  void go_on(double seconds);
  void end(Entry& entry);
  /// Seconds at work: a pause does not count.
  double at_work(double seconds) const;
  /// "m=512 n=4096 k=4096: " where there are several problems.
  std::string prefix(const Problem& problem) const;

  TuneView view_;
  Describe describe_;
  std::vector<Entry> entries_;
  std::map<std::string, size_t, std::less<>> places_;  ///< of problems by their texts
  std::deque<TuneCommand> asked_;                      ///< not answered yet
  std::set<std::string> reasons_;                      ///< of failures that the log has
  std::deque<std::pair<double, int64_t>> pace_;        ///< seconds and tries of late
  int64_t kept_ = 0;
  double before_seconds_ = 0;  ///< that the run took before it was resumed
  double paused_at_ = 0;       ///< seconds since the begin, of the pause that lasts
  double paused_seconds_ = 0;  ///< of the pauses before
};

/// A config in few letters: the values alone, with labels where it has some.
std::string brief_config(const TuneProblemView& problem, const Config& config);

}  // namespace tilewright
