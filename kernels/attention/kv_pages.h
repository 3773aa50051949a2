#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "simulator/launch.h"

namespace tilewright {

/// How tiles of about `tile` keys lie on blocks of a paged KV cache of any size. A *piece* is a run
/// of keys of one block that one load brings: a whole block, where a tile holds several, or else a
/// part of a block. All tiles but a sequence's last have as many pieces.
struct KvTiling {
  KvTiling(int64_t block_size, int64_t tile);

  int64_t block = 1;   ///< keys in a block
  int64_t piece = 1;   ///< keys of a piece, but for the last of a block or sequence
  int64_t pieces = 1;  ///< of a tile
  int64_t pieces_a_block = 1;
  /// Pieces of parts of a block differ in length: tiles have the lengths in a table.
  bool uneven = false;
  int64_t tokens() const { return piece * pieces; }  ///< keys of a tile at most
  int64_t sector_rows() const;                       ///< of L2: no piece touches part of a sector
};

/// The pieces of one sequence, in the tables.
struct KvRun {
  int64_t first_piece = 0;
  int64_t pieces = 0;
  int64_t tiles = 0;
  int64_t keys = 0;
};

/// Pieces of all sequences, one behind the other: tables of a launch.
struct KvPages {
  std::vector<KvRun> runs;         ///< of each sequence
  std::vector<int64_t> rows;       ///< of each piece: its first row for KV head 0
  std::vector<int64_t> counts;     ///< of each piece: keys
  std::vector<int64_t> positions;  ///< of each piece: its first key within the sequence
  int64_t cache_rows = 0;          ///< of the tensors of keys and of values
};

/// Lays out sequences with so many keys (> 0). Rows of the cache are [block][KV head][slot];
/// `block_of` gives the physical block of each block, sequences in order; empty: consecutive.
KvPages kv_pages(const KvTiling& tiling, std::span<const int64_t> keys, int64_t kv_heads,
                 std::span<const int64_t> block_of);

/// Keys of a sequence behind its first `tiles` tiles.
int64_t first_key_of(const KvPages& pages, const KvTiling& tiling, size_t sequence, int64_t tiles);

}  // namespace tilewright
