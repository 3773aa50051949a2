#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/space/space.h"
#include "db/store.h"
#include "tuner/session/problem_search.h"

namespace tilewright {

/// A trial of an earlier run, as a search is told of it again.
struct ReplayedTrial {
  Config config;
  std::string_view proposer;
  const Measurement* measurement = nullptr;
  size_t evaluator = 0;  ///< place in the list that was asked for
};

/// Whether a trial comes before the strategy is asked, by its proposer.
bool is_before_strategy(std::string_view proposer);

/// What earlier runs of a session left. Views and pointers live as long as the history.
class SessionHistory {
 public:
  /// The run that the session continues, and the one whose winners are its incumbents; 0: none.
  /// Error (not found) for a run that does not exist.
  SessionHistory(Store& store, int64_t resumed_run, int64_t earlier_run);

  /// What the search of a problem tried in the resumed run, by any of the evaluators, in order,
  /// each once; only with what is current, so that every one still holds. Configs that are none of
  /// `space` (the problem's, which may have changed) are left out, here as below.
  std::vector<ReplayedTrial> trials(const Series& series, const Space& space,
                                    const std::vector<std::string>& evaluators);

  /// Whether the resumed run has a trial.
  bool has(const MeasurementKey& key, std::string_view proposer) const;

  /// What an earlier run of the session took over from other problems, when it came so far as to
  /// ask its strategy. The database may suggest more by now: but then the session would not do what
  /// it did before.
  std::optional<std::vector<Candidate>> hints(const Series& series, const Space& space);

  /// The winner of the earlier run, where it still holds.
  std::optional<Config> incumbent(const Series& series, const Space& space) const;

 private:
  void load(Store& store, int64_t run, std::map<std::string, std::vector<StoredTrial>>& into);
  std::string_view kept(const std::string& proposer) { return *proposers_.insert(proposer).first; }

  std::map<std::string, std::vector<StoredTrial>> resumed_;  // by problem
  std::map<std::string, std::vector<StoredTrial>> earlier_;  // by problem
  std::unordered_set<std::string> resumed_keys_;             // with the proposer
  std::vector<Winner> winners_;
  std::string machine_;              // of the earlier run
  std::set<std::string> proposers_;  // strategies keep views of them
};

}  // namespace tilewright
