#pragma once

#include <cstdint>

#include "core/timeline/breakdown.h"
#include "core/timeline/lanes.h"

namespace tilewright {

/// What a cell means. Themes turn roles into colours and attributes, so a view never names a
/// colour; and whatever a role says is also said by a letter, a position or a pattern.
enum class Role : uint8_t {
  kText,
  kDim,      ///< less important: scales, what is not in use
  kHeading,  ///< titles of panes and columns
  kFrame,
  kFocus,   ///< frame and title of the pane that takes the keys
  kKey,     ///< a key in a hint
  kCursor,  ///< the row or field that the cursor is on
  kField,   ///< a value that can be changed
  kGood,
  kWarn,
  kBad,
  kTab,
  kActiveTab,
  kCube,  ///< the pipes, in the order of Pipe
  kVec,
  kScalar,
  kMte1,
  kMte2,
  kMte3,
  kFixp,
  kCubeAlt,  ///< every other event on a lane
  kVecAlt,
  kScalarAlt,
  kMte1Alt,
  kMte2Alt,
  kMte3Alt,
  kFixpAlt,
  kShared,  ///< memory that all cores share
  kWait,    ///< waiting for flags, launch, host, and so on
  kPath,    ///< on the critical path
  kMatch,   ///< found by a search
};
constexpr int kRoleCount = static_cast<int>(Role::kMatch) + 1;

/// One character for each role, all different: how tests and documents write roles.
constexpr char letter_of(Role role) {
  return " .HFO*>:+!-tT1234567abcdefgSWP/"[static_cast<int>(role)];
}

/// The role of a pipe; `alternate` for every other event.
constexpr Role role_of(Pipe pipe, bool alternate = false) {
  const Role first = alternate ? Role::kCubeAlt : Role::kCube;
  return static_cast<Role>(static_cast<int>(first) + static_cast<int>(pipe));
}

/// The role of a cause: that of the busy pipe, of shared memory, or waiting.
constexpr Role role_of(Cause cause) {
  if (cause.id() < static_cast<size_t>(kPipeCount)) return role_of(static_cast<Pipe>(cause.id()));
  const bool is_shared = cause.id() == Cause::hbm().id() || cause.id() == Cause::l2().id() ||
                         cause.id() == Cause::link().id();
  return is_shared ? Role::kShared : Role::kWait;
}

}  // namespace tilewright
