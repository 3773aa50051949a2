#pragma once

#include "kernels/collective/collective.h"

namespace tilewright {

/// out<i> = row i of in0 + in1 + ...: inputs of ranks x elements, outputs of 1 x elements. Halves
/// are added in f32 and rounded to their type whenever a sum leaves UB: on a ring at each of the
/// ranks - 1 additions, directly once.
class ReduceScatterKernel : public CollectiveKernel {
 public:
  std::string name() const override { return "reduce_scatter"; }
  std::string summary() const override { return "sum over all chips, each chip its part"; }
  int revision() const override { return 1; }
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<Exchange> exchanges() const override { return {Exchange::kRing, Exchange::kDirect}; }
  std::string elements_meaning() const override {
    return "of each rank's output; its input has ranks times as many";
  }
  int64_t sources(const Problem& problem, Exchange exchange) const override {
    return exchange == Exchange::kRing ? 2 : problem.size("ranks");
  }
};

}  // namespace tilewright
