#pragma once

#include <functional>
#include <string>

#include "core/space/space.h"

namespace tilewright {

/// Why a space has no legal config: which constraint leaves none of those that the ones before it
/// leave, what there would be without it, and the fewest constraints that are to blame together
/// (none of which can be left out). "" when the space has a config. Errors, and `stop`, as of a
/// LegalSet.
std::string why_empty(const Space& space, const std::function<bool()>& stop = {});

}  // namespace tilewright
