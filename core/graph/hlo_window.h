#pragma once

#include "core/graph/hlo_cursor.h"
#include "core/graph/op_attributes.h"

namespace tilewright {

/// Windows and the labels of convolutions in HLO text.

/// "{size=3x3 pad=1_1x1_1}".
Window read_window(HloCursor& cursor);

/// "b01f_01io->b01f": which dimensions input, kernel and output of a convolution have.
void read_dim_labels(const HloCursor& cursor, Convolution& convolution);

}  // namespace tilewright
