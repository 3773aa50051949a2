#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// What a sequence does in a step.
enum class AttentionStage : uint8_t {
  kPrefill,  ///< P: a prompt or a chunk of one
  kDecode,   ///< D: one token
  kVerify,   ///< V: a token and the drafts behind it
};

/// Rows of a query tile for each stage: query tokens times the query heads that share its keys. The
/// defaults are those that the XY-Serve paper (ASPLOS 2026) names.
struct TileHeights {
  int64_t prefill = 128;
  int64_t decode = 16;
  int64_t verify = 64;

  int64_t of(AttentionStage stage) const;
};

/// New tokens of one sequence in a step.
struct StageTokens {
  AttentionStage stage = AttentionStage::kPrefill;
  int64_t tokens = 0;
  int64_t kv_length = 0;  ///< keys before these tokens: history, without the tokens themselves
  bool causal = true;     ///< false: each token sees all of them (no mask, or that of a tree)
};

/// A row of the Token-Table: a run of tokens in the packed token buffer of a step. As in
/// StageTokens, `kv_length` is history: the last token of a run sees kv_length + tokens keys.
struct TokenEntry {
  AttentionStage stage = AttentionStage::kPrefill;
  int64_t start = 0;  ///< first row in the packed token buffer
  int64_t tokens = 0;
  int64_t kv_length = 0;
  int64_t tile_size = 0;  ///< rows of its tiles
  bool causal = true;
};

/// The Token-Table of a step: its sequences in order, packed one behind the other.
std::vector<TokenEntry> token_table(std::span<const StageTokens> sequences,
                                    const TileHeights& heights);

/// A tile of query rows, the same for every KV head: `tokens` tokens, of each `heads` of the query
/// heads that share a KV head. Only a group that is larger than the tile is cut, with one token a
/// tile; else `first_head` is 0 and `heads` the whole group.
struct AttentionTile {
  int64_t entry = 0;        ///< in the Token-Table
  int64_t first_token = 0;  ///< within the entry
  int64_t tokens = 0;
  int64_t first_head = 0;  ///< within the group
  int64_t heads = 1;
  int64_t height = 0;   ///< rows that the tile has room for: the entry's tile size
  int64_t visible = 0;  ///< keys that its first token sees
  int64_t keys = 0;     ///< keys that its last token sees: all that the tile needs

  int64_t rows() const { return tokens * heads; }
  /// Work of the tile: all of its height meets every key.
  int64_t load() const { return height * keys; }
};

/// The tiles of all entries in order, for `group` query heads a KV head (1: every query head is a
/// unit of its own).
std::vector<AttentionTile> attention_tiles(std::span<const TokenEntry> table, int64_t group);

/// Loads of the units of work of a step. A unit is a tile for one of `heads` heads; unit u is tile
/// u / heads for head u % heads.
std::vector<int64_t> unit_loads(std::span<const AttentionTile> tiles, int64_t heads);

}  // namespace tilewright
