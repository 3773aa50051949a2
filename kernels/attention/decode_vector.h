#pragma once

#include "kernels/attention/decode_tiles.h"

namespace tilewright {

/// Templates of the vector cores: scores of a task (pipeline 2, or those that the cube core left in
/// a workspace), and softmax. All have the same bindings.
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

  Template task(const DecodeVariant& variant) const;
  /// Reads a task's queries for nothing but to have them in L2 when the cube core comes, which
  /// would stand still for the latency of HBM: so short a load is not requested ahead.
  Template fetch() const;

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
