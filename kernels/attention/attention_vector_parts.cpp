#include "kernels/attention/attention_vector_parts.h"

#include <algorithm>

#include "core/base/integers.h"

namespace tilewright {

void VectorPlaces::fill(VectorBindings& bindings, int side, const AttentionTask& task,
                        const TileRef& ref, const KvTile& tile, int64_t tiles_before) const {
  const auto set = [&](VectorField field, int64_t value) {
    bindings[static_cast<size_t>(side * kVectorFields + field)] = value;
  };
  const int64_t first = first_half(task.rows, plan_.halves);
  const int64_t offset = half_ == 0 ? 0 : first;
  const int64_t rows = half_ == 0 ? first : task.rows - first;
  const int64_t fifo_row = group_ * plan_.fifo * plan_.tile_q + offset;
  const int64_t task_row = (group_ * 2 + ref.task % 2) * plan_.tile_q + offset;
  const bool whole_rows = plan_.pipeline == 3;
  set(kRows, rows - (ceil_div(rows, plan_.ub.rows) - 1) * plan_.ub.rows);
  set(kScores, whole_rows ? task_row : fifo_row);
  set(kProbabilities, group_ * plan_.tile_q + offset);
  set(kPartial, whole_rows ? task_row : fifo_row);
  set(kOut, (task.parts > 1 ? task.part_row : task.query_row) + offset);
  set(kTile, tiles_before + ref.tile);
  set(kTask, ref.task);
  set(kVisible, task.visible + offset / task.heads - tile.begin);
  set(kPhase, offset % task.heads);
  set(kTokens, tile.tokens);
  set(kCol, tile.begin);
  if (task.mask != AttentionMask::kTree || !tile.masked) return;
  // The mask begins in this tile or before it; in UB at a multiple of the margin, to its left
  // zeros.
  const int64_t begin = std::max(task.corner, tile.begin);
  const int64_t place = (begin - tile.begin) / kMaskMargin * kMaskMargin;
  const int64_t extra = begin - tile.begin - place;
  set(kMaskRow, task.mask_row + offset / task.heads);
  set(kMaskCol, kMaskMargin + begin - task.corner - extra);
  set(kMaskPlace, place);
  set(kMaskCols, tile.tokens - place);
}

void VectorPlaces::count(VectorBindings& bindings, int64_t first_parts, int64_t second_parts,
                         int64_t steps, bool finish) {
  bindings[kScoresBefore] = scores_;
  bindings[kProbabilitiesBefore] = probabilities_;
  bindings[kPartialsBefore] = partials_;
  const bool whole_rows = plan_.pipeline == 3;
  if (finish) {
    partials_ += second_parts;
    return;
  }
  scores_ += steps * (first_parts + (whole_rows ? second_parts : 0));
  probabilities_ += steps * (whole_rows ? second_parts : first_parts);
  partials_ += steps * (whole_rows ? 0 : second_parts);
}

}  // namespace tilewright
