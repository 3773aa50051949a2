#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tuner/session/session.h"

namespace tilewright {

/// Places in the session of the problems that differ in m alone, by ascending m, each m once; those
/// with no such companion are not in any. In the order of their first problems.
std::vector<std::vector<size_t>> families_of(std::span<const TuneProblem> problems);

/// The numbers of rows at which a family is tuned so that every m within [m_min, m_max] is served:
/// both ends, every multiple of 16 up to 256 (kernels work in tiles of 16 rows), and from there
/// four multiples an octave. What lies between them is to be verified.
std::vector<int64_t> family_members(int64_t m_min, int64_t m_max);

/// A config that is to be timed at a member.
struct FamilyTrial {
  size_t problem = 0;  ///< place in the session
  Config config;
};

/// Gives the times in the order asked, 0 for what failed; fewer when stopped.
using FamilyTimer = std::function<std::vector<double>(const std::vector<FamilyTrial>&)>;

/// Turns the winners of a family's members into the smallest table of ranges in which no member is
/// slower than with the best known config for it by more than `max_regret`. `members` are places in
/// `tuned`; `near` has for each problem of the session configs about as fast as its winner, the
/// winner first. Candidates are these and the baseline: each is tried on the members next to those
/// it is good for, as far as it stays good enough. Replaces config, time and regret of the tuned
/// members, and returns the table; one without ranges when stopped.
FamilyTable unify(std::span<const size_t> members, const std::vector<std::vector<Config>>& near,
                  double max_regret, const FamilyTimer& time, std::vector<TunedProblem>& tuned);

}  // namespace tilewright
