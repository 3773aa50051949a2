#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program with batch-norm-inference, -training and -grad as ops of elements and sums, as
/// XLA's BatchNormExpander writes them: the variance of training is E[x^2] - E[x]^2, of one pass.
OpGraph expand_batch_norm(const OpGraph& graph);

}  // namespace tilewright
