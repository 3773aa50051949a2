#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tuner/session/session.h"

namespace tilewright {

/// What a family is made of, by its numbers of rows.
struct FamilyMaker {
  std::function<TuneProblem(int64_t m)> member;
  /// First-order time of a config in us, at any m; empty where there is none.
  std::function<double(int64_t m, const Config& config)> estimate = {};
};

/// Tunes problems that differ in m alone into the smallest table that serves every m between the
/// first and the last (docs/tuner.md, "Families"): as tune() with options.max_regret, which must be
/// set; then the table is looked at between neighbouring members, half way and where by estimate it
/// does worst. Where it is slower than one of the configs of the members around by more than
/// max_regret, or than the default at all, that m becomes a member, until none does (at most
/// kFamilyRounds times). `members` have ascending m and get the new ones. The result is that of the
/// last round, with the evaluations of all.
TuneResult tune_family(std::vector<TuneProblem>& members, const FamilyMaker& maker,
                       const KeyMaker& key_of, EvaluationPool& pool, Store& store, int64_t run_id,
                       const TuneOptions& options, const TuneHooks& hooks);

constexpr int kFamilyRounds = 4;

}  // namespace tilewright
