#include "tuner/session/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "tuner/session/problem_search.h"

namespace tilewright {

namespace {

/// Problems searched side by side: with the batch of each the work between two points where all
/// threads wait for each other.
constexpr size_t kProblemsSideBySide = 8;

/// One asked config of a round, with what is known of it.
struct Trial {
  size_t problem;  // index into the session's problems
  Candidate candidate;
  MeasurementKey key;
  std::optional<Measurement> measurement;
  bool from_cache = false;
  size_t evaluation = 0;  // index into the round's evaluations unless it comes from the cache
};

class Session {
 public:
  Session(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool, Store& store, int64_t run_id, const TuneOptions& options, const TuneHooks& hooks)
      : problems_(problems),
        key_of_(key_of),
        pool_(pool),
        evaluator_id_(pool.evaluator_id()),
        store_(store),
        run_id_(run_id),
        options_(options),
        hooks_(hooks),
        started_(seconds()) {
    result_.problems.resize(problems.size());
    for (size_t i = 0; i < problems.size(); ++i) {
      result_.problems[i].problem = &problems[i];
      progress_.total += estimate(problems[i]);
    }
  }

  TuneResult run() {
    while (!stopped()) {
      std::vector<Trial> trials = ask_round();
      if (trials.empty()) break;
      run_round(trials);
    }
    for (auto& [index, search] : active_) result_.problems[index] = search->take_result();
    save_winners();
    return std::move(result_);
  }

 private:
  double seconds() const { return hooks_.seconds ? hooks_.seconds() : 0; }

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

  MeasurementKey key_of(size_t problem, const Config& config) const {
    MeasurementKey key = key_of_(problems_[problem].problem, config);
    key.evaluator = evaluator_id_;
    return key;
  }

  /// The next problems take the places of those that have ended.
  void activate() {
    while (active_.size() < kProblemsSideBySide && next_problem_ < problems_.size()) {
      const size_t index = next_problem_++;
      auto search = std::make_unique<ProblemSearch>(problems_[index], options_, hooks_);
      progress_.total += search->planned() - estimate(problems_[index]);
      active_.emplace(index, std::move(search));
    }
  }

  std::vector<Trial> ask_round() {
    std::vector<Trial> trials;
    do {
      activate();
      for (auto it = active_.begin(); it != active_.end();) {
        const size_t index = it->first;
        ProblemSearch& search = *it->second;
        const int64_t planned = search.planned();
        const std::vector<Candidate> candidates = search.next(options_.batch);
        for (const Candidate& candidate : candidates) {
          trials.push_back(
              {index, candidate, key_of(index, candidate.config), std::nullopt, false, 0});
        }
        progress_.total += search.planned() - planned;
        if (candidates.empty()) result_.problems[index] = search.take_result();
        it = candidates.empty() ? active_.erase(it) : std::next(it);
      }
    } while (trials.empty() && next_problem_ < problems_.size());
    return trials;
  }

  /// Answers trials from the store; returns the first trial of every key that is new.
  std::vector<size_t> look_up(std::vector<Trial>& trials) {
    using Key = std::tuple<std::string, int, std::string, std::string, std::string>;
    std::map<Key, size_t> pending;
    std::vector<size_t> evaluations;
    for (size_t i = 0; i < trials.size(); ++i) {
      Trial& trial = trials[i];
      const MeasurementKey& key = trial.key;
      const auto [found, is_new] = pending.try_emplace(
          {key.kernel, key.kernel_revision, key.problem, key.config, key.machine_fingerprint},
          evaluations.size());
      trial.measurement = is_new ? store_.find(key) : std::nullopt;
      if (trial.measurement) {
        trial.from_cache = true;
        pending.erase(found);
      } else {
        trial.from_cache = !is_new;
        trial.evaluation = found->second;
        if (is_new) evaluations.push_back(i);
      }
    }
    return evaluations;
  }

  /// Evaluates what is new, and tells the searches of everything in the order asked, as far as the
  /// round gets.
  void run_round(std::vector<Trial>& trials) {
    const std::vector<size_t> evaluations = look_up(trials);
    std::vector<EvaluationTask> tasks;
    for (const size_t i : evaluations) {
      tasks.push_back({&problems_[trials[i].problem].problem, trials[i].candidate.config});
    }
    std::vector<Measurement> finished;
    size_t told = 0;
    const auto tell_ready = [&] {
      for (; told < trials.size(); ++told) {
        Trial& trial = trials[told];
        if (!trial.measurement) {
          if (trial.evaluation >= finished.size()) return;
          trial.measurement = finished[trial.evaluation];
        }
        tell(trial);
      }
    };
    const auto done = [&](size_t i, const Evaluated& evaluated) {
      store_.record(trials[evaluations[i]].key, evaluated.measurement, run_id_, evaluated.wall_us,
                    hooks_.date ? hooks_.date() : "");
      finished.push_back(evaluated.measurement);
      tell_ready();
    };
    tell_ready();
    pool_.run(tasks, done, [&] { return stopped(); });
  }

  void tell(const Trial& trial) {
    ProblemSearch& search = *active_.at(trial.problem);
    search.tell(trial.candidate, *trial.measurement, trial.from_cache);
    (trial.from_cache ? result_.cache_hits : result_.evaluations) += 1;
    if (!hooks_.progress) return;
    ++progress_.done;
    progress_.evaluations = result_.evaluations;
    progress_.cache_hits = result_.cache_hits;
    progress_.problem = trial.key.problem;
    progress_.best_us = search.result().time_us;
    progress_.baseline_us = search.result().baseline_us;
    hooks_.progress(progress_);
  }

  void save_winners() {
    std::vector<Winner> winners;
    std::map<std::pair<std::string, std::string>, size_t> saved;
    for (const TunedProblem& tuned : result_.problems) {
      if (!tuned.found) continue;
      const MeasurementKey key =
          key_of(static_cast<size_t>(tuned.problem - problems_.data()), tuned.config);
      const auto [same, is_new] = saved.try_emplace({key.kernel, key.problem}, winners.size());
      if (!is_new) {  // the same problem for other ops of the model
        std::vector<std::string>& ops = winners[same->second].ops;
        ops.insert(ops.end(), tuned.problem->ops.begin(), tuned.problem->ops.end());
        continue;
      }
      winners.push_back({key.kernel, key.kernel_revision, key.problem, tuned.problem->ops,
                         key.evaluator, key.config, tuned.time_us, tuned.problem->baseline.text(),
                         tuned.baseline_us, tuned.runner_up_us, tuned.evaluations, tuned.cache_hits,
                         tuned.complete});
    }
    store_.save_winners(run_id_, winners);
  }

  std::span<const TuneProblem> problems_;
  const KeyMaker& key_of_;
  EvaluationPool& pool_;
  std::string evaluator_id_;
  Store& store_;
  int64_t run_id_;
  const TuneOptions& options_;
  const TuneHooks& hooks_;
  double started_;

  TuneResult result_;
  TuneProgress progress_;
  std::map<size_t, std::unique_ptr<ProblemSearch>> active_;  // by index, so in a fixed order
  size_t next_problem_ = 0;
};

}  // namespace

TuneResult tune(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool,
                Store& store, int64_t run_id, const TuneOptions& options, const TuneHooks& hooks) {
  return Session(problems, key_of, pool, store, run_id, options, hooks).run();
}

}  // namespace tilewright
