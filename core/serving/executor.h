#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/serving/sampling.h"

namespace tilewright {

/// The share of one request in a step: `tokens` new tokens after `context` tokens whose KV is
/// already in the cache. A prefill chunk has many tokens, a decode has one, a verification one and
/// its drafts.
struct SequenceSlice {
  int64_t request = 0;   ///< index of the request in its workload
  int64_t context = 0;   ///< tokens in the KV cache before this step
  int64_t tokens = 0;    ///< tokens computed in this step, drafts included, >= 1
  bool samples = false;  ///< the last of them, and each draft, yields logits: drafts + 1 rows
  int64_t drafts = 0;    ///< the last so many tokens are drafts to verify, < tokens
  /// Physical KV blocks, in order; cover context + tokens. Owned by the engine, valid during the
  /// call.
  std::span<const int32_t> blocks = {};
  /// The `tokens` ids, drafts included; empty in timing mode. Valid during the call.
  std::span<const int32_t> ids = {};
  SamplingParams sampling = {};
};

/// KV of the first `tokens` tokens of one block that is to be copied into another before the step:
/// a request that shares part of a block gets its own (copy-on-write).
struct BlockCopy {
  int32_t from = 0;
  int32_t to = 0;
  int64_t tokens = 0;
};

/// What one step computes. Requests share blocks: a slice may read KV that an earlier slice of the
/// same batch writes, so in each layer KV of all slices is written before it is read (or slice
/// after slice, in order).
struct Batch {
  std::vector<SequenceSlice> slices;
  std::vector<BlockCopy> copies = {};  ///< made in this order, before anything is computed
  bool wants_logits = false;           ///< functional executors answer with Execution::logits
};

/// Time spent in one kind of op during a step, all layers together.
struct OpTime {
  std::string op;  ///< "qkv", "attention", "rms_norm", ...
  int64_t calls = 0;
  int64_t ns = 0;
};

/// What a step has to do at least, all chips together: the model FLOPs and the bytes that MFU and
/// MBU count (vLLM's analytic formulas).
struct StepWork {
  double flops = 0;
  double weight_bytes = 0;  ///< read
  double kv_read_bytes = 0;
  double kv_write_bytes = 0;

  StepWork& operator+=(const StepWork& other) {
    flops += other.flops;
    weight_bytes += other.weight_bytes;
    kv_read_bytes += other.kv_read_bytes;
    kv_write_bytes += other.kv_write_bytes;
    return *this;
  }
};

/// One executed step. Times are virtual, in ns.
struct Execution {
  int64_t start_ns = 0;  ///< when the device began with it
  /// When the device could begin with another batch (with pipeline stages before the end).
  int64_t accepts_next_ns = 0;
  int64_t end_ns = 0;  ///< when its tokens exist; start_ns where an executor models no time
  std::vector<OpTime> ops = {};  ///< sum of ns + idle_ns = end_ns - start_ns
  int64_t idle_ns = 0;           ///< of those, time in which the device waited for the host
  StepWork work = {};
  /// Functional mode: for each slice that samples, in order, what the model says after the tokens
  /// that it accepted: accepted drafts, then one more. token_counts holds how many of each slice
  /// (1 to drafts + 1). Both are empty in timing mode.
  std::vector<int32_t> tokens = {};
  std::vector<int64_t> token_counts = {};
  /// On request: drafts + 1 rows of vocab logits for each slice that samples.
  std::vector<float> logits = {};
};

/// A run of unchanged decode steps: the same requests, each one token longer from step to step.
struct RepeatedExecution {
  std::vector<int64_t> end_ns;  ///< end of each step that was made
  std::vector<OpTime> ops;      ///< summed over the steps
  int64_t idle_ns = 0;          ///< summed over the steps
  StepWork work = {};           ///< summed over the steps
};

/// What the device can hold.
struct Capacity {
  int64_t kv_blocks = 0;        ///< number of usable KV blocks of block_size tokens
  int64_t block_size = 0;       ///< tokens in a block
  int64_t max_model_len = 0;    ///< longest prompt + output
  int64_t max_in_flight = 1;    ///< batches that may be under way at once (pipeline stages)
  int64_t vocab = 0;            ///< logits in a row; 0 in timing mode
  bool functional = false;      ///< execute() answers with tokens, and needs the slices' ids
  double peak_flops = 0;        ///< per second, all chips together; 0 where no time is modelled
  double peak_bytes_per_s = 0;  ///< of HBM, all chips together
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
