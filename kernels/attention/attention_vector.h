#pragma once

#include <initializer_list>
#include <map>
#include <tuple>
#include <vector>

#include "kernels/attention/attention_flags.h"
#include "kernels/attention/attention_work.h"

namespace tilewright {

/// Writes the programs of vector cores, each for its share of the rows of every task.
///
/// 4 stages: softmax of one KV tile with running maximum and sum, beside the update of an earlier
/// one, which rescales what has been summed of P V and adds to it. 3 stages: the maxima over a
/// task's scores, beside the probabilities of the task before it, whose maxima are known.
class AttentionVector {
 public:
  AttentionVector(Launch& launch, const AttentionShape& shape, const AttentionPlan& plan,
                  const AttentionTensors& tensors, const AttentionFlags& flags,
                  const Machine& machine)
      : launch_(launch),
        shape_(shape),
        plan_(plan),
        tensors_(tensors),
        flags_(flags),
        machine_(machine) {}

  /// The program of vector core `half` of group `group` for the tasks of the group.
  void add_program(CoreProgram& core, int64_t group, int half,
                   std::span<const AttentionTask> tasks);

 private:
  struct Side;
  struct Part;

  /// What is done for a tile: the kind, and of its rows all that makes instructions differ.
  struct Work {
    TileKind kind;
    AttentionMask mask = AttentionMask::kNone;
    int64_t parts = 0;  ///< pieces of ub.rows rows
    int64_t heads = 1;
    // Of tree masks: rows are added one by one.
    int64_t tree_rows = 0;
    int64_t tree_phase = 0;
    bool is_part = false;     ///< of a task's keys
    bool ends_parts = false;  ///< the core's last, where some task has parts

    friend auto operator<=>(const Work&, const Work&) = default;
  };
  using Key = std::tuple<int, Work, Work, bool>;

  Work work_of(const AttentionTask& task, const KvTile& tile, int half) const;
  int template_of(const Key& key);
  Part part_of(const Side& side, const Work& work, int64_t number) const;

  Tile scores(const Side& side, const Part& part, const Expr& slot) const;
  Tile rows_of(const Part& part, const Expr& place, const Expr& cols, DType type,
               int64_t stride) const;
  Instruction pass(std::initializer_list<int> waits, std::initializer_list<int> sets) const;
  Tile column(const Part& part, const Expr& place) const;
  Tile ring_column(const Part& part, int64_t base, const Expr& number) const;
  void load_scores(std::vector<Instruction>& list, int half, const Side& side, const Part& part,
                   const Tile& s, bool takes, bool gives) const;
  void add_mask(std::vector<Instruction>& list, const Side& side, const Work& work,
                const Part& part, const Tile& s) const;
  void add_tree(std::vector<Instruction>& list, const Side& side, const Work& work,
                const Part& part, const Tile& s) const;
  Tile fold(std::vector<Instruction>& list, VectorOp op, const Part& part, const Tile& s) const;
  bool folds(const Work& work) const;
  void store_probabilities(std::vector<Instruction>& list, int half, const Side& side,
                           const Part& part, const Tile& s, const Expr& slot) const;
  void store_out(std::vector<Instruction>& list, const Side& side, const Part& part,
                 const Tile& sum, int frees, bool ends) const;
  void store_part(std::vector<Instruction>& list, const Side& side, const Work& work,
                  const Part& part, const Tile& result) const;
  void load_partial(std::vector<Instruction>& list, int half, const Side& side, const Part& part,
                    const Tile& o) const;

  // 4 stages.
  void emit_softmax(std::vector<Instruction>& list, int half, const Work& work) const;
  void emit_update(std::vector<Instruction>& list, int half, const Work& work) const;
  // 3 stages.
  void emit_maxima(std::vector<Instruction>& list, int half, const Work& work,
                   const Work& other) const;
  void emit_probabilities(std::vector<Instruction>& list, int half, const Work& work,
                          const Work& other) const;
  void emit_finish(std::vector<Instruction>& list, int half, const Work& work) const;

  Launch& launch_;
  const AttentionShape& shape_;
  const AttentionPlan& plan_;
  const AttentionTensors& tensors_;
  const AttentionFlags& flags_;
  const Machine& machine_;
  std::map<Key, int> templates_;
};

}  // namespace tilewright
