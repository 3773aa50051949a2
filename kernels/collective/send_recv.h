#pragma once

#include "kernels/collective/collective.h"

namespace tilewright {

/// out<last> = in0: rank 0 sends 1 x elements to the last of the ranks, over whatever links join
/// them. The other ranks stand between or aside and do nothing.
class SendRecvKernel : public CollectiveKernel {
 public:
  std::string name() const override { return "send_recv"; }
  std::string summary() const override { return "from the first chip to the last"; }
  int revision() const override { return 1; }
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<Exchange> exchanges() const override { return {Exchange::kDirect}; }
  std::string elements_meaning() const override { return "that are sent"; }
};

}  // namespace tilewright
