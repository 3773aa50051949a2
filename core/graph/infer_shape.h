#pragma once

#include <cstdint>
#include <optional>

#include "core/graph/op_graph.h"

namespace tilewright {

/// The shape that an op has by the rules of HLO, from its operands, its attributes and the
/// computations that it calls; its layout means nothing. What these leave open is taken from
/// `op.shape`: all of a parameter, constant, custom call, random or received value; the dims of
/// broadcast, reshape, bitcast and iota, which are checked; the type of convert, and that to which
/// dot and convolution accumulate. Nothing where no rule is known here (kUnknown, ragged and scaled
/// dot, scan, ragged-all-to-all, dynamic-reshape). Error (failed), "source:line: op 'name': what",
/// when the operands or attributes do not fit the opcode. `op` need not be in the computation yet.
std::optional<Shape> infer_shape(const OpGraph& graph, const Computation& computation,
                                 const Op& op);

struct ShapeCheck {
  int64_t checked = 0;  ///< ops whose shape follows from a rule
  int64_t trusted = 0;  ///< ops without one
};

/// Infers the shape of every op. Error (failed) with both shapes where an op has another one.
ShapeCheck check_shapes(const OpGraph& graph);

}  // namespace tilewright
