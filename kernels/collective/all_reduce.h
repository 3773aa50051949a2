#pragma once

#include "kernels/collective/collective.h"

namespace tilewright {

/// out<i> = in0 + in1 + ... on every rank i; 1 x elements each.
///
/// Halves are added in f32 and rounded to their type whenever a sum leaves UB: on a ring at each of
/// the ranks - 1 additions, on a tree once a level, directly once. The order of the additions is
/// that of the ring, of the tree (a rank, then its children from the nearest), of the ranks.
class AllReduceKernel : public CollectiveKernel {
 public:
  std::string name() const override { return "all_reduce"; }
  std::string summary() const override { return "sum over all chips, on all chips"; }
  int revision() const override { return 1; }
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<Exchange> exchanges() const override {
    return {Exchange::kRing, Exchange::kTree, Exchange::kDirect, Exchange::kDirectTwice};
  }
  std::string elements_meaning() const override { return "of each rank's input and output"; }
  int64_t parts(const Problem& problem, Exchange exchange) const override;
  int64_t sources(const Problem& problem, Exchange exchange) const override;
};

/// Levels of a binomial tree of so many ranks: the least l with 2^l >= ranks.
int64_t tree_levels(int64_t ranks);

}  // namespace tilewright
