#pragma once

#include "kernels/collective/collective.h"

namespace tilewright {

/// Row j of out<i> = row i of in<j>: inputs and outputs of ranks x elements.
class AllToAllKernel : public CollectiveKernel {
 public:
  std::string name() const override { return "all_to_all"; }
  std::string summary() const override { return "row j of each chip to chip j"; }
  int revision() const override { return 1; }
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<Exchange> exchanges() const override { return {Exchange::kDirect}; }
  std::string elements_meaning() const override { return "that each rank has for each rank"; }
  int64_t lanes(const Problem& problem, Exchange) const override { return problem.size("ranks"); }
};

}  // namespace tilewright
