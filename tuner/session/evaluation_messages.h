#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tuner/session/evaluation_pool.h"

namespace tilewright {

/// What rank 0 and the workers of a job say to each other. One type for all messages: each kind
/// uses the fields named with it.
struct EvaluationMessage {
  enum class Kind {
    kEvaluator,  ///< to a worker: evaluator `number` is made of text, its id is `id`
    kTask,   ///< to a worker: evaluate `problem` with `config` by evaluator `number`, for `task`
    kLeave,  ///< to a worker: the work is over
    kLeaveLost,  ///< to a worker: the same, and not all workers are there any more
    kAnswer,     ///< from a worker: `evaluated` of `task`
    kStopped,    ///< from a worker: it was told to stop before it could answer `task`
    kRefused,    ///< from a worker: it cannot work, for the reason `text`
  };
  Kind kind = Kind::kLeave;
  int64_t number = 0;
  int64_t task = 0;
  std::string id = {};
  std::string text = {};
  std::string problem = {};
  std::string config = {};
  Evaluated evaluated = {};
};

/// As bytes; numbers keep every bit, texts every byte.
std::string encode(const EvaluationMessage& message);
/// Error (failed) for bytes that are no message.
EvaluationMessage decode_evaluation_message(std::string_view bytes);

}  // namespace tilewright
