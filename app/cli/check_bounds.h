#pragma once

#include "core/space/problem.h"
#include "simulator/launch.h"

namespace tilewright {

/// Error (usage) when a functional run of the problem would take more memory than is allowed, as
/// far as that is clear before its launch is built, whose tasks alone could fill the memory.
void refuse_huge_check(const Problem& problem);
/// The same by the tensors of its launch.
void refuse_huge_check(const Launch& launch);

}  // namespace tilewright
