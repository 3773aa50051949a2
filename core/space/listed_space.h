#pragma once

#include <cstdint>
#include <vector>

#include "core/space/space.h"

namespace tilewright {

/// A space whose legal configs are a list: rows of values, one for each parameter, in any order and
/// also repeated. What it costs depends on the rows, not on the product of the parameters. Error
/// (usage) for a row with too few or too many values, or with one that its parameter has not.
Space listed_space(std::vector<Parameter> parameters, std::vector<std::vector<int64_t>> rows);

}  // namespace tilewright
