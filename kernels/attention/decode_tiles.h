#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "kernels/attention/decode_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// Tensors of a decode launch.
enum DecodeTensor {
  kDecodeQ,
  kDecodeK,
  kDecodeV,
  kDecodeOut,
  kDecodeProbabilities,
  kDecodeScores,   ///< pipeline 3
  kDecodePartial,  ///< where tasks are parts: rows of kv_reduce.h
};

/// Tables of a decode launch: rows, lengths and positions of the pieces (kv_pages.h).
enum DecodeTable { kPieceRows, kPieceCounts, kPiecePositions };

/// Flags between the cores, by lane.
struct DecodeFlags {
  int p_ready[2] = {-1, -1}, p_free[2] = {-1, -1};
  int s_ready[2] = {-1, -1}, s_free[2] = {-1, -1};  ///< pipeline 3
  int parts_done = -1;
};

/// What templates of a kind of task differ in.
struct DecodeVariant {
  int lane = 0;
  int64_t last_pieces = 1;  ///< of the last tile
  bool several = false;     ///< tiles
  bool part = false;        ///< of a sequence's keys
  bool last_part = false;   ///< of the core: reports that its parts are done

  auto key() const { return std::tuple(lane, last_pieces, several, part, last_part); }
};

/// A tile of a task, in a template.
struct DecodeTile {
  Expr number = 0;  ///< within the task
  int64_t pieces = 1;
  bool is_last = false;   ///< of the task: its last piece may be short
  bool is_first = false;  ///< of the task; in a body: in the first iteration
};

/// Numbers of a tile, from bindings that the templates of both kinds of core have.
class DecodeTileNumbers {
 public:
  enum Binding { kFirstPiece, kLastRows, kHeadRow, kFirstKey, kMiddle, kBindings };

  explicit DecodeTileNumbers(const DecodeLayout& layout) : layout_(layout) {}

  static std::array<int64_t, kBindings> bindings(const DecodeLayout& layout, const KvPages& pages,
                                                 const DecodeTask& task);
  /// Pieces of a task's last tile.
  static int64_t last_pieces(const DecodeLayout& layout, const KvPages& pages,
                             const DecodeTask& task);

  /// Columns of a task's scores.
  static int64_t columns(const DecodeLayout& layout, const KvPages& pages, const DecodeTask& task);

  Expr piece_rows(const DecodeTile& tile, int64_t piece) const;
  Expr tokens(const DecodeTile& tile) const;
  Expr column(const DecodeTile& tile) const;  ///< of its first score
  Tile piece(int tensor, const DecodeTile& tile, int64_t piece) const;

  /// Calls emit(list, tile) for the tiles of a task: those but the last make the body.
  template <typename Emit>
  void for_each_tile(Template& body, const DecodeVariant& variant, Emit emit) const {
    if (variant.several) {
      body.count = Expr::binding(kMiddle);
      emit(body.body, DecodeTile{Expr::index(), layout_.tiling.pieces, false, true});
    }
    emit(body.epilogue,
         DecodeTile{Expr::binding(kMiddle), variant.last_pieces, true, !variant.several});
  }

 private:
  const DecodeLayout& layout_;
};

}  // namespace tilewright
