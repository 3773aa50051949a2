#pragma once

#include <array>

#include "kernels/attention/attention_vector.h"

namespace tilewright {

/// Bindings of a run of steps of a vector core: those of its first tile, then of its second.
enum VectorField {
  kRows,           ///< rows of the last part
  kScores,         ///< first row in the workspace of scores
  kProbabilities,  ///< of probabilities
  kPartial,        ///< of partial results
  kOut,            ///< in the output tensor, or that of the parts' results
  kTile,           ///< KV tiles that the group has done before
  kTask,           ///< tasks that the group has done before
  kVisible,        ///< keys from the tile's begin on that the first row's token sees
  kPhase,          ///< rows of that token before the first row
  kTokens,         ///< tokens of a tile that is not full
  kCol,            ///< 3 stages: first column of the scores
  kMaskRow,        ///< of the first row's token, in the mask tensor
  kMaskCol,        ///< first column there
  kMaskPlace,      ///< first column of the scores to which it is added
  kMaskCols,
  kVectorFields
};
// Then uses of the rings of UB before the run, and its steps.
constexpr int kScoresBefore = 2 * kVectorFields;
constexpr int kProbabilitiesBefore = kScoresBefore + 1;
constexpr int kPartialsBefore = kScoresBefore + 2;
constexpr int kVectorCount = kScoresBefore + 3;
constexpr int kVectorBindings = kVectorCount + 1;
using VectorBindings = std::array<int64_t, kVectorBindings>;

/// Stands for minus infinity as a maximum: differences of two of them must stay numbers.
constexpr double kLeastMaximum = -1e30;
/// Added to sums of probabilities, which are at least 1 unless a row sees no key.
constexpr double kLeastSum = 1e-30;

/// The half of the bindings that speak of one tile.
struct AttentionVector::Side {
  int number = 0;
  bool full = true;  ///< the tile has all tokens

  Expr at(VectorField field) const { return Expr::binding(number * kVectorFields + field); }
  Expr tile() const { return at(kTile) + Expr::index(); }
  Expr tokens(const AttentionPlan& plan) const { return full ? Expr(plan.tokens) : at(kTokens); }
};

/// Rows of a tile that are handled at a time.
struct AttentionVector::Part {
  int64_t first_row = 0;  ///< of the core's share
  Expr rows = 0;
  bool is_first = false;
  bool is_last = false;
  int64_t number = 0;
};

/// Fills the bindings of one vector core's program, run after run.
class VectorPlaces {
 public:
  VectorPlaces(const AttentionPlan& plan, int64_t group, int half)
      : plan_(plan), group_(group), half_(half) {}

  /// Of the tile on one side of a run.
  void fill(VectorBindings& bindings, int side, const AttentionTask& task, const TileRef& ref,
            const KvTile& tile, int64_t tiles_before) const;
  /// Uses of the rings before a run whose steps handle so many parts on each side.
  void count(VectorBindings& bindings, int64_t first_parts, int64_t second_parts, int64_t steps,
             bool finish);

 private:
  const AttentionPlan& plan_;
  int64_t group_;
  int half_;
  int64_t scores_ = 0, probabilities_ = 0, partials_ = 0;
};

}  // namespace tilewright
