#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/native/native_executor.h"

namespace tilewright {

/// How the driver cuts sequences into batches.
struct DriverOptions {
  int64_t chunk = 1 << 20;  ///< most tokens of a sequence in one batch
  bool mixed = true;        ///< all sequences in each batch; otherwise one after the other
  /// Drafts for a sequence of the given tokens; empty: none.
  std::function<std::vector<int32_t>(size_t, const std::vector<int32_t>&)> draft = {};
  SamplingParams sampling = {};
  /// Every row that a token was chosen from: sequence, position, logits.
  std::function<void(size_t, int64_t, std::span<const float>)> on_logits = {};
};

/// Runs prompts against an executor, with blocks that are handed out in a scattered order.
class Driver {
 public:
  Driver(Executor& executor, DriverOptions options)
      : executor_(executor), options_(std::move(options)), capacity_(executor.capacity()) {
    const int64_t half = ceil_div(capacity_.kv_blocks, 2);
    for (int64_t i = 0; i < half; ++i) {
      free_.push_back(static_cast<int32_t>(i));
      if (half + i < capacity_.kv_blocks) free_.push_back(static_cast<int32_t>(half + i));
    }
  }

  /// The `steps` tokens after each prompt.
  std::vector<std::vector<int32_t>> run(const std::vector<std::vector<int32_t>>& prompts,
                                        int64_t steps) {
    sequences_.clear();
    for (const auto& prompt : prompts) {
      sequences_.push_back({prompt, std::ssize(prompt), 0, {}, {}});
    }
    if (options_.mixed) {
      while (step(0, sequences_.size(), steps)) {
      }
    } else {
      for (size_t i = 0; i < sequences_.size(); ++i) {
        while (step(i, i + 1, steps)) {
        }
      }
    }
    std::vector<std::vector<int32_t>> outputs;
    for (const Sequence& each : sequences_) {
      const auto begin = each.ids.begin() + each.prompt;
      outputs.emplace_back(begin, begin + steps);
    }
    return outputs;
  }

  int64_t batches() const { return batches_; }

 private:
  struct Sequence {
    std::vector<int32_t> ids;
    int64_t prompt;
    int64_t computed;
    std::vector<int32_t> blocks;
    std::vector<int32_t> input;  ///< of the batch, drafts included
  };

  SequenceSlice slice_of(size_t index) {
    Sequence& sequence = sequences_[index];
    SequenceSlice slice;
    slice.request = static_cast<int64_t>(index);
    slice.context = sequence.computed;
    const int64_t left = std::ssize(sequence.ids) - sequence.computed;
    slice.tokens = std::min(options_.chunk, left);
    slice.samples = slice.tokens == left;
    slice.sampling = options_.sampling;
    const auto begin = sequence.ids.begin() + sequence.computed;
    sequence.input.assign(begin, begin + slice.tokens);
    if (slice.samples && options_.draft) {
      const std::vector<int32_t> drafts = options_.draft(index, sequence.ids);
      slice.drafts = std::ssize(drafts);
      slice.tokens += slice.drafts;
      sequence.input.insert(sequence.input.end(), drafts.begin(), drafts.end());
    }
    const int64_t blocks = ceil_div(slice.context + slice.tokens, capacity_.block_size);
    while (std::ssize(sequence.blocks) < blocks) {
      TW_CHECK(!free_.empty(), "the test's KV cache is large enough");
      sequence.blocks.push_back(free_.back());
      free_.pop_back();
    }
    slice.blocks = sequence.blocks;
    slice.ids = sequence.input;
    return slice;
  }

  /// One batch of the sequences [first, last) that want more tokens; false: none does.
  bool step(size_t first, size_t last, int64_t steps) {
    Batch batch;
    batch.wants_logits = static_cast<bool>(options_.on_logits);
    for (size_t i = first; i < last; ++i) {
      const Sequence& sequence = sequences_[i];
      if (std::ssize(sequence.ids) < sequence.prompt + steps) batch.slices.push_back(slice_of(i));
    }
    if (batch.slices.empty()) return false;
    const Execution result = executor_.execute(batch, batches_++);
    const int32_t* token = result.tokens.data();
    std::span<const float> rows = result.logits;
    const auto vocab = static_cast<size_t>(capacity_.vocab);
    size_t sample = 0;
    for (const SequenceSlice& slice : batch.slices) {
      Sequence& sequence = sequences_[static_cast<size_t>(slice.request)];
      if (!slice.samples) {
        sequence.computed += slice.tokens;
        continue;
      }
      const int64_t count = result.token_counts[sample++];
      for (int64_t i = 0; i < count; ++i) {
        if (options_.on_logits) {
          options_.on_logits(static_cast<size_t>(slice.request), std::ssize(sequence.ids),
                             rows.subspan(static_cast<size_t>(i) * vocab, vocab));
        }
        sequence.ids.push_back(*token++);
      }
      if (batch.wants_logits) rows = rows.subspan(static_cast<size_t>(slice.drafts + 1) * vocab);
      sequence.computed = std::ssize(sequence.ids) - 1;
    }
    return true;
  }

  Executor& executor_;
  DriverOptions options_;
  Capacity capacity_;
  std::vector<int32_t> free_;
  std::vector<Sequence> sequences_;
  int64_t batches_ = 0;
};

}  // namespace tilewright
