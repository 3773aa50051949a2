#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/graph/hlo_cursor.h"
#include "core/graph/hlo_values.h"
#include "core/graph/op_graph.h"

namespace tilewright {

/// One computation of HLO text, whose calls are still names: the callee may stand further down.
struct HloComputation {
  struct Call {
    int32_t op = 0;
    std::string_view callee;
  };

  Computation computation = {};      ///< with ops in order, but for Op::called
  std::string_view name = {};        ///< its place in the text
  bool entry = false;                ///< marked ENTRY
  std::vector<Call> calls = {};      ///< by op, in the order of Op::called
  std::optional<Shape> result = {};  ///< as stated behind "->"
  std::string_view result_place = {};
};

/// Reads computations of a module and counts what they take.
class HloComputationReader {
 public:
  /// "ENTRY %name (p: f32[]) -> f32[] { ... }". Errors (failed) with their place: what is no HLO
  /// text, names twice, operands that do not exist or whose stated shape is not theirs, ops that
  /// wait for each other, parameters that are not numbered from 0.
  HloComputation read(HloCursor& cursor);

 private:
  HloShapeReader shapes_;
  int64_t ops_ = 0;
};

}  // namespace tilewright
