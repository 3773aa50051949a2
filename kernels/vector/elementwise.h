#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// The plainest streaming kernel, for measured points of bandwidth: sums `reads` inputs of rows x
/// cols elements and writes `writes` outputs, the j-th being j + 1 times the sum. Tensors in0 ..,
/// out0 ... Every operation rounds to the type of the data.
class ElementwiseKernel : public VectorKernel {
 public:
  std::string name() const override { return "elementwise"; }
  int revision() const override { return 3; }
  std::string summary() const override;
  std::vector<SizeInfo> sizes() const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;
  int64_t ub_bytes(const Problem& problem, const VectorTile& tile,
                   const Machine& machine) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override { return {type, type}; }
  void check_sizes(const Problem& problem) const override;
};

}  // namespace tilewright
