#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program without scales that undo each other: a multiplication or division by a power of
/// two behind one that takes it back, as attention code leaves them that scales queries up for a
/// dot that scales them down, and multiplications and divisions by 1. The values are the very same
/// unless one in between would leave the range of its type.
OpGraph cancel_scales(const OpGraph& graph);

}  // namespace tilewright
