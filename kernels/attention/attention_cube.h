#pragma once

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/attention/attention_flags.h"
#include "kernels/attention/attention_work.h"

namespace tilewright {

/// Writes the programs of cube cores: in each step the scores Q K^T of one KV tile beside the
/// values P V of an earlier one, both cut into steps that ping-pong in L0A, L0B and L0C.
class AttentionCube {
 public:
  AttentionCube(Launch& launch, const AttentionShape& shape, const AttentionPlan& plan,
                const AttentionTensors& tensors, const AttentionFlags& flags)
      : launch_(launch), shape_(shape), plan_(plan), tensors_(tensors), flags_(flags) {}

  /// The program of the cube core of group `group` for its tasks.
  void add_program(CoreProgram& core, int64_t group, std::span<const AttentionTask> tasks);

 private:
  struct Side;
  struct Uses;

  int64_t l0_uses(int64_t score_steps, int64_t value_steps) const;
  int64_t l0c_uses(int64_t score_steps, int64_t value_steps) const;
  int template_of(const TileKind& scores, int64_t score_steps, const TileKind& values,
                  int64_t value_steps);
  void emit_scores(std::vector<Instruction>& list, const TileKind& kind, int64_t steps,
                   const Uses& uses) const;
  void emit_values(std::vector<Instruction>& list, const TileKind& kind, int64_t steps,
                   const Uses& uses) const;
  void drain_values(std::vector<Instruction>& list, const TileKind& kind, int64_t step,
                    int64_t cols, const Expr& l0c, const FlagPair& slot, bool waits,
                    bool frees) const;
  void load_tokens(std::vector<Instruction>& list, const Side& side, const TileKind& kind,
                   int tensor, int64_t base, int64_t slot, int64_t slots, int64_t cols,
                   const FlagPair& ring) const;
  Instruction load_rows(int tensor, const Expr& row, const Expr& rows, const Expr& cols,
                        const Expr& offset, int64_t stride) const;
  Instruction move(const Expr& offset, int64_t row, int64_t col, int64_t stride, const Expr& rows,
                   const Expr& cols, Memory target, const Expr& target_offset,
                   bool transpose) const;
  Instruction mmad(const Expr& m, const Expr& k, const Expr& n, const Expr& slot, const Expr& l0c,
                   bool adds) const;
  Instruction drain(int tensor, const Expr& row, const Expr& col, const Expr& rows,
                    const Expr& cols, const Expr& l0c) const;
  Expr tokens_of(const Side& side, const TileKind& kind, int64_t step, int64_t steps,
                 int64_t step_size) const;

  Launch& launch_;
  const AttentionShape& shape_;
  const AttentionPlan& plan_;
  const AttentionTensors& tensors_;
  const AttentionFlags& flags_;
  std::map<std::tuple<TileKind, int64_t, TileKind, int64_t>, int> templates_;
};

}  // namespace tilewright
