#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "core/serving/engine.h"

namespace tilewright {

/// A device whose step takes base + per_token * tokens + per_context * (context of all slices) ns.
/// It checks what an executor may rely on, and remembers the batches of single steps.
class FakeExecutor : public Executor {
 public:
  Capacity device{.kv_blocks = 1000, .block_size = 4, .max_model_len = 4096};
  int64_t base_ns = 10;
  int64_t per_token_ns = 0;
  int64_t per_context_ns = 0;

  struct Seen {
    int64_t request, context, tokens;
    bool samples;
    bool operator==(const Seen&) const = default;
  };
  std::vector<std::vector<Seen>> steps;
  int64_t repeated_steps = 0;

  Capacity capacity() const override { return device; }

  Execution execute(const Batch& batch, int64_t ready_ns) override {
    steps.emplace_back();
    std::set<int32_t> held;
    for (const SequenceSlice& slice : batch.slices) {
      steps.back().push_back({slice.request, slice.context, slice.tokens, slice.samples});
      check(slice, 1, held);
    }
    std::vector<OpTime> ops = times(batch, 0);
    const int64_t end_ns = ready_ns + ops[0].ns + ops[1].ns;
    return {
        .start_ns = ready_ns, .accepts_next_ns = end_ns, .end_ns = end_ns, .ops = std::move(ops)};
  }

  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override {
    std::set<int32_t> held;
    for (const SequenceSlice& slice : batch.slices) {
      EXPECT_TRUE(slice.samples && slice.tokens == 1);
      check(slice, limit, held);
    }
    RepeatedExecution done;
    for (int64_t step = 0; step < limit; ++step) {
      const std::vector<OpTime> ops = times(batch, step);
      if (done.ops.empty()) {
        done.ops = ops;
      } else {
        for (size_t i = 0; i < ops.size(); ++i) {
          done.ops[i].calls += ops[i].calls;
          done.ops[i].ns += ops[i].ns;
        }
      }
      ready_ns += ops[0].ns + ops[1].ns;
      done.end_ns.push_back(ready_ns);
      if (ready_ns >= until_ns) break;
      ready_ns += gap_ns;
    }
    repeated_steps += static_cast<int64_t>(done.end_ns.size());
    return done;
  }

 private:
  void check(const SequenceSlice& slice, int64_t repeats, std::set<int32_t>& held) const {
    EXPECT_GE(slice.tokens, 1);
    EXPECT_GE(static_cast<int64_t>(slice.blocks.size()) * device.block_size,
              slice.context + slice.tokens + repeats - 1);
    for (int32_t block : slice.blocks) {
      EXPECT_TRUE(held.insert(block).second) << "two requests share block " << block;
    }
  }

  std::vector<OpTime> times(const Batch& batch, int64_t later) const {
    int64_t tokens = 0;
    int64_t context = 0;
    for (const SequenceSlice& slice : batch.slices) {
      tokens += slice.tokens;
      context += slice.context + later;
    }
    return {{"gemm", 1, base_ns + per_token_ns * tokens},
            {"attention", 2, per_context_ns * context}};
  }
};

/// A workload of (arrival, prompt, output).
inline Workload workload_of(std::vector<Request> requests) {
  return {.name = "test", .source = "test", .requests = std::move(requests)};
}

}  // namespace tilewright
