#include "core/serving/token_identity.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

TokenIdentity::TokenIdentity(const Workload& workload)
    : piece_tokens_(workload.prefix_block_tokens), texts_(workload.requests.size()) {
  for (size_t i = 0; i < texts_.size(); ++i) {
    const Request& request = workload.requests[i];
    Text& text = texts_[i];
    text.prompt = request.prompt_tokens;
    text.prompt_ids = request.prompt_ids;
    text.output_ids = request.output_ids;
    if (!request.prompt_ids.empty() || piece_tokens_ <= 0) continue;
    uint64_t chain = 0;
    text.pieces.reserve(request.prefix_hashes.size());
    for (int64_t id : request.prefix_hashes) {
      chain = mix_bits(chain, static_cast<uint64_t>(id));
      text.pieces.push_back(chain);
    }
  }
}

void TokenIdentity::use_functional_ids() {
  is_functional_ = true;
  for (Text& text : texts_) text.ids.assign(text.prompt_ids.begin(), text.prompt_ids.end());
}

TokenIdentity::Run TokenIdentity::run_at(int64_t request, int64_t position) const {
  const Text& text = texts_[static_cast<size_t>(request)];
  const auto of_ids = [&](std::span<const int32_t> ids, int64_t first) -> Run {
    return {Kind::kId, 0, first + std::ssize(ids), ids.data() + (position - first)};
  };
  if (is_functional_) {
    TW_CHECK(position < std::ssize(text.ids), "only tokens that exist have an identity");
    return of_ids(text.ids, 0);
  }
  if (position >= text.prompt) {
    if (position - text.prompt < std::ssize(text.output_ids)) {
      return of_ids(text.output_ids, text.prompt);
    }
    return {Kind::kUnknown, static_cast<uint64_t>(request), std::numeric_limits<int64_t>::max()};
  }
  if (!text.prompt_ids.empty()) return of_ids(text.prompt_ids, 0);
  const int64_t piece = piece_tokens_ > 0 ? position / piece_tokens_ : 0;
  if (piece < std::ssize(text.pieces)) {
    return {Kind::kPiece, text.pieces[static_cast<size_t>(piece)],
            std::min(text.prompt, (piece + 1) * piece_tokens_)};
  }
  return {Kind::kUnknown, static_cast<uint64_t>(request), text.prompt};
}

uint64_t TokenIdentity::hash(uint64_t parent, int64_t request, int64_t begin, int64_t end) const {
  uint64_t value = parent;
  for (int64_t position = begin; position < end;) {
    const Run run = run_at(request, position);
    const int64_t run_end = std::min(run.end, end);
    if (run.kind == Kind::kId) {
      for (int64_t i = 0; i < run_end - position; ++i) {
        value = mix_bits(value, static_cast<uint32_t>(run.ids[i]));
      }
    } else {
      value = mix_bits(mix_bits(value, run.value), static_cast<uint64_t>(run_end - position));
      value = mix_bits(value, static_cast<uint64_t>(run.kind));
    }
    position = run_end;
  }
  return value;
}

TokenIdentity::Comparison TokenIdentity::compare(int64_t a, int64_t b, int64_t begin,
                                                 int64_t end) const {
  int64_t position = begin;
  while (position < end) {
    const Run left = run_at(a, position);
    const Run right = run_at(b, position);
    if (left.kind != right.kind || left.value != right.value) {
      return {position - begin,
              std::tie(left.kind, left.value) < std::tie(right.kind, right.value)};
    }
    const int64_t run_end = std::min({left.end, right.end, end});
    if (left.kind == Kind::kId) {
      const auto [x, y] = std::mismatch(left.ids, left.ids + (run_end - position), right.ids);
      const int64_t equal = x - left.ids;
      if (equal < run_end - position) return {position + equal - begin, *x < *y};
    }
    position = run_end;
  }
  return {end - begin, false};
}

}  // namespace tilewright
