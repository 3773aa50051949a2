#pragma once

#include <cstdint>
#include <vector>

#include "core/serving/executor.h"
#include "core/serving/scheduler.h"
#include "core/serving/speculation.h"
#include "core/serving/token_identity.h"

namespace tilewright {

/// Drafts by a second, smaller model. It runs behind every step: it computes the KV of what the
/// step computed (in blocks with the same ids, of its own memory), and then, one token after the
/// other, the drafts of the requests that are to verify some next.
class DraftModel {
 public:
  /// Error (usage) when the draft model's blocks or vocabulary do not fit those of the model.
  DraftModel(Executor& executor, const Capacity& model, size_t requests);

  struct Drafting {
    int64_t end_ns = 0;
    std::vector<OpTime> ops;  ///< "draft." before their names
  };

  /// Follows a completed step, whose tokens exist at `ready_ns`, and proposes the drafts of the
  /// requests in it.
  Drafting follow(const StepPlan& plan, Scheduler& scheduler, Speculation& speculation,
                  const TokenIdentity& tokens, int64_t ready_ns);

 private:
  struct Progress {
    int64_t epoch = -1;  // preemptions of the request when it was counted
    int64_t tokens = 0;  // that have KV here
  };
  struct Drafted {
    int64_t request;
    int64_t wanted;
    std::vector<int32_t> drafts;
  };

  void execute(const Batch& batch, std::vector<Drafted>& drafted, Drafting& drafting);
  void extend(std::vector<Drafted>& drafted, const Scheduler& scheduler, Drafting& drafting);

  Executor& executor_;
  bool is_functional_;
  std::vector<Progress> progress_;
};

}  // namespace tilewright
