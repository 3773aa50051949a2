#pragma once

#include "kernels/attention/decode_tiles.h"

namespace tilewright {

/// Templates of the vector cores: scores of a task (pipeline 2, or those that the cube core left in
/// a workspace), and softmax.
class DecodeVector {
 public:
  /// Bindings behind those of DecodeTileNumbers.
  enum Binding {
    kQueryRow = DecodeTileNumbers::kBindings,
    kTilesBefore,  ///< tiles that this core has done before
    kTasksBefore,
    kWorkRow,  ///< first row of the lane in the workspaces
    kColumns,  ///< of the task's scores
    kPartRow,
    kBindings
  };

  DecodeVector(const DecodeLayout& layout, const DecodeFlags& between, const Machine& machine,
               Launch& launch);

  /// Columns of a task's scores.
  int64_t columns(const KvPages& pages, const DecodeTask& task) const;
  Template task(const DecodeVariant& variant) const;

 private:
  void emit_query(std::vector<Instruction>& list) const;
  void emit_scores(std::vector<Instruction>& list, const DecodeTile& tile) const;
  void load_scores(std::vector<Instruction>& list, int lane) const;
  void emit_softmax(std::vector<Instruction>& list, const DecodeVariant& variant) const;
  void store_results(std::vector<Instruction>& list, const DecodeVariant& variant) const;
  Tile rows(int64_t offset, const Expr& cols, int64_t stride, DType type) const;
  Tile column(int64_t offset) const { return rows(offset, 1, 0, DType::kF32); }
  Tile score_rows() const;
  Expr work_row() const;

  const DecodeLayout& layout_;
  const DecodeFlags& between_;
  DecodeTileNumbers numbers_;
  const Machine& machine_;
  int q_full_ = -1, q_free_ = -1, k_full_ = -1, k_free_ = -1, s_full_ = -1, s_free_ = -1,
      p_full_ = -1, p_free_ = -1;
};

}  // namespace tilewright
