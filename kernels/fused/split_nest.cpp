#include "kernels/fused/split_nest.h"

#include <algorithm>
#include <utility>

#include "kernels/fused/nest_program.h"

namespace tilewright {

namespace {

bool has(const std::vector<int>& list, int value) {
  return std::ranges::find(list, value) != list.end();
}

/// The largest divisor up to `most`.
int64_t divisor_of(int64_t extent, int64_t most) {
  for (int64_t divisor = std::min(extent, most); divisor > 1; --divisor) {
    if (extent % divisor == 0) return divisor;
  }
  return 1;
}

/// Cuts an axis in two: the parts, and behind them what each part walks.
void cut_axis(LoopNest& nest, int axis, int64_t parts) {
  const auto at = static_cast<size_t>(axis);
  const int64_t length = nest.extents[at] / parts;
  for (NestStep& step : nest.steps) {
    for (int& other : step.row_axes) other += other > axis ? 1 : 0;
    step.table_axis += step.table_axis > axis ? 1 : 0;
  }
  for (NestArray& array : nest.arrays) {
    for (int& other : array.axes) other += other > axis ? 1 : 0;
    const auto found = std::ranges::find(array.axes, axis);
    if (found == array.axes.end()) continue;
    const auto place = found - array.axes.begin();
    const int64_t stride = array.strides[static_cast<size_t>(place)];
    array.strides.insert(array.strides.begin() + place, stride * length);
    array.axes.insert(array.axes.begin() + place + 1, axis + 1);
  }
  nest.extents[at] = length;
  nest.extents.insert(nest.extents.begin() + axis, parts);
}

/// A nest of some steps of another one, with the arrays and axes that they use.
LoopNest nest_of(const LoopNest& nest, std::vector<NestStep> steps, int level) {
  LoopNest own;
  own.level = level;
  std::vector<int> new_array(nest.arrays.size(), -1);
  std::vector<int> new_axis(nest.extents.size(), -1);
  const auto take = [&](int array) {
    const auto at = static_cast<size_t>(array);
    if (new_array[at] >= 0) return new_array[at];
    own.arrays.push_back(nest.arrays[at]);
    return new_array[at] = static_cast<int>(own.arrays.size()) - 1;
  };
  for (NestStep& step : steps) {
    for (NestOperand& operand : step.operands) {
      if (operand.array >= 0) operand.array = take(operand.array);
    }
    step.result = take(step.result);
  }
  for (size_t axis = 0; axis < nest.extents.size(); ++axis) {
    const bool used = std::ranges::any_of(own.arrays, [&](const NestArray& array) {
      return has(array.axes, static_cast<int>(axis));
    });
    if (!used) continue;
    new_axis[axis] = static_cast<int>(own.extents.size());
    own.extents.push_back(nest.extents[axis]);
  }
  for (NestArray& array : own.arrays) {
    for (int& axis : array.axes) axis = new_axis[static_cast<size_t>(axis)];
  }
  const auto renumber = [&](int& axis) { axis = new_axis[static_cast<size_t>(axis)]; };
  for (NestStep& step : steps) {
    std::ranges::for_each(step.row_axes, renumber);
    if (step.table_axis >= 0) renumber(step.table_axis);
  }
  own.steps = std::move(steps);
  return own;
}

}  // namespace

std::optional<SplitNest> split_nest(const Region& region, const LoopNest& nest,
                                    const std::vector<int>& sequential, int64_t most) {
  if (sequential.empty()) return std::nullopt;
  const int axis = *std::ranges::min_element(sequential);
  const int64_t parts = divisor_of(nest.extents[static_cast<size_t>(axis)], most);
  if (parts == 1) return std::nullopt;
  // A core holds rows of tables whole.
  const auto walks_row = [&](const NestStep& step) { return has(step.row_axes, axis); };
  if (std::ranges::any_of(nest.steps, walks_row)) return std::nullopt;
  const std::vector<bool> is_late = late_arrays(region, nest, sequential);
  LoopNest whole = nest;
  cut_axis(whole, axis, parts);
  std::vector<NestStep> early, late;
  for (const NestStep& step : whole.steps) {
    if (!is_late[static_cast<size_t>(step.result)]) {
      early.push_back(step);
      continue;
    }
    const std::vector<int> gone = reduced_axes(region, nest, step);
    const bool runs_on =
        std::ranges::any_of(gone, [&](int other) { return has(sequential, other); });
    if (!runs_on) {
      // What it reads must be in memory, or be made behind the sums.
      for (const NestOperand& operand : step.operands) {
        const auto at = static_cast<size_t>(operand.array);
        if (operand.array >= 0 && !is_late[at] && !nest.arrays[at].is_loaded) return std::nullopt;
      }
      late.push_back(step);
      continue;
    }
    // The sum of a part keeps the axis of the parts, which lie in memory one behind the other.
    NestArray partial = whole.arrays[static_cast<size_t>(step.result)];
    partial.op = partial_of(step.op);
    partial.axes.insert(partial.axes.begin(), axis);
    partial.strides.assign(partial.axes.size(), 1);
    for (size_t i = partial.axes.size() - 1; i-- > 0;) {
      partial.strides[i] =
          partial.strides[i + 1] * whole.extents[static_cast<size_t>(partial.axes[i + 1])];
    }
    partial.is_stored = true;
    const auto made = static_cast<int>(whole.arrays.size());
    whole.arrays.push_back(partial);
    partial.is_stored = false;
    partial.is_loaded = true;
    whole.arrays.push_back(partial);
    NestStep sum = step;
    sum.part = NestStep::Part::kFirst;
    sum.result = made;
    early.push_back(sum);
    NestStep total = step;
    total.part = NestStep::Part::kLast;
    total.operands = {{made + 1, 0}};
    late.push_back(total);
  }
  if (late.empty()) return std::nullopt;
  return SplitNest{nest_of(whole, std::move(early), nest.level),
                   nest_of(whole, std::move(late), nest.level + 1)};
}

}  // namespace tilewright
