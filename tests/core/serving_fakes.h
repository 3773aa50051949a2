#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "core/base/random.h"
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
  bool blocks_are_shared = false;  ///< requests may have blocks in common

  struct Seen {
    int64_t request, context, tokens;
    bool samples;
    int64_t drafts = 0;
    bool operator==(const Seen&) const = default;
  };
  std::vector<std::vector<Seen>> steps;
  int64_t repeated_steps = 0;

  Capacity capacity() const override { return device; }

  Execution execute(const Batch& batch, int64_t ready_ns) override {
    steps.emplace_back();
    std::set<int32_t> held;
    for (const SequenceSlice& slice : batch.slices) {
      steps.back().push_back(
          {slice.request, slice.context, slice.tokens, slice.samples, slice.drafts});
      check(slice, 1, held);
    }
    Execution done;
    done.ops = times(batch, 0);
    done.start_ns = std::max(ready_ns, free_ns_);
    done.work = {.flops = static_cast<double>(batch.slices.size())};
    const int64_t step_ns = done.ops[0].ns + done.ops[1].ns;
    done.end_ns = std::max(done.start_ns + step_ns, last_end_ns_);
    done.accepts_next_ns = done.start_ns + step_ns / device.max_in_flight;
    free_ns_ = done.accepts_next_ns;
    last_end_ns_ = done.end_ns;
    return done;
  }

  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override {
    std::set<int32_t> held;
    for (const SequenceSlice& slice : batch.slices) {
      EXPECT_TRUE(slice.samples && slice.tokens == 1);
      check(slice, limit, held);
    }
    RepeatedExecution done;
    ready_ns = std::max(ready_ns, free_ns_);
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
      const int64_t step_ns = ops[0].ns + ops[1].ns;
      free_ns_ = ready_ns + step_ns / device.max_in_flight;
      ready_ns += step_ns;
      done.work.flops += static_cast<double>(batch.slices.size());
      done.end_ns.push_back(ready_ns);
      if (ready_ns >= until_ns) break;
      ready_ns += gap_ns;
    }
    last_end_ns_ = done.end_ns.back();
    repeated_steps += static_cast<int64_t>(done.end_ns.size());
    return done;
  }

 private:
  void check(const SequenceSlice& slice, int64_t repeats, std::set<int32_t>& held) const {
    EXPECT_GE(slice.tokens, 1);
    EXPECT_LT(slice.drafts, slice.tokens);
    EXPECT_GE(static_cast<int64_t>(slice.blocks.size()) * device.block_size,
              slice.context + slice.tokens + repeats - 1);
    std::set<int32_t> own;
    for (int32_t block : slice.blocks) {
      EXPECT_TRUE(own.insert(block).second) << "a request has block " << block << " twice";
      EXPECT_TRUE(held.insert(block).second || blocks_are_shared)
          << "two requests share block " << block;
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

  int64_t free_ns_ = 0;
  int64_t last_end_ns_ = 0;
};

/// A model whose next token is a hash of all tokens before it, read through the block table: a
/// wrong block, copy or roll-back changes what it says. KV is the tokens themselves.
class FakeModel : public Executor {
 public:
  explicit FakeModel(const Capacity& capacity) : device_(capacity) {
    device_.functional = true;
    kv_.assign(static_cast<size_t>(device_.kv_blocks * device_.block_size), -1);
  }

  /// Chance in 256 that it says something else than the plain model: a bad draft model.
  uint64_t mistakes = 0;
  int64_t step_ns = 10;
  int64_t copies = 0;
  int64_t steps = 0;

  Capacity capacity() const override { return device_; }

  /// What follows `ids`.
  static int32_t next(std::span<const int32_t> ids, int64_t vocab, uint64_t mistakes = 0) {
    uint64_t hash = 1;
    for (int32_t id : ids) hash = mix_bits(hash, static_cast<uint64_t>(id));
    // Tokens come in threes from what is six to three tokens back, so that looking up works at
    // times.
    if (ids.size() >= 6 && hash % 3 != 0) hash = static_cast<uint64_t>(ids[ids.size() - 3]);
    if (mix_bits(hash, 99) % 256 < mistakes) ++hash;
    return static_cast<int32_t>(hash % static_cast<uint64_t>(vocab));
  }

  Execution execute(const Batch& batch, int64_t ready_ns) override {
    ++steps;
    for (const BlockCopy& copy : batch.copies) {
      ++copies;
      EXPECT_NE(copy.from, copy.to);
      for (int64_t i = 0; i < device_.block_size; ++i) {
        cell(copy.to, i) = i < copy.tokens ? cell(copy.from, i) : -1;
      }
    }
    Execution done;
    for (const SequenceSlice& slice : batch.slices) add(slice, batch.wants_logits, done);
    done.start_ns = std::max(ready_ns, free_ns_);
    done.end_ns = done.start_ns + step_ns;
    free_ns_ = done.accepts_next_ns = done.start_ns + step_ns / device_.max_in_flight;
    return done;
  }

  RepeatedExecution repeat_decode(const Batch&, int64_t, int64_t, int64_t, int64_t) override {
    ADD_FAILURE() << "tokens are made one step after the other";
    return {};
  }

 private:
  int32_t& cell(int32_t block, int64_t offset) {
    return kv_[static_cast<size_t>(block * device_.block_size + offset)];
  }

  void add(const SequenceSlice& slice, bool wants_logits, Execution& done) {
    ASSERT_EQ(std::ssize(slice.ids), slice.tokens);
    const auto at = [&](int64_t position) -> int32_t& {
      return cell(slice.blocks[static_cast<size_t>(position / device_.block_size)],
                  position % device_.block_size);
    };
    for (int64_t i = 0; i < slice.tokens; ++i) {
      at(slice.context + i) = slice.ids[static_cast<size_t>(i)];
    }
    if (!slice.samples) return;
    std::vector<int32_t> ids;
    const int64_t end = slice.context + slice.tokens;
    for (int64_t position = 0; position < end; ++position) ids.push_back(at(position));
    int64_t count = 0;
    bool goes_on = true;
    for (int64_t row = 0; row <= slice.drafts; ++row) {
      const auto before = static_cast<size_t>(end - slice.drafts + row);
      const int32_t token = next(std::span(ids).first(before), device_.vocab, mistakes);
      if (wants_logits) {
        std::vector<float> logits(static_cast<size_t>(device_.vocab), 0.0F);
        logits[static_cast<size_t>(token)] = 1.0F;
        done.logits.insert(done.logits.end(), logits.begin(), logits.end());
      }
      if (!goes_on) continue;
      done.tokens.push_back(token);
      ++count;
      goes_on = row < slice.drafts && token == ids[before];
    }
    done.token_counts.push_back(count);
  }

  Capacity device_;
  std::vector<int32_t> kv_;
  int64_t free_ns_ = 0;
};

/// A workload of (arrival, prompt, output).
inline Workload workload_of(std::vector<Request> requests) {
  return {.name = "test", .source = "test", .requests = std::move(requests)};
}

/// A scheduler with what it refers to, all of whose requests wait.
struct TestScheduler {
  TestScheduler(const Capacity& capacity, const ServingOptions& options, Workload requests)
      : workload(std::move(requests)),
        tokens(workload),
        scheduler(capacity, options, workload, tokens) {
    for (int64_t i = 0; i < std::ssize(workload.requests); ++i) scheduler.enqueue(i);
  }

  Workload workload;
  TokenIdentity tokens;
  Scheduler scheduler;
};

}  // namespace tilewright
