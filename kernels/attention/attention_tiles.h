#pragma once

#include <span>
#include <vector>

#include "kernels/attention/attention.h"

namespace tilewright {

/// One tile of query rows with all the KV that it sees.
struct QueryTile {
  int64_t first_row = 0;    // in the query tensor
  int64_t rows = 0;         // tokens x group
  int64_t first_rows = 0;   // of them done by the first vector core
  int64_t kv_length = 0;    // tokens that its last query sees
  int64_t visible = 0;      // tokens that its first query sees
  int64_t first_block = 0;  // into the table of blocks
  int64_t kv_head = 0;
  bool masked = false;  // more than one query token
};

/// The query tiles of all sequences: for each sequence and KV head, runs of as many tokens as
/// `tile_q` rows hold. `halves`: vector cores that share a tile.
std::vector<QueryTile> split_queries(const AttentionShape& shape,
                                     std::span<const AttentionSequence> sequences, int64_t tile_q,
                                     int halves);

/// Operations of both products on the tokens that are visible.
double flops_of(const AttentionShape& shape, const QueryTile& tile);

}  // namespace tilewright
