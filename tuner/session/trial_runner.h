#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "db/store.h"
#include "tuner/session/session.h"

namespace tilewright {

/// What another evaluator said of a config.
struct ScreenedTime {
  Measurement measurement;
  std::string evaluator;
};

/// A config that a session wants measured.
struct AskedTrial {
  size_t problem = 0;  ///< place in the session
  Config config;
  std::string_view proposer;  ///< goes into the row
  /// Answered already: not measured here, but told and kept in its turn.
  std::optional<ScreenedTime> screened = std::nullopt;
};

/// Gets measurements for a session: from the database where they are known, otherwise from the
/// pool; and keeps them, as rows of `trial`. It never measures one key twice.
class TrialRunner {
 public:
  /// Everything outlives the runner. Clock and date come from the hooks.
  TrialRunner(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool,
              Store& store, int64_t run_id, const TuneHooks& hooks);

  using Told = std::function<void(size_t i, const Measurement& measurement, bool from_cache)>;

  /// Calls told() for what is asked, in that order, on the calling thread, as far as it gets before
  /// `stop`: a result, when it and all before it are there. On return all is committed; on the way
  /// results are too, at the latest when the next comes after kCommitSeconds.
  void run(std::span<const AskedTrial> asked, const Told& told, const std::function<bool()>& stop);

  static constexpr double kCommitSeconds = 0.01;

  const std::string& evaluator_id() const { return evaluator_id_; }
  MeasurementKey key(size_t problem, const Config& config);
  Series series(size_t problem);

  /// Trials for which `is_kept` says true have their row already, as far as they were answered by
  /// the database.
  using IsKept = std::function<bool(const MeasurementKey& key, std::string_view proposer)>;
  void leave_out(IsKept is_kept) { is_kept_ = std::move(is_kept); }

  /// What is known of a config; loads what the database has of the problem.
  const Measurement* find(size_t problem, const Config& config);

 private:
  using Known = std::unordered_map<std::string, Measurement>;
  struct ProblemCache {
    MeasurementKey base;  ///< without a config
    std::shared_ptr<Known> known;
  };
  struct Asked;
  ProblemCache& cache_of(size_t problem);
  const Measurement* find_text(size_t problem, const std::string& config);
  std::vector<Asked> look_up(std::span<const AskedTrial> asked);
  void keep(const AskedTrial& trial, const std::optional<Measurement>& fresh, double wall_us);
  void commit();
  double now() const { return hooks_.seconds ? hooks_.seconds() : 0; }

  std::span<const TuneProblem> problems_;
  const KeyMaker& key_of_;
  EvaluationPool& pool_;
  std::string evaluator_id_;
  Store& store_;
  int64_t run_id_;
  const TuneHooks& hooks_;
  std::vector<std::optional<ProblemCache>> caches_;
  /// Problems that stand twice in a session share what is known.
  std::map<std::string, std::shared_ptr<Known>> by_series_;
  std::vector<TrialRow> rows_;  ///< not committed yet
  IsKept is_kept_;              ///< may be empty
  double committed_at_ = 0;
};

}  // namespace tilewright
