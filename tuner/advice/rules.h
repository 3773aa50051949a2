#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/space/problem.h"
#include "tuner/advice/advice.h"
#include "tuner/advice/evidence.h"
#include "tuner/advice/proposals.h"

namespace tilewright {

/// What a rule found in a profile, and what it would have tried against it.
struct Finding {
  std::string problem;
  std::string evidence;
  std::vector<Move> moves = {};  ///< each is tried; the best one counts
  /// Instead of moves: another problem that gives the same result, with what changes in words.
  std::optional<Problem> other = {};
  std::string other_change = {};
  /// Why no request can mend it; empty where one may.
  std::string obstacle = {};
};

struct AdviceFinder {
  AdviceRule info;
  std::optional<Finding> (*find)(const Evidence& evidence) = nullptr;
};

/// Shares of the time below this are not worth advice.
constexpr double kNoticed = 0.03;

/// Rules about launches that multiply, about those that stream through UB or hand over between cube
/// and vector cores, and about all launches.
std::span<const AdviceFinder> cube_rules();
std::span<const AdviceFinder> vector_rules();
std::span<const AdviceFinder> launch_rules();

}  // namespace tilewright
