#include "kernels/fused/tensor_pitch.h"

#include <algorithm>
#include <limits>

#include "kernels/fused/nest_instructions.h"

namespace tilewright {

namespace {

template <typename Use>
void for_each_transfer(const FusedKernel& kernel, int32_t op, Use use) {
  for (const PlannedNest& nest : kernel.nests) {
    for (const VecPart* part : nest.program.parts()) {
      for (const auto* list : {&part->loads, &part->stores}) {
        for (const VecTransfer& transfer : *list) {
          if (transfer.op == op) use(nest, transfer);
        }
      }
    }
  }
}

/// Whether all transfers of a tensor stay inside its rows when those are `pitch` long.
bool suits(const Region& region, const FusedKernel& kernel, int32_t op, int64_t pitch) {
  bool suits = elements_in_memory(region, kernel, op) % pitch == 0;
  for_each_transfer(kernel, op, [&](const PlannedNest& nest, const VecTransfer& transfer) {
    const std::vector<int>& axes = nest.program.arrays[static_cast<size_t>(transfer.array)].axes;
    int64_t last = transfer.offset % pitch;
    for (size_t i = 0; i < axes.size(); ++i) {
      const int64_t steps = nest.program.extents[static_cast<size_t>(axes[i])] - 1;
      if (transfer.strides[i] % pitch != 0) last += steps * transfer.strides[i];
    }
    if (transfer.dynamic_op >= 0) {
      for (const WindowStart& start : window_starts(region, transfer.dynamic_op)) {
        if (start.stride % pitch != 0) last += start.most * start.stride;
      }
    }
    suits = suits && last < pitch;
  });
  return suits;
}

/// The length of a matrix's rows, where an op's result is one of a product; 0 elsewhere. All
/// products that have it agree, as far as has_whole_rows() says.
int64_t matrix_pitch(const FusedKernel& kernel, int32_t op) {
  for (const PlannedNest& nest : kernel.nests) {
    if (!nest.product) continue;
    if (nest.product->matrices.a == op) return nest.product->matrices.k;
    if (nest.product->matrices.b == op || nest.product->op == op) return nest.product->matrices.n;
  }
  return 0;
}

}  // namespace

bool has_whole_rows(const Region& region, const FusedKernel& kernel, int32_t op) {
  const int64_t pitch = matrix_pitch(kernel, op);
  for (const PlannedNest& nest : kernel.nests) {
    if (!nest.product) continue;
    const MatrixProduct& matrices = nest.product->matrices;
    if (matrices.a == op && matrices.k != pitch) return false;
    if ((matrices.b == op || nest.product->op == op) && matrices.n != pitch) return false;
  }
  return suits(region, kernel, op, pitch);
}

int64_t pitch_of(const Region& region, const FusedKernel& kernel, int32_t op) {
  if (const int64_t pitch = matrix_pitch(kernel, op); pitch > 0) return pitch;
  const int64_t elements = elements_in_memory(region, kernel, op);
  std::vector<int64_t> candidates = {elements};
  for_each_transfer(kernel, op, [&](const PlannedNest&, const VecTransfer& transfer) {
    candidates.insert(candidates.end(), transfer.strides.begin(), transfer.strides.end());
  });
  std::ranges::sort(candidates);
  int64_t best = elements;
  int64_t fewest = std::numeric_limits<int64_t>::max();
  for (const int64_t pitch : candidates) {
    if (pitch <= 1 && elements > 1) continue;
    if (pitch <= 0 || !suits(region, kernel, op, pitch)) continue;
    int64_t count = 0;
    for_each_transfer(kernel, op, [&](const PlannedNest& nest, const VecTransfer& transfer) {
      count += transfer_shape(nest, transfer, nest.tiles.tile, pitch).count();
    });
    if (count < fewest) {
      fewest = count;
      best = pitch;
    }
  }
  return best;
}

}  // namespace tilewright
