#pragma once

#include <cstdint>
#include <vector>

#include "core/serving/executor.h"

namespace tilewright {

/// Stands before an executor and keeps some of the batches that it is given, evenly over the run:
/// every n-th step, where n doubles whenever there are twice as many as wanted.
class StepSampler : public Executor {
 public:
  /// `inner` must outlive it; count >= 1.
  StepSampler(Executor& inner, int64_t count) : inner_(inner), count_(count) {}

  Capacity capacity() const override { return inner_.capacity(); }
  Execution execute(const Batch& batch, int64_t ready_ns) override;
  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override;

  /// At most `count` batches, in order, without blocks and ids.
  std::vector<Batch> samples() const;

 private:
  /// Of the next `steps` steps, whose contexts grow by one each, keeps those whose turn it is.
  void keep(const Batch& batch, int64_t steps);

  Executor& inner_;
  int64_t count_ = 1;
  int64_t stride_ = 1;
  int64_t steps_ = 0;
  std::vector<Batch> kept_;  // of steps 0, stride, 2 stride, ...
};

}  // namespace tilewright
