#include "kernels/attention/token_table.h"

#include <algorithm>

namespace tilewright {

int64_t TileHeights::of(AttentionStage stage) const {
  switch (stage) {
    case AttentionStage::kPrefill:
      return prefill;
    case AttentionStage::kDecode:
      return decode;
    case AttentionStage::kVerify:
      return verify;
  }
  return prefill;
}

std::vector<TokenEntry> token_table(std::span<const StageTokens> sequences,
                                    const TileHeights& heights) {
  std::vector<TokenEntry> table;
  table.reserve(sequences.size());
  int64_t start = 0;
  for (const StageTokens& sequence : sequences) {
    table.push_back({sequence.stage, start, sequence.tokens, sequence.kv_length,
                     heights.of(sequence.stage), sequence.causal});
    start += sequence.tokens;
  }
  return table;
}

std::vector<AttentionTile> attention_tiles(std::span<const TokenEntry> table, int64_t group) {
  std::vector<AttentionTile> tiles;
  for (size_t e = 0; e < table.size(); ++e) {
    const TokenEntry& entry = table[e];
    const int64_t tokens_per_tile = std::max<int64_t>(1, entry.tile_size / group);
    const int64_t heads_per_tile = std::min(entry.tile_size, group);
    for (int64_t token = 0; token < entry.tokens; token += tokens_per_tile) {
      AttentionTile tile;
      tile.entry = static_cast<int64_t>(e);
      tile.first_token = token;
      tile.tokens = std::min(tokens_per_tile, entry.tokens - token);
      tile.height = entry.tile_size;
      const int64_t all = entry.kv_length + entry.tokens;
      tile.visible = entry.causal ? entry.kv_length + token + 1 : all;
      tile.keys = entry.causal ? entry.kv_length + token + tile.tokens : all;
      for (int64_t head = 0; head < group; head += heads_per_tile) {
        tile.first_head = head;
        tile.heads = std::min(heads_per_tile, group - head);
        tiles.push_back(tile);
      }
    }
  }
  return tiles;
}

std::vector<int64_t> unit_loads(std::span<const AttentionTile> tiles, int64_t heads) {
  std::vector<int64_t> loads;
  loads.reserve(tiles.size() * static_cast<size_t>(heads));
  for (const AttentionTile& tile : tiles) {
    loads.insert(loads.end(), static_cast<size_t>(heads), tile.load());
  }
  return loads;
}

}  // namespace tilewright
