#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/space/problem.h"
#include "db/store.h"
#include "tuner/session/problem_search.h"
#include "tuner/session/session.h"

namespace tilewright {

/// At most this share of a search's budget goes to configs of other problems.
constexpr double kHintShare = 0.25;
/// Of a search without a budget.
constexpr int64_t kMostHints = 16;
/// From one other problem, so that hints differ.
constexpr int kHintsPerProblem = 2;

/// How far problems of one kernel are from each other: first those that differ in types, layouts,
/// epilogue or mask, or in the names of their sizes, are further than all that do not; then by the
/// distance of the logarithms of their sizes.
struct ProblemDistance {
  bool differs = false;
  double octaves = 0;

  friend auto operator<=>(const ProblemDistance&, const ProblemDistance&) = default;
};
ProblemDistance distance(const Problem& a, const Problem& b);

/// What others say of a problem that is to be searched: configs that were fast for other problems,
/// or for itself on other machines, by other revisions and evaluators (hints, never answers),
/// whether the database has them from earlier sessions or this session found them for problems that
/// are done.
class Transfer {
 public:
  /// What the session itself measures never comes from the database: so a session that is run
  /// again gets the hints that it got the first time.
  /// `evaluators`: those of the session.
  Transfer(Store& store, std::span<const TuneProblem> problems,
           std::vector<std::string> evaluators);

  /// A problem of the session is done.
  void add(const Problem& problem, std::string config);

  /// The nearest first, at most `budget` * kHintShare (kMostHints where it is 0), without those
  /// that are not legal. Proposers are "earlier" and "neighbour".
  std::vector<Candidate> hints(const Problem& problem, const Series& series,
                               const SpaceIndex& space, int64_t budget);

  /// Configs of the kernel that failed for problems outside the session.
  std::vector<std::pair<Config, AttemptStatus>> failures(const Series& series, const Space& space);

 private:
  /// A fast config of another problem.
  struct Hint {
    Problem problem;
    std::string config;      ///< text, which means something in the space that is searched
    bool is_current = true;  ///< same kernel revision, machine and evaluator
    bool is_own = false;     ///< of this session
    int place = 0;           ///< 0: the fastest of its problem
  };
  const std::vector<Hint>& earlier(const Series& series);
  bool is_own(const std::string& problem) const;
  /// Whether the session itself makes measurements with such a key.
  bool is_own(const MeasurementKey& key, const Series& series) const;

  Store& store_;
  std::vector<std::string> evaluators_;
  std::vector<std::string> own_;                      // texts of the session's problems, sorted
  std::map<std::string, std::vector<Hint>> earlier_;  // by kernel and its revision
  std::vector<Hint> found_;                           // by this session
};

}  // namespace tilewright
