#include "kernels/collective/send_recv.h"

namespace tilewright {

Launch SendRecvKernel::build(const Problem& problem, const Config& config,
                             const Machine& machine) const {
  const auto last = static_cast<int>(problem.size("ranks")) - 1;
  CollectiveBuilder builder(problem, config, machine, shares_of(problem, config), 1);
  const int in = builder.add_tensor("in0", 0, 1);
  const int out = builder.add_tensor("out" + std::to_string(last), last, 1);
  builder.add_cores({0});
  const int send = builder.add_template("send", {{in, 0, 0}}, {{out, 0, 0}});
  for (int64_t core = 0; core < builder.shares().cores; ++core) {
    for (int64_t tile = builder.first_tile(core); tile < builder.last_tile(core); ++tile) {
      builder.run(0, core, send, 0, tile);
    }
  }
  return std::move(builder.launch());
}

void SendRecvKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                 GmImage& image) const {
  fill_tensor(launch, 0, -1, 1, values, image);
}

std::vector<ExpectedTensor> SendRecvKernel::reference(const Problem& problem, const Launch& launch,
                                                      const GmImage& inputs) const {
  const std::vector<float> in = read_tensor(launch.tensors[0], inputs[0]);
  return {{1, 1, problem.size("elements"), {in.begin(), in.end()}}};
}

}  // namespace tilewright
