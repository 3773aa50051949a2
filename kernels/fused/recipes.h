#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/graph/op_graph.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

/// Why the vector unit has no instructions for an elementwise op; empty when it has. An operand may
/// be a known number.
std::string why_no_recipe(const Computation& computation, const Op& op);

/// An op that leaves the numbers as they are while values are kept in f32: conversions from whole
/// numbers, truth values and narrower floats, and to floats, which round when they are stored.
bool keeps_value(const Computation& computation, const Op& op);

/// An array of the program, or a number that all its elements have.
struct RecipeOperand {
  int array = -1;
  double value = 0;
  bool is_fixed() const { return array < 0; }
};

/// What is known of the numbers that a recipe reads, and of who reads its result.
struct RecipeUse {
  bool of_whole = false;     ///< operand 0 holds whole numbers
  bool to_integers = false;  ///< conversions to integers are all that read the result
  bool is_read = true;       ///< the result is read in UB, not only stored
};

/// Whether an op's result is whole numbers, or no number.
bool gives_whole(const Computation& computation, const Op& op);

/// Writes an elementwise op as instructions on f32 tiles, and on i32 tiles where numbers are u32,
/// which wrap around; truth values are 0 and 1. Temporaries are added to the program with the axes
/// of `dst`.
void add_recipe(const Op& op, const std::vector<RecipeOperand>& operands, int dst,
                const RecipeUse& use, VecProgram& program, std::vector<VecStep>& steps);

}  // namespace tilewright
