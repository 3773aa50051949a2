#include "kernels/executor/step_sampler.h"

#include <utility>

#include "core/base/integers.h"

namespace tilewright {

Execution StepSampler::execute(const Batch& batch, int64_t ready_ns) {
  keep(batch, 1);
  return inner_.execute(batch, ready_ns);
}

RepeatedExecution StepSampler::repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                             int64_t until_ns, int64_t gap_ns) {
  RepeatedExecution repeated = inner_.repeat_decode(batch, ready_ns, limit, until_ns, gap_ns);
  keep(batch, std::ssize(repeated.end_ns));
  return repeated;
}

void StepSampler::keep(const Batch& batch, int64_t steps) {
  const int64_t first = steps_;
  steps_ += steps;
  for (int64_t step = round_up(first, stride_); step < steps_; step = round_up(step + 1, stride_)) {
    Batch copy = batch;
    for (SequenceSlice& slice : copy.slices) {
      slice.context += step - first;
      slice.blocks = {};
      slice.ids = {};
    }
    kept_.push_back(std::move(copy));
    if (std::ssize(kept_) < 2 * count_) continue;
    for (size_t i = 0; i < kept_.size(); i += 2) std::swap(kept_[i / 2], kept_[i]);
    kept_.resize((kept_.size() + 1) / 2);
    stride_ *= 2;
  }
}

std::vector<Batch> StepSampler::samples() const {
  const int64_t all = std::ssize(kept_);
  if (all <= count_) return kept_;
  std::vector<Batch> chosen;
  for (int64_t i = 0; i < count_; ++i)
    chosen.push_back(kept_[static_cast<size_t>(i * all / count_)]);
  return chosen;
}

}  // namespace tilewright
