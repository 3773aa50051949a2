#pragma once

#include <string>
#include <vector>

#include "core/graph/op_graph.h"
#include "kernels/fused/recipes.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

/// Whether an elementwise op takes or gives u32: 32 bits, which lie in i32 tiles.
bool takes_or_gives_bits(const Computation& computation, const Op& op);

/// why_no_recipe() of such an op.
std::string why_no_recipe_of_bits(const Computation& computation, const Op& op);

/// Whether an array of the program holds them; -1, which is no array, does not.
bool holds_bits(const VecProgram& program, int array);

/// add_recipe() of such an op.
void add_recipe_of_bits(const Op& op, const std::vector<RecipeOperand>& operands, int dst,
                        VecProgram& program, std::vector<VecStep>& steps);

}  // namespace tilewright
