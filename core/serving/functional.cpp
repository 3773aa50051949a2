#include "core/serving/functional.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

bool is_block(int32_t block, const Capacity& capacity) {
  return block >= 0 && block < capacity.kv_blocks;
}

void check_slice(const SequenceSlice& slice, const Capacity& capacity) {
  TW_CHECK(slice.tokens >= 1 && slice.context >= 0, "a slice has tokens");
  TW_CHECK(slice.drafts >= 0 && slice.drafts < slice.tokens, "drafts follow a token");
  TW_CHECK(std::ssize(slice.ids) == slice.tokens, "functional mode needs the tokens");
  TW_CHECK(ceil_div(slice.context + slice.tokens, capacity.block_size) <= std::ssize(slice.blocks),
           "the blocks cover the tokens");
  for (const int32_t block : slice.blocks) TW_CHECK(is_block(block, capacity), "a block exists");
  for (const int32_t id : slice.ids) {
    if (id >= 0 && id < capacity.vocab) continue;
    throw Error(ErrorKind::kFailed,
                fmt::format("request {}: token {} is not in the model's vocabulary of {}",
                            slice.request, id, capacity.vocab));
  }
}

void check_numbers(std::span<const float> logits, int64_t request) {
  const auto is_number = [](float value) { return std::isfinite(value); };
  if (std::all_of(logits.begin(), logits.end(), is_number)) return;
  throw Error(ErrorKind::kFailed,
              fmt::format("request {}: its logits are not finite; either the model's numbers do "
                          "not fit the type it is computed in, or KV was read that nobody wrote",
                          request));
}

}  // namespace

void check_functional_batch(const Batch& batch, const Capacity& capacity) {
  for (const SequenceSlice& slice : batch.slices) check_slice(slice, capacity);
  for (const BlockCopy& copy : batch.copies) {
    TW_CHECK(is_block(copy.from, capacity) && is_block(copy.to, capacity) && copy.from != copy.to,
             "a block is copied into another");
    TW_CHECK(copy.tokens >= 0 && copy.tokens <= capacity.block_size, "a block holds the tokens");
  }
}

int64_t logit_rows(const Batch& batch) {
  int64_t rows = 0;
  for (const SequenceSlice& slice : batch.slices) rows += slice.samples ? slice.drafts + 1 : 0;
  return rows;
}

void add_tokens(const Batch& batch, const Capacity& capacity, std::span<const float> logits,
                Execution& execution) {
  TW_CHECK(std::ssize(logits) == logit_rows(batch) * capacity.vocab, "all logits are there");
  size_t at = 0;
  for (const SequenceSlice& slice : batch.slices) {
    if (!slice.samples) continue;
    const auto count = static_cast<size_t>((slice.drafts + 1) * capacity.vocab);
    const std::span<const float> rows = logits.subspan(at, count);
    at += count;
    check_numbers(rows, slice.request);
    const std::vector<int32_t> tokens = verify(
        rows, capacity.vocab, slice.ids.last(static_cast<size_t>(slice.drafts)), slice.sampling,
        static_cast<uint64_t>(slice.request), slice.context + slice.tokens - slice.drafts);
    execution.tokens.insert(execution.tokens.end(), tokens.begin(), tokens.end());
    execution.token_counts.push_back(std::ssize(tokens));
  }
  if (batch.wants_logits) execution.logits.assign(logits.begin(), logits.end());
}

}  // namespace tilewright
