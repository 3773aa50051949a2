#include "tuner/session/session.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "tuner/session/active_search.h"
#include "tuner/session/family.h"
#include "tuner/session/problem_search.h"
#include "tuner/session/session_history.h"
#include "tuner/session/transfer.h"
#include "tuner/session/trial_runner.h"

namespace tilewright {

namespace {

/// Problems searched side by side: with the batch of each the work between two points where all
/// threads wait for each other. The next ones begin when all of these have ended, so that what they
/// learn from them does not depend on how fast each was.
constexpr size_t kProblemsSideBySide = 8;

class Session {
 public:
  Session(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool,
          Store& store, int64_t run_id, const TuneOptions& options, const TuneHooks& hooks)
      : problems_(problems),
        store_(store),
        run_id_(run_id),
        options_(options),
        hooks_(hooks),
        runner_(problems, key_of, pool, store, run_id, hooks),
        started_(seconds()) {
    if (options.screening) {
      screener_.emplace(problems, key_of, *options.screening, store, run_id, hooks);
    }
    transfer_.emplace(store, problems, evaluators());
    history_.emplace(store, options.resumed_run, options.earlier_run);
    const auto is_kept = [this](const MeasurementKey& key, std::string_view proposer) {
      return history_->has(key, proposer);
    };
    runner_.leave_out(is_kept);
    if (screener_) screener_->leave_out(is_kept);
    result_.problems.resize(problems.size());
    near_.resize(problems.size());
    for (size_t i = 0; i < problems.size(); ++i) {
      result_.problems[i].problem = &problems[i];
      progress_.total += estimate(problems[i]);
    }
  }

  TuneResult run() {
    for (size_t first = 0; first < problems_.size() && !stopped(); first += kProblemsSideBySide) {
      search_side_by_side(first, std::min(first + kProblemsSideBySide, problems_.size()));
    }
    if (options_.max_regret && !stopped()) unify_families();
    save_winners();
    return std::move(result_);
  }

 private:
  double seconds() const { return hooks_.seconds ? hooks_.seconds() : 0; }

  std::vector<std::string> evaluators() const {
    std::vector<std::string> ids = {runner_.evaluator_id()};
    if (screener_) ids.push_back(screener_->evaluator_id());
    return ids;
  }

  /// Also notes why. Called by one thread at a time.
  bool stopped() {
    if (hooks_.stop && hooks_.stop()) result_.interrupted = true;
    if (options_.max_seconds > 0 && hooks_.seconds &&
        seconds() - started_ >= options_.max_seconds) {
      result_.out_of_time = true;
    }
    return result_.interrupted || result_.out_of_time;
  }

  /// Configs that will be tried, before the space has been walked.
  int64_t estimate(const TuneProblem& problem) const {
    constexpr int64_t kMany = int64_t{1} << 40;
    const int64_t all = std::min(problem.space.product_size(), kMany) + 1 +
                        static_cast<int64_t>(problem.seeds.size());
    return options_.max_evaluations > 0 ? std::min(options_.max_evaluations, all) : all;
  }

  void search_side_by_side(size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) begin(i);
    count(replay(active_, options_.batch));
    for (size_t i = first; i < last; ++i) {
      progress_.total += active_.at(i).search->planned() - estimate(problems_[i]);
      report(event(i, TuneEventKind::kProblemBegin));
    }
    while (obey(), !stopped()) {
      const std::vector<AskedTrial> asked = ask_round();
      if (asked.empty()) break;
      run_round(asked);
      report({.kind = TuneEventKind::kRoundEnd});
    }
    for (size_t i = first; i < last; ++i) end(i);
    active_.clear();
  }

  void begin(size_t index) {
    const TuneProblem& problem = problems_[index];
    const Series series = runner_.series(index);
    Foreknowledge known;
    known.incumbent = history_->incumbent(series, problem.space);
    if (known.incumbent && !runner_.find(index, *known.incumbent)) known.incumbent.reset();
    auto space = std::make_unique<SpaceIndex>(problem.space);
    if (options_.transfer) {
      auto hints = history_->hints(series, problem.space);
      if (!hints) {
        hints = transfer_->hints(problem.problem, series, *space, options_.max_evaluations);
      }
      known.hints = std::move(*hints);
      known.elsewhere = transfer_->failures(series, problem.space);
    }
    ActiveSearch& active = active_[index];
    active.search =
        std::make_unique<ProblemSearch>(problem, std::move(space), options_, std::move(known));
    if (!limits_.empty()) active.search->change(options_, limits_);
    active.past = history_->trials(series, problem.space, evaluators());
  }

  /// Trials of the run that is resumed.
  void count(const ReplayCounts& replayed) {
    result_.cache_hits += replayed.measured;
    result_.screened += replayed.screened;
    result_.replayed += replayed.measured + replayed.screened;
    progress_.done += replayed.measured + replayed.screened;
  }

  void end(size_t index) {
    ActiveSearch& active = active_.at(index);
    if (!active.has_ended) finish(index, active);
    const TunedProblem& tuned = result_.problems[index];
    if (tuned.found)
      transfer_->add(problems_[index].problem, problems_[index].space.text(tuned.config));
  }

  void finish(size_t index, ActiveSearch& active) {
    active.has_ended = true;
    count(settle(active));
    result_.problems[index] = active.search->result();
    if (options_.max_regret) near_[index] = active.search->near_winners(*options_.max_regret);
    if (options_.analyse) result_.problems[index].analysis = active.search->analysis();
    report(event(index, TuneEventKind::kProblemEnd));
  }

  /// Gives problems that differ in m alone as few configs as will do.
  void unify_families() {
    const FamilyTimer time = [&](const std::vector<FamilyTrial>& trials) {
      std::vector<AskedTrial> asked;
      for (const FamilyTrial& trial : trials) {
        asked.push_back({trial.problem, trial.config, "family"});
      }
      std::vector<double> times_us;
      runner_.run(
          asked,
          [&](size_t, const Measurement& measurement, bool from_cache) {
            (from_cache ? result_.cache_hits : result_.evaluations) += 1;
            times_us.push_back(measurement.time_us);
          },
          [&] { return stopped(); });
      return times_us;
    };
    for (const std::vector<size_t>& family : families_of(problems_)) {
      TuneEvent phase;
      phase.kind = TuneEventKind::kPhase;
      phase.text = "sharing configs between numbers of rows";
      report(phase);
      FamilyTable table = unify(family, near_, *options_.max_regret, time, result_.problems);
      if (!table.ranges.empty()) result_.families.push_back(std::move(table));
    }
  }

  std::vector<AskedTrial> ask_round() {
    std::vector<AskedTrial> asked;
    for (auto& [index, active] : active_) {
      if (active.has_ended) continue;
      ProblemSearch& search = *active.search;
      const int64_t planned = search.planned();
      ReplayCounts replayed;
      const std::vector<Candidate> candidates = next(active, options_.batch, replayed);
      count(replayed);
      for (const Candidate& candidate : candidates) {
        asked.push_back({index, candidate.config, candidate.proposer});
      }
      progress_.total += search.planned() - planned;
      if (candidates.empty()) finish(index, active);
    }
    return asked;
  }

  void run_round(std::vector<AskedTrial> asked) {
    const auto stop = [&] { return stopped(); };
    if (screener_ && !screen(asked, stop)) return;
    runner_.run(
        asked,
        [&](size_t i, const Measurement& measurement, bool from_cache) {
          tell(asked[i], measurement, from_cache);
        },
        stop);
  }

  /// Lets the cheaper evaluator answer what is too slow by it. False when stopped before all was
  /// looked at.
  bool screen(std::vector<AskedTrial>& asked, const std::function<bool()>& stop) {
    std::vector<AskedTrial> looks;
    std::vector<size_t> looked_at;
    for (size_t i = 0; i < asked.size(); ++i) {
      const Problem& problem = problems_[asked[i].problem].problem;
      if (options_.can_screen && !options_.can_screen(problem, asked[i].config)) continue;
      looks.push_back(asked[i]);
      looks.back().proposer = kScreening;
      looked_at.push_back(i);
    }
    std::vector<std::optional<Measurement>> found(asked.size());
    size_t answers = 0;
    screener_->run(
        looks,
        [&](size_t i, const Measurement& measurement, bool) {
          found[looked_at[i]] = measurement;
          ++answers;
        },
        stop);
    if (answers < looks.size()) return false;
    tilewright::screen(active_, asked, found, screener_->evaluator_id());
    return true;
  }

  void tell(const AskedTrial& trial, Measurement measurement, bool from_cache) {
    ActiveSearch& active = active_.at(trial.problem);
    ProblemSearch& search = *active.search;
    const double best_before = search.best_us();
    ResultKind kind = from_cache ? ResultKind::kCached : ResultKind::kMeasured;
    if (trial.screened) {
      kind = ResultKind::kScreened;
      measurement.time_us = active.ladder.predicted(measurement.time_us);
    } else if (screener_ && measurement.status == AttemptStatus::kOk) {
      active.ladder.measured(trial.config.text(), measurement.time_us);
    }
    search.tell({trial.config, trial.proposer}, measurement, kind);
    if (settle(active, trial.config)) ++result_.replayed;
    (trial.screened ? result_.screened
     : from_cache   ? result_.cache_hits
                    : result_.evaluations) += 1;
    report_trial(trial, measurement, from_cache, search.best_us() != best_before);
    if (!hooks_.progress) return;
    progress_.evaluations = result_.evaluations;
    progress_.cache_hits = result_.cache_hits;
    progress_.problem = problems_[trial.problem].problem.text();
    progress_.best_us = search.best_us();
    progress_.baseline_us = search.baseline_us();
    ++progress_.done;
    hooks_.progress(progress_);
  }

  void report(const TuneEvent& event) const {
    if (hooks_.event) hooks_.event(event);
  }

  TuneEvent event(size_t index, TuneEventKind kind) const {
    return event_of(active_.at(index), index, problems_[index].problem, kind);
  }

  void report_trial(const AskedTrial& trial, const Measurement& measurement, bool from_cache,
                    bool is_best) const {
    if (!hooks_.event) return;
    TuneEvent told = event(trial.problem, TuneEventKind::kTrial);
    told.config = &trial.config;
    told.proposer = trial.proposer;
    told.measurement = &measurement;
    told.from_cache = from_cache;
    told.screened = trial.screened.has_value();
    report(told);
    told.kind = TuneEventKind::kNewBest;
    if (is_best) report(told);
  }

  /// Does what somebody who watches wants; waits while the session is paused.
  void obey() {
    if (!hooks_.control) return;
    bool paused = false;
    do {
      for (const TuneCommand& command : hooks_.control(paused)) {
        if (command.kind == TuneCommand::Kind::kPause) paused = true;
        if (command.kind == TuneCommand::Kind::kResume) paused = false;
        if (command.kind == TuneCommand::Kind::kStop) result_.interrupted = true;
        obey(command);
      }
    } while (paused && !stopped());
  }

  void obey(const TuneCommand& command) {
    TuneOptions options = options_;
    if (command.kind == TuneCommand::Kind::kBudget) options.max_evaluations = command.evaluations;
    if (command.kind == TuneCommand::Kind::kStrategy) options.strategy = command.text;
    const bool changes = command.kind == TuneCommand::Kind::kBudget ||
                         command.kind == TuneCommand::Kind::kStrategy ||
                         command.kind == TuneCommand::Kind::kLimit;
    TuneEvent answer;
    answer.kind = TuneEventKind::kControl;
    std::string refusal;
    if (changes) {
      const int64_t before = planned();
      for (auto& [index, active] : active_) {
        if (!active.has_ended) count(settle(active));
      }
      refusal = change(active_, options, command.limits);
      progress_.total += planned() - before;
      answer.text = refusal;
    }
    if (changes && refusal.empty()) {
      options_ = options;
      limits_.add(command.limits);
    }
    report(answer);
  }

  int64_t planned() const {
    int64_t sum = 0;
    for (const auto& [index, active] : active_) sum += active.search->planned();
    return sum;
  }

  /// The rows that a resumed run leaves are of all its parts.
  void save_winners() {
    std::map<std::string, TrialCounts> whole;
    if (options_.resumed_run > 0) whole = store_.trial_counts(run_id_, kScreening);
    std::vector<Winner> winners;
    std::map<std::pair<std::string, std::string>, size_t> saved;
    for (size_t i = 0; i < problems_.size(); ++i) {
      const TunedProblem& tuned = result_.problems[i];
      if (!tuned.found || !beats_apart(tuned, result_)) continue;
      Winner winner = winner_row(tuned, runner_.key(i, tuned.config));
      if (const auto counts = whole.find(winner.problem); counts != whole.end()) {
        winner.evaluations = counts->second.evaluations;
        winner.cache_hits = counts->second.cache_hits;
      }
      const auto [same, is_new] =
          saved.try_emplace({winner.kernel, winner.problem}, winners.size());
      if (is_new) {
        winners.push_back(std::move(winner));
      } else {  // the same problem for other ops of the model
        std::vector<std::string>& ops = winners[same->second].ops;
        ops.insert(ops.end(), winner.ops.begin(), winner.ops.end());
      }
    }
    store_.save_winners(run_id_, winners);
  }

  std::span<const TuneProblem> problems_;
  Store& store_;
  int64_t run_id_;
  TuneOptions options_;
  const TuneHooks& hooks_;
  TrialRunner runner_;
  std::optional<TrialRunner> screener_;
  std::optional<Transfer> transfer_;
  std::optional<SessionHistory> history_;
  std::vector<std::vector<Config>> near_;  // of each problem, with max_regret
  SpaceLimits limits_;                     // that commands gave
  double started_;

  TuneResult result_;
  TuneProgress progress_;
  ActiveSearches active_;
};

}  // namespace

bool beats_apart(const TunedProblem& tuned, const TuneResult& result) {
  const std::optional<TuneApart>& apart = tuned.problem->apart;
  if (!apart) return true;
  const auto other = std::ranges::find_if(result.problems, [&](const TunedProblem& candidate) {
    return candidate.found && candidate.problem->problem.text() == apart->problem;
  });
  return tuned.found && other != result.problems.end() &&
         tuned.time_us < other->time_us + apart->others_us;
}

Winner winner_row(const TunedProblem& tuned, const MeasurementKey& key) {
  Winner winner;
  winner.kernel = key.kernel;
  winner.kernel_revision = key.kernel_revision;
  winner.problem = key.problem;
  winner.ops = tuned.problem->ops;
  winner.evaluator = key.evaluator;
  winner.config = key.config;
  winner.time_us = tuned.time_us;
  winner.baseline_config = tuned.problem->space.text(tuned.problem->baseline);
  winner.baseline_us = tuned.baseline_us;
  winner.runner_up_us = tuned.runner_up_us;
  winner.evaluations = tuned.evaluations;
  winner.cache_hits = tuned.cache_hits;
  winner.complete = tuned.complete;
  winner.confidence = tuned.confidence;
  winner.worst_regret = tuned.regret;
  if (tuned.problem->footprint) winner.footprint = tuned.problem->footprint(tuned.config);
  return winner;
}

TuneResult tune(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool,
                Store& store, int64_t run_id, const TuneOptions& options, const TuneHooks& hooks) {
  return Session(problems, key_of, pool, store, run_id, options, hooks).run();
}

}  // namespace tilewright
