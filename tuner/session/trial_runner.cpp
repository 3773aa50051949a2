#include "tuner/session/trial_runner.h"

#include <fmt/format.h>

#include <utility>

namespace tilewright {

/// Where the measurement of an asked config comes from.
struct TrialRunner::Asked {
  std::optional<Measurement> known;
  bool is_first = false;  ///< false: the same key was asked before it
  size_t task = 0;        ///< of the pool, unless it is known
};

TrialRunner::TrialRunner(std::span<const TuneProblem> problems, const KeyMaker& key_of,
                         EvaluationPool& pool, Store& store, int64_t run_id, const TuneHooks& hooks)
    : problems_(problems),
      key_of_(key_of),
      pool_(pool),
      evaluator_id_(pool.evaluator().id()),
      store_(store),
      run_id_(run_id),
      hooks_(hooks),
      caches_(problems.size()) {}

TrialRunner::ProblemCache& TrialRunner::cache_of(size_t problem) {
  std::optional<ProblemCache>& cache = caches_[problem];
  if (cache) return *cache;
  cache.emplace();
  cache->base = key_of_(problems_[problem].problem, problems_[problem].baseline);
  cache->base.evaluator = evaluator_id_;
  const Series of = series(problem);
  std::shared_ptr<Known>& known = by_series_[fmt::format(
      "{}\n{}\n{}\n{}", of.kernel, of.kernel_revision, of.problem, of.machine_fingerprint)];
  if (!known) {
    known = std::make_shared<Known>();
    for (KnownMeasurement& row : store_.known(of)) {
      if (pool_.evaluator().is_outdated(row.measurement)) continue;
      known->emplace(std::move(row.config), std::move(row.measurement));
    }
  }
  cache->known = known;
  return *cache;
}

Series TrialRunner::series(size_t problem) {
  const MeasurementKey& base = cache_of(problem).base;
  return {base.kernel, base.kernel_revision, base.problem, base.machine_fingerprint,
          base.evaluator};
}

MeasurementKey TrialRunner::key(size_t problem, const Config& config) {
  MeasurementKey key = cache_of(problem).base;
  key.config = problems_[problem].space.text(config);
  return key;
}

const Measurement* TrialRunner::find(size_t problem, const Config& config) {
  return find_text(problem, problems_[problem].space.text(config));
}

const Measurement* TrialRunner::find_text(size_t problem, const std::string& config) {
  Known& known = *cache_of(problem).known;
  const auto found = known.find(config);
  if (found == known.end()) return nullptr;
  Measurement& measurement = found->second;
  // How sure a noisy time is depends on its repetitions, which are not loaded with the rest.
  if (measurement.spread_us > 0 && measurement.times_us.empty()) {
    MeasurementKey key = cache_of(problem).base;
    key.config = config;
    if (const auto whole = store_.find(key)) measurement.times_us = whole->times_us;
  }
  return &measurement;
}

std::vector<TrialRunner::Asked> TrialRunner::look_up(std::span<const AskedTrial> asked) {
  std::vector<Asked> answers(asked.size());
  std::map<std::pair<const Known*, std::string>, size_t> pending;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (asked[i].screened) {
      answers[i].known = asked[i].screened->measurement;
      continue;
    }
    std::string text = problems_[asked[i].problem].space.text(asked[i].config);
    const Measurement* known = find_text(asked[i].problem, text);
    if (known) {
      answers[i].known = *known;
      continue;
    }
    const Known* series = cache_of(asked[i].problem).known.get();
    const auto [task, is_first] = pending.try_emplace({series, std::move(text)}, pending.size());
    answers[i].is_first = is_first;
    answers[i].task = task->second;
  }
  return answers;
}

void TrialRunner::run(std::span<const AskedTrial> asked, const Told& told,
                      const std::function<bool()>& stop) {
  const std::vector<Asked> answers = look_up(asked);
  std::vector<EvaluationTask> tasks;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (answers[i].is_first)
      tasks.push_back({&problems_[asked[i].problem].problem, asked[i].config});
  }
  std::vector<Evaluated> finished;
  size_t at = 0;
  const auto tell_ready = [&] {
    for (; at < asked.size(); ++at) {
      const Asked& answer = answers[at];
      if (answer.known) {
        keep(asked[at], std::nullopt, 0);
        told(at, *answer.known, true);
        continue;
      }
      if (answer.task >= finished.size()) return;
      const Evaluated& result = finished[answer.task];
      const auto fresh = answer.is_first ? std::optional(result.measurement) : std::nullopt;
      keep(asked[at], fresh, result.wall_us);
      told(at, result.measurement, !answer.is_first);
    }
  };
  const auto done = [&](size_t, const Evaluated& evaluated) {
    finished.push_back(evaluated);
    tell_ready();
    if (!hooks_.seconds || now() - committed_at_ >= kCommitSeconds) commit();
  };
  tell_ready();
  pool_.run(tasks, done, stop);
  commit();
}

void TrialRunner::keep(const AskedTrial& trial, const std::optional<Measurement>& fresh,
                       double wall_us) {
  TrialRow row;
  row.key = key(trial.problem, trial.config);
  row.proposer = trial.proposer;
  if (trial.screened) row.key.evaluator = trial.screened->evaluator;
  if (!fresh) {
    if (!is_kept_ || !is_kept_(row.key, trial.proposer)) rows_.push_back(std::move(row));
    return;
  }
  row.measurement = fresh;
  row.wall_us = wall_us;
  row.date = hooks_.date ? hooks_.date() : "";
  Measurement lean = *fresh;
  lean.counters.clear();
  cache_of(trial.problem).known->insert_or_assign(row.key.config, std::move(lean));
  rows_.push_back(std::move(row));
}

void TrialRunner::commit() {
  if (!rows_.empty()) store_.record_trials(run_id_, rows_);
  rows_.clear();
  committed_at_ = now();
}

}  // namespace tilewright
