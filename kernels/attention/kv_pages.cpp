#include "kernels/attention/kv_pages.h"

#include <algorithm>
#include <numeric>

#include "core/base/integers.h"

namespace tilewright {

KvTiling::KvTiling(int64_t block_size, int64_t tile) : block(block_size) {
  if (block <= tile) {
    piece = block;
    pieces = tile / block;
    return;
  }
  piece = tile;
  pieces_a_block = ceil_div(block, tile);
  uneven = block % tile != 0;
}

int64_t KvTiling::sector_rows() const {
  return std::gcd(block, piece);
}

KvPages kv_pages(const KvTiling& tiling, std::span<const int64_t> keys, int64_t kv_heads,
                 std::span<const int64_t> block_of) {
  KvPages pages;
  int64_t block = 0;
  int64_t last_block = 0;
  for (const int64_t count : keys) {
    KvRun run;
    run.first_piece = static_cast<int64_t>(pages.rows.size());
    run.keys = count;
    for (int64_t first = 0; first < count; first += tiling.block, ++block) {
      const int64_t physical = block_of.empty() ? block : block_of[static_cast<size_t>(block)];
      last_block = std::max(last_block, physical);
      const int64_t in_block = std::min(tiling.block, count - first);
      for (int64_t slot = 0; slot < in_block; slot += tiling.piece) {
        pages.rows.push_back(physical * kv_heads * tiling.block + slot);
        pages.counts.push_back(std::min(tiling.piece, in_block - slot));
        pages.positions.push_back(first + slot);
      }
    }
    run.pieces = static_cast<int64_t>(pages.rows.size()) - run.first_piece;
    run.tiles = ceil_div(run.pieces, tiling.pieces);
    pages.runs.push_back(run);
  }
  pages.cache_rows = (last_block + 1) * kv_heads * tiling.block;
  return pages;
}

int64_t first_key_of(const KvPages& pages, const KvTiling& tiling, size_t sequence, int64_t tiles) {
  const KvRun& run = pages.runs[sequence];
  const int64_t piece = tiles * tiling.pieces;
  return piece >= run.pieces ? run.keys
                             : pages.positions[static_cast<size_t>(run.first_piece + piece)];
}

}  // namespace tilewright
