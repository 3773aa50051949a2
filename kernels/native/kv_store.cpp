#include "kernels/native/kv_store.h"

#include <algorithm>
#include <limits>

#include "core/base/integers.h"
#include "kernels/native/panel_product.h"

namespace tilewright {

KvStore::KvStore(const KvShape& shape)
    : shape_(shape),
      keys_(static_cast<size_t>(shape.blocks * shape.block_size * shape.heads * shape.head_dim),
            std::numeric_limits<float>::quiet_NaN()),
      values_(keys_) {}

size_t KvStore::offset(int32_t block, int64_t head, int64_t slot) const {
  return static_cast<size_t>(((block * shape_.heads + head) * shape_.block_size + slot) *
                             shape_.head_dim);
}

void KvStore::write(int32_t block, int64_t slot, const float* keys, const float* values) {
  for (int64_t head = 0; head < shape_.heads; ++head) {
    const size_t at = offset(block, head, slot);
    std::copy_n(keys + head * shape_.head_dim, shape_.head_dim, keys_.data() + at);
    std::copy_n(values + head * shape_.head_dim, shape_.head_dim, values_.data() + at);
  }
}

void KvStore::copy(int32_t from, int32_t to, int64_t tokens) {
  const int64_t count = tokens * shape_.head_dim;
  for (int64_t head = 0; head < shape_.heads; ++head) {
    const size_t source = offset(from, head, 0);
    const size_t target = offset(to, head, 0);
    std::copy_n(keys_.data() + source, count, keys_.data() + target);
    std::copy_n(values_.data() + source, count, values_.data() + target);
  }
}

void KvStore::gather_keys(std::span<const int32_t> blocks, int64_t head, int64_t first,
                          int64_t count, std::vector<float>& panels) const {
  const int64_t width = shape_.head_dim;
  const int64_t needed = round_up(count, kPanelWidth) * width;
  if (std::ssize(panels) < needed) panels.resize(static_cast<size_t>(needed));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t token = first + i;
    const int32_t block = blocks[static_cast<size_t>(token / shape_.block_size)];
    const float* key = keys_.data() + offset(block, head, token % shape_.block_size);
    float* lane = panels.data() + i / kPanelWidth * kPanelWidth * width + i % kPanelWidth;
    for (int64_t d = 0; d < width; ++d) lane[d * kPanelWidth] = key[d];
  }
}

void KvStore::gather_values(std::span<const int32_t> blocks, int64_t head, int64_t first,
                            int64_t count, std::vector<float>& panels) const {
  const int64_t width = shape_.head_dim;
  const int64_t needed = round_up(width, kPanelWidth) * count;
  if (std::ssize(panels) < needed) panels.resize(static_cast<size_t>(needed));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t token = first + i;
    const int32_t block = blocks[static_cast<size_t>(token / shape_.block_size)];
    const float* value = values_.data() + offset(block, head, token % shape_.block_size);
    for (int64_t d = 0; d < width; d += kPanelWidth) {
      std::copy_n(value + d, std::min(kPanelWidth, width - d),
                  panels.data() + (d / kPanelWidth * count + i) * kPanelWidth);
    }
  }
}

}  // namespace tilewright
