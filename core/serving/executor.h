#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tilewright {

/// The share of one request in a step: `tokens` new tokens after `context` tokens whose KV is
/// already in the cache. A prefill chunk has many tokens, a decode has one.
struct SequenceSlice {
  int64_t request = 0;   ///< index of the request in its workload
  int64_t context = 0;   ///< tokens in the KV cache before this step
  int64_t tokens = 0;    ///< tokens computed in this step, >= 1
  bool samples = false;  ///< the last of them yields an output token
  /// Physical KV blocks, in order; cover context + tokens. Owned by the engine, valid during the
  /// call.
  std::span<const int32_t> blocks;
};

/// What one step computes.
struct Batch {
  std::vector<SequenceSlice> slices;
};

/// Time spent in one kind of op during a step, all layers together.
struct OpTime {
  std::string op;  ///< "qkv", "attention", "rms_norm", ...
  int64_t calls = 0;
  int64_t ns = 0;
};

/// One executed step. Times are virtual, in ns.
struct Execution {
  int64_t start_ns = 0;  ///< when the device began with it
  int64_t accepts_next_ns =
      0;                    ///< when the device could begin with another batch (PP: before the end)
  int64_t end_ns = 0;       ///< when its tokens exist
  std::vector<OpTime> ops;  ///< sum of ns = end_ns - start_ns for one device
  std::vector<int32_t> tokens;  ///< one for each slice that samples; empty in timing mode
};

/// A run of unchanged decode steps: the same requests, each one token longer from step to step.
struct RepeatedExecution {
  std::vector<int64_t> end_ns;  ///< end of each step that was made
  std::vector<OpTime> ops;      ///< summed over the steps
};

/// What the device can hold.
struct Capacity {
  int64_t kv_blocks = 0;      ///< number of usable KV blocks of block_size tokens
  int64_t block_size = 0;     ///< tokens in a block
  int64_t max_model_len = 0;  ///< longest prompt + output
};

/// The device, as the serving engine sees it. Several batches may be in flight: execute() takes the
/// time from which the batch may start and answers at once with virtual times; the next call may
/// name a time before the end of an earlier batch.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual Capacity capacity() const = 0;

  /// Executes a batch that is ready at `ready_ns`.
  virtual Execution execute(const Batch& batch, int64_t ready_ns) = 0;

  /// Executes up to `limit` (>= 1) decode steps of the batch, back to back from `ready_ns`,
  /// stopping after the first that ends at or after `until_ns`; every slice has one token and
  /// samples, and its context grows by one each step (its blocks must cover the last one). Each
  /// step starts `gap_ns` after the end of the one before (host work between steps).
  virtual RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                          int64_t until_ns, int64_t gap_ns) = 0;
};

}  // namespace tilewright
