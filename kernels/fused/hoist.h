#pragma once

#include <vector>

#include "kernels/fused/vec_program.h"

namespace tilewright {

/// The program with those loads and steps of its body in `once` that are the same for every tile:
/// they touch nothing but arrays all of whose axes a tile holds whole (`is_full`, by axis), and
/// what they read is so too. The same program where that is nothing.
VecProgram hoisted(const VecProgram& program, const std::vector<bool>& is_full);

}  // namespace tilewright
