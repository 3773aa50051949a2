#pragma once

#include "kernels/attention/decode_tiles.h"

namespace tilewright {

/// Templates of the cube core: scores Q K^T of a task (pipeline 3), and its values P V. All tiles
/// of keys and values go through one ring in L1 and one in L0.
class DecodeCube {
 public:
  /// Bindings behind those of DecodeTileNumbers.
  enum Binding {
    kRow = DecodeTileNumbers::kBindings,  ///< of q, or of the result
    kTilesBefore,                         ///< tiles of keys and values before
    kKindTilesBefore,                     ///< tiles before in tasks of the same kind
    kKindTasksBefore,
    kLaneTasksBefore,  ///< of the same kind, of the same lane
    kWorkRow,          ///< first row of the lane in the workspaces
    kBindings
  };

  DecodeCube(const DecodeLayout& layout, const DecodeFlags& between, Launch& launch);

  Template scores(const DecodeVariant& variant) const;
  Template values(const DecodeVariant& variant) const;

 private:
  Expr tile_ring(const DecodeTile& tile, int64_t slots) const;
  Expr kind_ring(const DecodeTile& tile, int64_t slots) const;
  Expr work_row() const;
  Tile l1(const Expr& offset, const Expr& rows, const Expr& cols, int64_t stride) const;
  Tile l0(Memory space, const Expr& offset, const Expr& rows, const Expr& cols) const;
  Tile l0c(const Expr& offset, const Expr& cols) const;
  void load_tile_of(std::vector<Instruction>& list, int tensor, const DecodeTile& tile) const;
  void emit_query(std::vector<Instruction>& list) const;
  void emit_scores(std::vector<Instruction>& list, const DecodeTile& tile, int lane) const;
  void emit_values(std::vector<Instruction>& list, const DecodeTile& tile,
                   const DecodeVariant& variant) const;
  void drain_values(std::vector<Instruction>& list, const DecodeVariant& variant) const;

  const DecodeLayout& layout_;
  const DecodeFlags& between_;
  DecodeTileNumbers numbers_;
  int q_full_ = -1, q_free_ = -1, l0q_free_ = -1, kv_full_ = -1, kv_free_ = -1, p_full_ = -1,
      p_free_ = -1, l0_full_ = -1, l0_free_ = -1, s_full_ = -1, s_free_ = -1, o_full_ = -1,
      o_free_ = -1;
};

}  // namespace tilewright
