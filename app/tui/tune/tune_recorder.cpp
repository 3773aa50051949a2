#include "app/tui/tune/tune_recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/lab/lab_figures.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kMostReasons = 50;
constexpr size_t kReasonLength = 160;
/// The pace is that of the last seconds.
constexpr double kPaceSeconds = 10;

/// What random draws would be expected to find needs the time of every config.
std::shared_ptr<const RandomBaseline> random_of(const TuneProblemView& problem) {
  if (!problem.spaces || problem.spaces->size == 0) return nullptr;
  int64_t known = 0;
  std::vector<double> times;
  for (size_t row = 0; row < problem.trials.size(); ++row) {
    const SeenTrial& trial = problem.trials.trial(row);
    if (trial.is_screened) continue;
    if (!problem.spaces->searched.violation(problem.config(row)).empty()) continue;
    ++known;
    if (trial.is_exact()) times.push_back(trial.time_us);
  }
  if (known < problem.spaces->size || times.empty()) return nullptr;
  return std::make_shared<const RandomBaseline>(std::move(times));
}

std::string command_text(const TuneCommand& command) {
  switch (command.kind) {
    case TuneCommand::Kind::kPause:
      return "pause";
    case TuneCommand::Kind::kResume:
      return "go on";
    case TuneCommand::Kind::kStop:
      return "stop";
    case TuneCommand::Kind::kBudget:
      return command.evaluations == 0
                 ? "budget: no limit"
                 : fmt::format("budget: {} configs", format_count(command.evaluations));
    case TuneCommand::Kind::kStrategy:
      return "strategy: " + command.text;
    case TuneCommand::Kind::kLimit:
      break;
  }
  std::vector<std::string> limits;
  for (const auto& [name, value] : command.limits.pins) {
    limits.push_back(fmt::format("pin {}={}", name, value));
  }
  for (const auto& [name, value] : command.limits.bans) {
    limits.push_back(fmt::format("ban {}={}", name, value));
  }
  return join(limits, ", ");
}

}  // namespace

std::string brief_config(const TuneProblemView& problem, const Config& config) {
  const bool has_labels = std::ranges::any_of(
      problem.parameters, [](const Parameter& parameter) { return !parameter.labels.empty(); });
  return has_labels ? problem.config_text(config) : short_config(config);
}

TuneRecorder::TuneRecorder(TuneView header, Describe describe)
    : view_(std::move(header)), describe_(std::move(describe)) {}

TuneRecorder::Entry& TuneRecorder::entry_of(const std::string& problem) {
  const auto [place, is_new] = places_.try_emplace(problem, entries_.size());
  if (is_new) entries_.emplace_back().now.problem = problem;
  return entries_[place->second];
}

TuneRecorder::Entry& TuneRecorder::entry_of(const Problem& problem) {
  Entry& entry = entry_of(problem.text());
  entry.is_changed = true;
  return entry;
}

void TuneRecorder::expect(const std::string& problem, std::string ops, int64_t planned) {
  Entry& entry = entry_of(problem);
  std::string& all = entry.now.ops;
  if (!ops.empty()) all += (all.empty() ? "" : ",") + ops;
  entry.now.planned = planned;
}

void TuneRecorder::go_on_from(const TuneView& before) {
  before_seconds_ = before.seconds;
  pace_.clear();
  for (const auto& problem : before.problems) {
    Entry& entry = entry_of(problem->problem);
    if (!entry.now.parameters.empty()) continue;  // its search goes on already
    entry.before = problem;
    entry.now.parameters = problem->parameters;
    take_over(entry, *problem, problem->tried);
  }
}

/// The first `most` tries of what there was before.
void TuneRecorder::take_over(Entry& entry, const TuneProblemView& before, int64_t most) {
  TuneProblemView& now = entry.now;
  now.trials = TrialTable(now.parameters.size());
  for (size_t row = 0; row < before.trials.size() && before.trials.trial(row).number <= most;
       ++row) {
    add_trial(entry, before.config(row), before.trials.trial(row));
  }
  now.tried = std::min(before.tried, most);
  now.baseline_us = before.baseline_us;
  entry.is_changed = true;
}

/// The tries of a search that begins once more, as those of families do, come again; `tried` are
/// those of a run that is resumed.
void TuneRecorder::begin(Entry& entry, const Problem& problem, int64_t tried) {
  TuneProblemView& now = entry.now;
  kept_ -= static_cast<int64_t>(now.trials.size());
  if (!entry.is_known) {
    ProblemFacts facts = describe_(problem);
    now.parameters = std::move(facts.parameters);
    now.spaces = std::move(facts.spaces);
    now.bound_us = facts.bound_us;
    entry.is_known = true;
  }
  now.trials = TrialTable(now.parameters.size());
  now.tried = now.cached = now.screened = now.failed = 0;
  now.best_us = 0;
  now.has_ended = false;
  if (entry.before && tried > 0) take_over(entry, *entry.before, tried);
  entry.before.reset();
}

void TuneRecorder::add_trial(Entry& entry, const Config& config, const SeenTrial& trial) {
  TuneProblemView& now = entry.now;
  now.tried = trial.number;
  now.screened += trial.is_screened ? 1 : 0;
  now.failed += trial.time_us > 0 ? 0 : 1;
  const bool is_best = trial.is_exact() && (now.best_us == 0 || trial.time_us < now.best_us);
  if (is_best) {
    now.best_us = trial.time_us;
    now.best_at = trial.number;
    now.best = config;
  }
  std::vector<int64_t> values;
  for (const auto& [name, value] : config.values) values.push_back(value);
  const bool fits = values.size() == now.parameters.size();
  if (!fits || (kept_ >= kMostTrialsKept && !is_best)) {
    ++view_.left_out;
    return;
  }
  ++kept_;
  now.trials.add(trial, values);
}

std::string TuneRecorder::prefix(const Problem& problem) const {
  return entries_.size() > 1 ? short_problem(problem) + ": " : "";
}

void TuneRecorder::say_best(const Entry& entry, const TuneEvent& event, double seconds) {
  note(fmt::format("{}best {} {} ({})", prefix(*event.problem), format_us(event.best_us),
                   brief_config(entry.now, *event.config), event.proposer),
       seconds);
}

double TuneRecorder::at_work(double seconds) const {
  return before_seconds_ + (view_.phase == TunePhase::kPaused ? paused_at_ : seconds) -
         paused_seconds_;
}

void TuneRecorder::pause(double seconds) {
  if (view_.phase == TunePhase::kPaused) return;
  paused_at_ = seconds;
  view_.phase = TunePhase::kPaused;
}

void TuneRecorder::go_on(double seconds) {
  if (view_.phase == TunePhase::kPaused) paused_seconds_ += seconds - paused_at_;
  view_.phase = TunePhase::kRunning;
}

void TuneRecorder::set_phase(TunePhase phase, double seconds) {
  go_on(seconds);
  view_.phase = phase;
}

void TuneRecorder::answer(const TuneEvent& event, double seconds) {
  if (asked_.empty()) return;
  const TuneCommand command = std::move(asked_.front());
  asked_.pop_front();
  if (!event.text.empty()) {
    note(fmt::format("{}: {}", command_text(command), event.text), seconds, true);
    return;
  }
  note(command_text(command), seconds);
  if (command.kind == TuneCommand::Kind::kPause) pause(seconds);
  if (command.kind == TuneCommand::Kind::kResume) go_on(seconds);
  if (command.kind == TuneCommand::Kind::kStrategy) view_.strategy = command.text;
  if (command.kind != TuneCommand::Kind::kBudget) return;
  view_.budget = command.evaluations;
  for (Entry& entry : entries_) {
    if (!entry.now.has_ended) entry.now.planned = command.evaluations;
    entry.is_changed = true;
  }
}

void TuneRecorder::take(const TuneEvent& event, double seconds) {
  switch (event.kind) {
    case TuneEventKind::kPhase:
      return note(std::string(event.text), seconds);
    case TuneEventKind::kControl:
      return answer(event, seconds);
    case TuneEventKind::kRoundEnd:
      return;
    default:
      break;
  }
  Entry& entry = entry_of(*event.problem);
  if (event.kind == TuneEventKind::kProblemBegin || !entry.is_known) {
    begin(entry, *event.problem, event.tried);
  }
  TuneProblemView& now = entry.now;
  now.planned = event.planned;
  if (event.baseline_us > 0) now.baseline_us = event.baseline_us;
  if (event.kind == TuneEventKind::kProblemEnd) return end(entry);
  if (event.kind == TuneEventKind::kNewBest) return say_best(entry, event, seconds);
  if (event.kind != TuneEventKind::kTrial) return;
  SeenTrial trial;
  trial.number = now.tried + 1;
  trial.is_screened = event.screened;
  trial.set(*event.measurement);
  now.cached += event.from_cache && !event.screened ? 1 : 0;
  add_trial(entry, *event.config, trial);
  const std::string& reason = event.measurement->reason;
  if (event.measurement->status == AttemptStatus::kOk || reasons_.size() >= kMostReasons) return;
  if (!reasons_.insert(printable(reason, kReasonLength)).second) return;
  note(fmt::format("{}{}: {} ({})", prefix(*event.problem), name_of(event.measurement->status),
                   printable(reason, kReasonLength), brief_config(now, *event.config)),
       seconds, true);
}

void TuneRecorder::take(const Problem& problem, const Config& config,
                        const Measurement& measurement, bool is_screened, bool is_baseline) {
  Entry& entry = entry_of(problem);
  if (!entry.is_known) begin(entry, problem, 0);
  TuneProblemView& now = entry.now;
  if (now.parameters.empty()) {  // nobody but the configs says which parameters there are
    for (const auto& [name, value] : config.values) now.parameters.push_back({name, "", {}});
    now.trials = TrialTable(now.parameters.size());
  }
  if (is_baseline && measurement.status == AttemptStatus::kOk) {
    now.baseline_us = measurement.time_us;
  }
  SeenTrial trial;
  trial.number = now.tried + 1;
  trial.is_screened = is_screened;
  trial.set(measurement);
  const double before = now.best_us;
  add_trial(entry, config, trial);
  if (now.best_us == before) return;
  note(fmt::format("{}best {} {}", prefix(problem), format_us(now.best_us),
                   brief_config(now, config)),
       -1);
}

void TuneRecorder::asked(const TuneCommand& command) {
  asked_.push_back(command);
}

void TuneRecorder::note(std::string text, double seconds, bool is_warning) {
  int64_t tried = 0;
  for (const Entry& entry : entries_) tried += entry.now.tried;
  if (view_.log.size() >= kMostLogLines) view_.log.erase(view_.log.begin());
  view_.log.push_back(
      {seconds < 0 ? seconds : at_work(seconds), tried, std::move(text), is_warning});
}

void TuneRecorder::end(Entry& entry) {
  entry.now.has_ended = true;
  entry.is_changed = true;
  entry.now.random = random_of(entry.now);
}

void TuneRecorder::end_all() {
  for (Entry& entry : entries_) {
    if (entry.is_known && !entry.now.has_ended) end(entry);
  }
}

void TuneRecorder::finish(const TuneResult& result) {
  for (const TunedProblem& tuned : result.problems) {
    Entry& entry = entry_of(tuned.problem->problem);
    if (!tuned.found || !entry.is_known) continue;
    entry.now.best = tuned.config;
    entry.now.best_us = tuned.time_us;
    if (tuned.regret) entry.now.regret = *tuned.regret;
  }
  for (const FamilyTable& family : result.families) {
    for (const FamilyRangeResult& range : family.ranges) {
      view_.ranges.push_back(
          {range.m_min, range.m_max, short_config(range.config), range.worst_regret});
    }
  }
}

TuneView TuneRecorder::view(double wall_seconds) {
  const double seconds = at_work(wall_seconds);
  view_.seconds = seconds;
  view_.tried = view_.planned = 0;
  view_.problems.clear();
  bool is_bounded = true;
  for (Entry& entry : entries_) {
    if (entry.is_changed) entry.shown = std::make_shared<const TuneProblemView>(entry.now);
    entry.is_changed = false;
    view_.problems.push_back(entry.shown);
    view_.tried += entry.now.tried;
    // A search that was cut short has more before it than it did.
    const bool is_whole = entry.now.has_ended && view_.phase == TunePhase::kDone;
    view_.planned += is_whole              ? entry.now.tried
                     : entry.now.has_ended ? std::max(entry.now.tried, entry.now.planned)
                                           : entry.now.planned;
    is_bounded = is_bounded && (entry.now.planned > 0 || entry.now.has_ended);
  }
  if (!is_bounded) view_.planned = 0;
  pace_.emplace_back(seconds, view_.tried);
  while (pace_.front().first < seconds - kPaceSeconds) pace_.pop_front();
  const double passed = seconds - pace_.front().first;
  const auto more = static_cast<double>(view_.tried - pace_.front().second);
  const bool is_at_work = view_.is_live() && view_.phase != TunePhase::kPaused;
  view_.per_second = passed > 0 && is_at_work ? more / passed : 0;
  return view_;
}

}  // namespace tilewright
