#pragma once

#include <cstdint>
#include <vector>

#include "kernels/fused/fused_ops.h"
#include "tuner/fusion/fusion_graph.h"

namespace tilewright {

/// Names kernels by what they do: ops, shapes, and who reads whom, not by which ops of the graph
/// they are. Kernels of equal layers have equal hashes, and so equal plans and times.
class KernelHash {
 public:
  explicit KernelHash(const FusionGraph& graph);

  uint64_t of(const FusedOps& kernel) const;
  /// Of an op alone with the shapes of its operands.
  uint64_t of_op(int32_t op) const;
  /// Of all that plans of the region depend on: its ops in order, who reads whom, what is a result,
  /// and what is written over.
  uint64_t of_region() const;

 private:
  const FusionGraph* graph_;
  std::vector<uint64_t> ops_;     ///< opcode, shape and attributes
  std::vector<uint64_t> shapes_;  ///< of results
};

}  // namespace tilewright
