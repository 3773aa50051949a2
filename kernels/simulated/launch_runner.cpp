#include "kernels/simulated/launch_runner.h"

#include <algorithm>
#include <span>
#include <utility>

#include "core/base/error.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// Lends memory to a launch's tensors, and takes it back also when the run fails.
class LentOperands {
 public:
  LentOperands(ReadyLaunch& ready, std::span<const Operand> operands)
      : ready_(ready), operands_(operands) {
    for (const Operand& operand : operands_) {
      Tensor& tensor = ready_.launch.tensors[static_cast<size_t>(operand.tensor)];
      const auto bytes = static_cast<int64_t>(operand.bytes->size());
      if (tensor.layout == Layout::kNd) tensor.rows = bytes / (tensor.cols * bytes_of(tensor.type));
      TW_CHECK(tensor.bytes() == bytes, "memory holds the tensor");
    }
    swap();
  }
  LentOperands(const LentOperands&) = delete;
  LentOperands& operator=(const LentOperands&) = delete;
  ~LentOperands() { swap(); }

 private:
  void swap() {
    for (const Operand& operand : operands_) {
      std::swap(*operand.bytes, ready_.image[static_cast<size_t>(operand.tensor)]);
    }
  }

  ReadyLaunch& ready_;
  std::span<const Operand> operands_;
};

}  // namespace

ReadyLaunch& LaunchRunner::ready(const Problem& problem, const std::function<Launch()>& build) {
  const auto [entry, is_new] = launches_.try_emplace(problem.text());
  if (is_new) entry->second = prepare(build());
  return entry->second;
}

ReadyLaunch LaunchRunner::prepare(Launch launch, GmImage memory) const {
  ReadyLaunch ready{std::move(launch), 0, std::move(memory)};
  ready.image.resize(ready.launch.tensors.size());
  if (!timed_) return ready;
  ready.ns = machine_.ns_of_ticks(time_launch(ready.launch, machine_, Fidelity::kAuto).ticks);
  return ready;
}

void LaunchRunner::run(const std::string& op, ReadyLaunch& ready,
                       std::initializer_list<Operand> operands) {
  const LentOperands lent(ready, operands);
  for (size_t t = 0; t < ready.image.size(); ++t) {
    const auto bytes = static_cast<size_t>(ready.launch.tensors[t].bytes());
    // New memory is NaN patterns, so that a read of bytes that nobody wrote shows in the result.
    if (ready.image[t].size() != bytes) ready.image[t].resize(bytes, uint8_t{0xff});
  }
  run_functional(ready.launch, machine_, ready.image);
  auto known =
      std::find_if(times_.begin(), times_.end(), [&](const OpTime& time) { return time.op == op; });
  if (known == times_.end()) known = times_.insert(times_.end(), {op, 0, 0});
  ++known->calls;
  known->ns += ready.ns;
}

std::vector<OpTime> LaunchRunner::take_times() {
  return std::exchange(times_, {});
}

}  // namespace tilewright
