#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/space/space.h"

namespace tilewright {

/// Which values of a parameter a rule wants tried.
enum class Direction : uint8_t {
  kUp,    ///< larger ones
  kDown,  ///< smaller ones
  kNear,  ///< from half to twice the value
  kAny,
};

struct Axis {
  std::string parameter;
  Direction direction = Direction::kUp;
};

/// A way to change a config: values of `axes`, in every combination. Where that is not legal,
/// parameters of `yields` are lowered to make room.
struct Move {
  std::vector<Axis> axes;
  std::vector<std::string> yields = {};
};

/// Legal configs that a move leads to.
struct Proposals {
  std::vector<Config> configs;  ///< in the order of the space's values
  /// The nearest change of the axes alone, when no such change is legal, and why it is not.
  std::optional<Config> refused;
  std::string obstacle;
};

/// The configs that `move` leads to from a legal one. Axes that the space does not have, or that
/// have no value in their direction, stay as they are.
Proposals propose(const Space& space, const Config& from, const Move& move);

/// Whether the space has a parameter that the move would change.
bool applies(const Space& space, const Move& move);

/// "tile_m 64 -> 128, tile_k0 64 -> 32"; empty for equal configs. Both of one space.
std::string change_text(const Config& from, const Config& to);

}  // namespace tilewright
