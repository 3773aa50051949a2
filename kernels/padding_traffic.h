#pragma once

#include <cstdint>
#include <optional>

#include "kernels/kernel.h"

namespace tilewright {

/// Bytes that a launch moves beyond the problem's own elements: zeros that stand in memory.
struct PaddingTraffic {
  int64_t read_bytes = 0;   ///< from GM
  int64_t write_bytes = 0;  ///< to GM
};

/// By the rectangle of every transfer of every task, against Kernel::real_parts(); nothing for
/// kernels that do not say what is real.
std::optional<PaddingTraffic> padding_traffic(const Kernel& kernel, const Problem& problem,
                                              const Launch& launch);

}  // namespace tilewright
