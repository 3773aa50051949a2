#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tuner/session/session.h"

namespace tilewright {

/// Tunes problems that differ in m alone into the smallest table that serves every m between the
/// first and the last (docs/tuner.md, "Families"): as tune() with options.max_regret, which must be
/// set; then the table is looked at half way between neighbouring members, and where it is slower
/// than one of the configs of the members around by more than max_regret, that m becomes a member,
/// until none does (at most kFamilyRounds times). `members` have ascending m and get the new ones;
/// `member` makes them. The result is that of the last round, with the evaluations of all.
TuneResult tune_family(std::vector<TuneProblem>& members,
                       const std::function<TuneProblem(int64_t m)>& member, const KeyMaker& key_of,
                       EvaluationPool& pool, Store& store, int64_t run_id,
                       const TuneOptions& options, const TuneHooks& hooks);

constexpr int kFamilyRounds = 4;

}  // namespace tilewright
