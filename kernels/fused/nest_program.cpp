#include "kernels/fused/nest_program.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "kernels/fused/recipes.h"
#include "kernels/fused/split_nest.h"

namespace tilewright {

namespace {

bool has(const std::vector<int>& list, int value) {
  return std::ranges::find(list, value) != list.end();
}

/// Writes a nest's program.
class Lowering {
 public:
  Lowering(const Region& region, const LoopNest& nest, const std::vector<int>& sequential)
      : region_(region), nest_(nest), sequential_(sequential) {
    program_.extents = nest.extents;
    program_.is_sequential.assign(nest.extents.size(), false);
    program_.is_whole.assign(nest.extents.size(), false);
    for (const int axis : sequential) program_.is_sequential[static_cast<size_t>(axis)] = true;
    for (const NestStep& step : nest.steps) {
      for (const int axis : reduced_axes(region, nest, step)) {
        if (!has(sequential, axis)) program_.is_whole[static_cast<size_t>(axis)] = true;
      }
      for (const int axis : step.row_axes) program_.is_whole[static_cast<size_t>(axis)] = true;
      if (step.table_axis >= 0) program_.is_whole[static_cast<size_t>(step.table_axis)] = true;
    }
    is_late_ = late_arrays(region, nest, sequential);
    find_uses();
  }

  VecProgram lower() {
    values_.assign(nest_.arrays.size(), -1);
    again_.assign(nest_.arrays.size(), -1);
    for (size_t i = 0; i < nest_.arrays.size(); ++i) {
      if (nest_.arrays[i].is_loaded)
        values_[i] = add_load(static_cast<int>(i), part_of(static_cast<int>(i)));
    }
    for (const NestStep& step : nest_.steps) add_step(step);
    return std::move(program_);
  }

 private:
  VecPart& part_of(int array) {
    return is_late_[static_cast<size_t>(array)] ? program_.end : program_.body;
  }

  int add_array(std::vector<int> axes, DType type) {
    std::ranges::sort(axes);
    program_.arrays.push_back({std::move(axes), type});
    return static_cast<int>(program_.arrays.size()) - 1;
  }

  DType memory_type(int32_t op) const {
    if (is_partial(op)) return DType::kF32;
    return *memory_type_of(region_.computation().op(op).shape.type);
  }

  /// The transfer of a nest's array, its strides in the order of the axes in UB.
  VecTransfer transfer_of(const NestArray& array, int in_ub) const {
    VecTransfer transfer{in_ub, array.op, array.offset, {}, array.dynamic_op};
    for (const int axis : program_.arrays[static_cast<size_t>(in_ub)].axes) {
      const auto at = std::ranges::find(array.axes, axis) - array.axes.begin();
      transfer.strides.push_back(array.strides[static_cast<size_t>(at)]);
    }
    return transfer;
  }

  /// Values are f32, those of u32 the bits of an i32.
  DType value_type(int32_t op) const {
    const bool has_bits =
        !is_partial(op) && region_.computation().op(op).shape.type == ElementType::kU32;
    return has_bits ? DType::kI32 : DType::kF32;
  }

  /// Loads an array of the nest; returns its values.
  int add_load(int index, VecPart& part) {
    const NestArray& array = nest_.arrays[static_cast<size_t>(index)];
    const DType type = memory_type(array.op);
    const int raw = add_array(array.axes, type);
    part.loads.push_back(transfer_of(array, raw));
    if (type == value_type(array.op)) return raw;
    const int wide = add_array(array.axes, DType::kF32);
    part.steps.push_back({VectorOp::kConvert, wide, raw});
    return wide;
  }

  /// The values of an array of the nest for a step. What was loaded for the tiles is gone when late
  /// steps come: they load it again.
  int value_for(int index, bool is_late) {
    const auto at = static_cast<size_t>(index);
    if (!is_late || is_late_[at] || !nest_.arrays[at].is_loaded) return values_[at];
    if (again_[at] < 0) again_[at] = add_load(index, program_.end);
    return again_[at];
  }

  void add_store(const NestStep& step, int value) {
    const NestArray& array = nest_.arrays[static_cast<size_t>(step.result)];
    VecPart& part = part_of(step.result);
    const DType type = memory_type(array.op);
    int stored = value;
    // Values that later tiles or steps go on with stay apart from those on their way to memory.
    const std::vector<int> axes = reduced_axes(region_, nest_, step);
    const bool runs_on =
        std::ranges::any_of(axes, [&](int axis) { return has(sequential_, axis); });
    const bool moves_on =
        runs_on || (!sequential_.empty() && !is_late_[static_cast<size_t>(step.result)]);
    if (type != value_type(array.op) || moves_on) {
      stored = add_array(array.axes, type);
      part.steps.push_back({VectorOp::kConvert, stored, value});
    }
    part.stores.push_back(transfer_of(array, stored));
  }

  void add_step(const NestStep& step) {
    const NestArray& result = nest_.arrays[static_cast<size_t>(step.result)];
    const int value = add_array(result.axes, value_type(step.op));
    values_[static_cast<size_t>(step.result)] = value;
    std::vector<RecipeOperand> operands;
    // What a reduce adds up tile by tile is there for every tile.
    bool is_late = is_late_[static_cast<size_t>(step.result)];
    for (const int axis : reduced_axes(region_, nest_, step)) {
      is_late = is_late && !has(sequential_, axis);
    }
    for (const NestOperand& operand : step.operands) {
      operands.push_back(operand.array < 0 ? RecipeOperand{-1, operand.value}
                                           : RecipeOperand{value_for(operand.array, is_late), 0});
    }
    std::vector<VecStep>& steps = part_of(step.result).steps;
    const Op& op = region_.computation().op(step.op);
    if (region_.role(step.op) == OpRole::kReduce) {
      add_reduce(step, operands[0], value);
    } else if (step.table_axis >= 0) {
      add_gather(step, operands[0], operands[1], value, steps);
    } else if (region_.role(step.op) == OpRole::kBroadcast ||
               region_.role(step.op) == OpRole::kMove || keeps_value(region_.computation(), op)) {
      if (operands[0].is_fixed()) {
        steps.push_back({VectorOp::kDup, value, -1, -1, -1, operands[0].value});
      } else {
        steps.push_back({VectorOp::kCopy, value, operands[0].array});
      }
    } else {
      add_recipe(op, operands, value, use_of(step), program_, steps);
    }
    if (result.is_stored) add_store(step, value);
  }

  RecipeUse use_of(const NestStep& step) const {
    RecipeUse use = uses_[static_cast<size_t>(step.result)];
    if (!step.operands.empty() && step.operands[0].array >= 0) {
      use.of_whole = is_whole_number_[static_cast<size_t>(step.operands[0].array)];
    }
    return use;
  }

  /// What is known of each array of the nest from the steps that read it and that make it.
  void find_uses() {
    const Computation& computation = region_.computation();
    for (const NestArray& array : nest_.arrays) uses_.push_back({false, !array.is_stored, false});
    is_whole_number_.assign(nest_.arrays.size(), false);
    for (const NestStep& step : nest_.steps) {
      const Op& op = computation.op(step.op);
      const bool makes_integer = op.opcode == HloOpcode::kConvert && is_integer(op.shape.type);
      for (const NestOperand& operand : step.operands) {
        if (operand.array < 0) continue;
        RecipeUse& use = uses_[static_cast<size_t>(operand.array)];
        use.to_integers = use.to_integers && makes_integer;
        use.is_read = true;
      }
      is_whole_number_[static_cast<size_t>(step.result)] = gives_whole(computation, op);
    }
  }

  /// A gather: the places of the elements in the table, which UB holds, and the elements.
  void add_gather(const NestStep& step, const RecipeOperand& table, const RecipeOperand& index,
                  int value, std::vector<VecStep>& steps) {
    const GatherTable shape = *table_of(region_, step.op);
    const auto last = static_cast<double>(shape.rows - 1);
    const auto row = static_cast<double>(shape.row_elements);
    const auto put = [&](VectorOp op, int dst, int a = -1, int b = -1, double scalar = 0) {
      steps.push_back({op, dst, a, b, -1, scalar});
    };
    const int places = add_array(axes_of(value), DType::kF32);
    put(VectorOp::kDup, places);
    double stride = 1;
    for (size_t i = step.row_axes.size(); i-- > 0;) {
      const int along = add_array({step.row_axes[i]}, DType::kF32);
      put(VectorOp::kIndex, along);
      if (stride != 1) put(VectorOp::kMuls, along, along, -1, stride);
      put(VectorOp::kAdd, places, places, along);
      stride *= static_cast<double>(program_.extents[static_cast<size_t>(step.row_axes[i])]);
    }
    if (index.is_fixed()) {
      put(VectorOp::kAdds, places, places, -1, std::clamp(index.value, 0.0, last) * row);
    } else {
      const int limit = add_array(axes_of(index.array), DType::kF32);
      const int kept = add_array(axes_of(index.array), DType::kF32);
      put(VectorOp::kDup, limit);
      put(VectorOp::kMax, kept, index.array, limit);
      put(VectorOp::kDup, limit, -1, -1, last);
      put(VectorOp::kMin, kept, kept, limit);
      if (row != 1) put(VectorOp::kMuls, kept, kept, -1, row);
      put(VectorOp::kAdd, places, places, kept);
    }
    put(VectorOp::kGather, value, table.array, places);
  }

  /// A reduce, one axis after another from minor to major; along sequential axes it goes on from
  /// tile to tile.
  void add_reduce(const NestStep& step, const RecipeOperand& operand, int value) {
    const Op& op = region_.computation().op(step.op);
    const Monoid monoid = *monoid_of(region_.graph(), op);
    const double neutral = monoid == Monoid::kSum ? 0
                                                  : (monoid == Monoid::kMax ? -1 : 1) *
                                                        std::numeric_limits<double>::infinity();
    const double start =
        step.part == NestStep::Part::kFirst ? neutral : *region_.splat(op.operands[1]);
    const int64_t ratio =
        region_.elements(op.operands[0]) / std::max<int64_t>(1, region_.elements(step.op));
    if (operand.is_fixed()) {
      const double all = monoid == Monoid::kSum ? start + operand.value * static_cast<double>(ratio)
                         : monoid == Monoid::kMax ? std::max(start, operand.value)
                                                  : std::min(start, operand.value);
      part_of(step.result).steps.push_back({VectorOp::kDup, value, -1, -1, -1, all});
      return;
    }
    std::vector<VecStep>& steps = program_.body.steps;
    const std::vector<int> axes = reduced_axes(region_, nest_, step);
    const bool runs_on =
        std::ranges::any_of(axes, [&](int axis) { return has(sequential_, axis); });
    TW_CHECK(runs_on || !is_late_[static_cast<size_t>(step.result)] ||
                 std::ranges::none_of(axes, [&](int axis) { return has(sequential_, axis); }),
             "what is late has no sequential axis");
    std::vector<VecStep>& list = runs_on ? steps : part_of(step.result).steps;
    // The minimum is the maximum of the negatives, negated.
    int source = operand.array;
    const bool negates = monoid == Monoid::kMin;
    const VectorOp reduction = monoid == Monoid::kSum ? VectorOp::kRowSum : VectorOp::kRowMax;
    const VectorOp combination = monoid == Monoid::kSum ? VectorOp::kAdd : VectorOp::kMax;
    const double first = negates ? -start : start;
    if (negates) {
      const int negative = add_array(axes_of(source), DType::kF32);
      list.push_back({VectorOp::kMuls, negative, source, -1, -1, -1});
      source = negative;
    }
    for (size_t i = axes.size(); i-- > 0;) {
      std::vector<int> kept = axes_of(source);
      const int scratch = add_array(kept, DType::kF32);
      std::erase(kept, axes[i]);
      const int to = i == 0 && !runs_on ? value : add_array(kept, DType::kF32);
      list.push_back({reduction, to, source, -1, scratch});
      source = to;
    }
    if (runs_on) {
      program_.begin.steps.push_back({VectorOp::kDup, value, -1, -1, -1, first});
      list.push_back({combination, value, value, source});
    } else {
      if (axes.empty()) list.push_back({VectorOp::kCopy, value, source});
      add_start(monoid, first, value, list);
    }
    if (negates) {
      part_of(step.result).steps.push_back({VectorOp::kMuls, value, value, -1, -1, -1});
    }
  }

  /// Takes the initial value in, where it is not the neutral one.
  void add_start(Monoid monoid, double start, int value, std::vector<VecStep>& list) {
    if (monoid == Monoid::kSum) {
      if (start != 0) list.push_back({VectorOp::kAdds, value, value, -1, -1, start});
      return;
    }
    if (start == -std::numeric_limits<double>::infinity()) return;
    const int least = add_array(axes_of(value), DType::kF32);
    list.push_back({VectorOp::kDup, least, -1, -1, -1, start});
    list.push_back({VectorOp::kMax, value, value, least});
  }

  const std::vector<int>& axes_of(int array) const {
    return program_.arrays[static_cast<size_t>(array)].axes;
  }

  const Region& region_;
  const LoopNest& nest_;
  const std::vector<int>& sequential_;
  VecProgram program_;
  // By array of the nest.
  std::vector<bool> is_late_;
  std::vector<RecipeUse> uses_;
  std::vector<bool> is_whole_number_;
  std::vector<int> values_;  // its f32 array in UB
  std::vector<int> again_;   // the same, of what is loaded once more for late steps
};

/// Axes that must be whole, since an op behind a reduce along them walks them again.
std::vector<bool> whole_axes(const Region& region, const LoopNest& nest) {
  std::vector<bool> whole(nest.extents.size(), false);
  // Axes that some reduce before a result went along.
  std::vector<std::vector<bool>> gone(nest.arrays.size(),
                                      std::vector<bool>(nest.extents.size(), false));
  for (const NestStep& step : nest.steps) {
    std::vector<bool>& own = gone[static_cast<size_t>(step.result)];
    for (const NestOperand& operand : step.operands) {
      if (operand.array < 0) continue;
      const std::vector<bool>& before = gone[static_cast<size_t>(operand.array)];
      for (size_t axis = 0; axis < own.size(); ++axis) own[axis] = own[axis] || before[axis];
    }
    for (const int axis : nest.arrays[static_cast<size_t>(step.result)].axes) {
      if (own[static_cast<size_t>(axis)]) whole[static_cast<size_t>(axis)] = true;
    }
    for (const int axis : reduced_axes(region, nest, step)) own[static_cast<size_t>(axis)] = true;
  }
  return whole;
}

}  // namespace

std::vector<int> reduced_axes(const Region& region, const LoopNest& nest, const NestStep& step) {
  std::vector<int> axes;
  if (region.role(step.op) != OpRole::kReduce || step.operands[0].array < 0) return axes;
  const NestArray& result = nest.arrays[static_cast<size_t>(step.result)];
  for (const int axis : nest.arrays[static_cast<size_t>(step.operands[0].array)].axes) {
    if (!has(result.axes, axis)) axes.push_back(axis);
  }
  std::ranges::sort(axes);
  return axes;
}

std::vector<bool> late_arrays(const Region& region, const LoopNest& nest,
                              const std::vector<int>& sequential) {
  std::vector<bool> is_late(nest.arrays.size(), false);
  std::vector<bool> is_early(nest.arrays.size(), false);
  for (const NestStep& step : nest.steps) {
    bool late = false;
    for (const NestOperand& operand : step.operands) {
      late = late || (operand.array >= 0 && is_late[static_cast<size_t>(operand.array)]);
    }
    for (const NestOperand& operand : step.operands) {
      if (operand.array >= 0 && !late) is_early[static_cast<size_t>(operand.array)] = true;
    }
    for (const int axis : reduced_axes(region, nest, step)) {
      late = late || has(sequential, axis);
    }
    is_late[static_cast<size_t>(step.result)] = late;
  }
  for (size_t i = 0; i < nest.arrays.size(); ++i) {
    if (!nest.arrays[i].is_loaded || is_early[i]) continue;
    const bool runs_along =
        std::ranges::any_of(nest.arrays[i].axes, [&](int axis) { return has(sequential, axis); });
    is_late[i] = !sequential.empty() && !runs_along;
  }
  return is_late;
}

std::vector<std::vector<int>> sequential_choices(const Region& region, const LoopNest& nest) {
  const std::vector<bool> whole = whole_axes(region, nest);
  std::vector<std::vector<int>> choices = {{}};
  for (const NestStep& step : nest.steps) {
    std::vector<int> axes = reduced_axes(region, nest, step);
    std::erase_if(axes, [&](int axis) { return whole[static_cast<size_t>(axis)]; });
    if (axes.empty() || std::ranges::find(choices, axes) != choices.end()) continue;
    // No reduce may end in the middle of the walk.
    const auto ends_within = [&](const NestStep& other) {
      const std::vector<int> gone = reduced_axes(region, nest, other);
      const auto along = std::ranges::count_if(axes, [&](int axis) { return has(gone, axis); });
      return along > 0 && along < std::ssize(axes);
    };
    if (std::ranges::none_of(nest.steps, ends_within)) choices.push_back(axes);
  }
  return choices;
}

VecProgram lower_nest(const Region& region, const LoopNest& nest,
                      const std::vector<int>& sequential) {
  return Lowering(region, nest, sequential).lower();
}

}  // namespace tilewright
