#pragma once

#include "kernels/collective/collective.h"

namespace tilewright {

/// Row j of out<i> = in<j> on every rank i: inputs of 1 x elements, outputs of ranks x elements.
class AllGatherKernel : public CollectiveKernel {
 public:
  std::string name() const override { return "all_gather"; }
  std::string summary() const override { return "the inputs of all chips, on all chips"; }
  int revision() const override { return 1; }
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<Exchange> exchanges() const override { return {Exchange::kRing, Exchange::kDirect}; }
  std::string elements_meaning() const override {
    return "of each rank's input; its output has ranks times as many";
  }
  int64_t lanes(const Problem& problem, Exchange exchange) const override {
    return exchange == Exchange::kDirect ? problem.size("ranks") : 1;
  }
};

}  // namespace tilewright
