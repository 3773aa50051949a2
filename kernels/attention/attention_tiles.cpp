#include "kernels/attention/attention_tiles.h"

#include <algorithm>
#include <numeric>

#include "core/base/integers.h"

namespace tilewright {

namespace {

int64_t rows_of_first_half(int64_t rows, int64_t tokens, int64_t group, int halves) {
  if (rows <= kWholeRows) return rows;
  // Masking counts rows from the start of a token, so halves meet between tokens.
  return tokens == 1 ? ceil_div(rows, halves) : ceil_div(tokens, halves) * group;
}

}  // namespace

std::vector<QueryTile> split_queries(const AttentionShape& shape,
                                     std::span<const AttentionSequence> sequences, int64_t tile_q,
                                     int halves) {
  const int64_t group = shape.heads / shape.kv_heads;
  const int64_t tokens_per_tile = std::max<int64_t>(1, tile_q / group);
  const int64_t all_tokens =
      std::accumulate(sequences.begin(), sequences.end(), int64_t{0},
                      [](int64_t sum, const AttentionSequence& s) { return sum + s.tokens; });
  std::vector<QueryTile> tiles;
  int64_t first_token = 0;
  int64_t first_block = 0;
  for (const AttentionSequence& sequence : sequences) {
    for (int64_t head = 0; head < shape.kv_heads; ++head) {
      for (int64_t t = 0; t < sequence.tokens; t += tokens_per_tile) {
        const int64_t tokens = std::min(tokens_per_tile, sequence.tokens - t);
        QueryTile tile;
        tile.first_row = (head * all_tokens + first_token + t) * group;
        tile.rows = tokens * group;
        tile.first_rows = rows_of_first_half(tile.rows, tokens, group, halves);
        tile.visible = sequence.context + t + 1;
        tile.kv_length = sequence.context + t + tokens;
        tile.first_block = first_block;
        tile.kv_head = head;
        tile.masked = tokens > 1;
        tiles.push_back(tile);
      }
    }
    first_token += sequence.tokens;
    first_block += ceil_div(sequence.context + sequence.tokens, shape.block_size);
  }
  return tiles;
}

double flops_of(const AttentionShape& shape, const QueryTile& tile) {
  return 4.0 * static_cast<double>(shape.dim * tile.rows) *
         static_cast<double>(tile.visible + tile.kv_length) / 2;
}

}  // namespace tilewright
