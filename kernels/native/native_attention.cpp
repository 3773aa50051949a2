#include "kernels/native/native_attention.h"

#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "kernels/native/panel_product.h"
#include "kernels/native/row_math.h"

namespace tilewright {

namespace {

/// Rows (token x query head of the group) whose scores are held at once.
constexpr int64_t kTileRows = 64;

void grow(std::vector<float>& values, int64_t count) {
  if (std::ssize(values) < count) values.resize(static_cast<size_t>(count));
}

/// First token that the token at `position` sees.
int64_t first_seen(int64_t position, int64_t window) {
  return window > 0 ? std::max<int64_t>(0, position + 1 - window) : 0;
}

}  // namespace

void NativeAttention::run(const SequenceSlice& slice, const KvStore& kv, const HeadShape& heads,
                          int64_t window, const float* queries, int64_t query_stride, float* out,
                          int64_t out_stride) {
  const int64_t group = heads.query_heads / heads.kv_heads;
  const int64_t tokens_of_tile = std::max<int64_t>(1, kTileRows / group);
  const int64_t origin = first_seen(slice.context, window);
  const int64_t gathered = slice.context + slice.tokens - origin;
  for (int64_t kv_head = 0; kv_head < heads.kv_heads; ++kv_head) {
    kv.gather_keys(slice.blocks, kv_head, origin, gathered, keys_);
    kv.gather_values(slice.blocks, kv_head, origin, gathered, values_);
    for (int64_t first = 0; first < slice.tokens; first += tokens_of_tile) {
      const Tile tile{first, std::min(tokens_of_tile, slice.tokens - first), origin, gathered};
      run_tile(slice, heads, kv_head, tile, window, queries, query_stride, out, out_stride);
    }
  }
}

void NativeAttention::run_tile(const SequenceSlice& slice, const HeadShape& heads, int64_t kv_head,
                               const Tile& tile, int64_t window, const float* queries,
                               int64_t query_stride, float* out, int64_t out_stride) {
  const int64_t group = heads.query_heads / heads.kv_heads;
  const int64_t width = heads.head_dim;
  const int64_t rows = tile.count * group;
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
  const int64_t head_offset = kv_head * group * width;

  grow(queries_, rows * width);
  for (int64_t t = 0; t < tile.count; ++t) {
    const float* from = queries + (tile.first + t) * query_stride + head_offset;
    float* to = queries_.data() + t * group * width;
    for (int64_t i = 0; i < group * width; ++i) to[i] = from[i] * scale;
  }

  // The panels that some token of the tile sees, counted from the first gathered token.
  const int64_t position = slice.context + tile.first;
  const int64_t begin = (first_seen(position, window) - tile.origin) / kPanelWidth * kPanelWidth;
  const int64_t end = position + tile.count - tile.origin;
  const int64_t panels = ceil_div(end - begin, kPanelWidth);
  const int64_t stride = (panels + 1) * kPanelWidth;  // softmax_row() may write behind a row
  grow(scores_, rows * stride);
  multiply_panels({queries_.data(), width, rows},
                  {keys_.data() + begin * width, kPanelWidth * width, panels, width},
                  scores_.data(), stride);

  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = position + row / group;
    const int64_t low = first_seen(at, window) - tile.origin - begin;
    const int64_t high = at + 1 - tile.origin - begin;
    float* scores = scores_.data() + row * stride;
    softmax_row(scores + low, high - low);
    std::fill(scores, scores + low, 0.0f);
    std::fill(scores + high, scores + (end - begin), 0.0f);
  }

  const int64_t padded = round_up(width, kPanelWidth);
  grow(sums_, rows * padded);
  multiply_panels({scores_.data(), stride, rows},
                  {values_.data() + begin * kPanelWidth, tile.gathered * kPanelWidth,
                   padded / kPanelWidth, end - begin},
                  sums_.data(), padded);
  for (int64_t row = 0; row < rows; ++row) {
    float* to = out + (tile.first + row / group) * out_stride + head_offset + row % group * width;
    std::copy_n(sums_.data() + row * padded, width, to);
  }
}

}  // namespace tilewright
