#include "kernels/attention/decode_tiles.h"

#include <algorithm>

#include "kernels/vector/vector_builder.h"

namespace tilewright {

int64_t DecodeTileNumbers::last_pieces(const DecodeLayout& layout, const KvPages& pages,
                                       const DecodeTask& task) {
  const KvRun& run = pages.runs[static_cast<size_t>(task.sequence)];
  const int64_t first = (task.first_tile + task.tiles - 1) * layout.tiling.pieces;
  return std::min(layout.tiling.pieces, run.pieces - first);
}

std::array<int64_t, DecodeTileNumbers::kBindings> DecodeTileNumbers::bindings(
    const DecodeLayout& layout, const KvPages& pages, const DecodeTask& task) {
  const KvRun& run = pages.runs[static_cast<size_t>(task.sequence)];
  const int64_t first = run.first_piece + task.first_tile * layout.tiling.pieces;
  const int64_t last =
      first + (task.tiles - 1) * layout.tiling.pieces + last_pieces(layout, pages, task) - 1;
  return {first, pages.counts[static_cast<size_t>(last)], task.head * layout.tiling.block,
          task.first_key, task.tiles - 1};
}

int64_t DecodeTileNumbers::columns(const DecodeLayout& layout, const KvPages& pages,
                                   const DecodeTask& task) {
  if (!layout.config.vector_scores) return task.keys;
  const int64_t before_last = first_key_of(pages, layout.tiling, static_cast<size_t>(task.sequence),
                                           task.first_tile + task.tiles - 1);
  return (task.tiles - 1) * layout.pitch + task.first_key + task.keys - before_last;
}

Expr DecodeTileNumbers::piece_rows(const DecodeTile& tile, int64_t piece) const {
  if (layout_.tiling.uneven) {
    return Expr::table(kPieceCounts, Expr::binding(kFirstPiece) + tile.number);
  }
  const bool short_one = tile.is_last && piece + 1 == tile.pieces;
  return short_one ? Expr::binding(kLastRows) : Expr(layout_.tiling.piece);
}

Expr DecodeTileNumbers::tokens(const DecodeTile& tile) const {
  return piece_rows(tile, tile.pieces - 1) + (tile.pieces - 1) * layout_.tiling.piece;
}

Expr DecodeTileNumbers::column(const DecodeTile& tile) const {
  if (layout_.config.vector_scores || !layout_.tiling.uneven) return tile.number * layout_.pitch;
  return Expr::table(kPiecePositions, Expr::binding(kFirstPiece) + tile.number) +
         Expr::binding(kFirstKey) * -1;
}

Tile DecodeTileNumbers::piece(int tensor, const DecodeTile& tile, int64_t piece) const {
  const Expr number = Expr::binding(kFirstPiece) + tile.number * layout_.tiling.pieces + piece;
  Tile from = gm_tile(tensor, Expr::table(kPieceRows, number) + Expr::binding(kHeadRow), 0,
                      piece_rows(tile, piece), layout_.shape.dim);
  from.type = layout_.shape.type;
  return from;
}

}  // namespace tilewright
