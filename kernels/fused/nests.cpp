#include "kernels/fused/nests.h"

#include "core/graph/region.h"
#include "core/graph/strided.h"
#include "kernels/fused/nest_axes.h"
#include "kernels/fused/nest_former.h"

namespace tilewright {

namespace {

constexpr int kNone = -1;

/// The axes of an array's dimensions, with their distances in memory.
void add_axes(const AxisMap& map, int array, const std::vector<int64_t>& strides,
              NestArray& result) {
  for (size_t dim = 0; dim < strides.size(); ++dim) {
    int64_t stride = strides[dim];
    if (stride == 0) continue;
    const std::vector<int> axes = map.axes_of({array, static_cast<int>(dim)});
    std::vector<int64_t> own(axes.size());
    for (size_t i = axes.size(); i-- > 0;) {
      own[i] = stride;
      stride *= map.extent(axes[i]);
    }
    result.axes.insert(result.axes.end(), axes.begin(), axes.end());
    result.strides.insert(result.strides.end(), own.begin(), own.end());
  }
}

}  // namespace

/// A dot by itself: axes m, n and k.
LoopNest NestFormer::make_product(const NestInstance& instance) const {
  const int32_t op = node(instance.node).op;
  const MatrixProduct product = product_of(region_, op);
  LoopNest nest;
  nest.level = instance.level;
  nest.extents = {product.m, product.n, product.k};
  const auto matrix = [](int32_t of, int row_axis, int column_axis, int64_t columns) {
    NestArray array;
    array.op = of;
    array.axes = {row_axis, column_axis};
    array.strides = {columns, 1};
    return array;
  };
  nest.arrays = {matrix(product.a, 0, 2, product.k), matrix(product.b, 2, 1, product.n),
                 matrix(op, 0, 1, product.n)};
  nest.arrays[0].is_loaded = nest.arrays[1].is_loaded = true;
  nest.arrays[2].is_stored = true;
  nest.steps = {{op, NestStep::Part::kWhole, 2, {{0, 0}, {1, 0}}}};
  return nest;
}

LoopNest NestFormer::make_nest(const NestMembers& members) const {
  const NestInstance& first = instances_[static_cast<size_t>(members.all.front())];
  if (is_dot_node(first.node)) return make_product(first);
  LoopNest nest;
  nest.level = instances_[static_cast<size_t>(members.all.front())].level;
  const AxisMap& map = maps_[static_cast<size_t>(nest.level)];
  std::map<int, int> array_of_load;
  std::map<int, int> array_of_instance;
  const auto add_load = [&](int number) {
    const auto [entry, is_new] =
        array_of_load.try_emplace(number, static_cast<int>(nest.arrays.size()));
    if (!is_new) return entry->second;
    const NestLoad& load = loads_[static_cast<size_t>(number)];
    NestArray array;
    array.op = load.op;
    array.offset = load.offset;
    array.dynamic_op = load.dynamic_op;
    array.is_loaded = true;
    add_axes(map, load.array, load.strides, array);
    nest.arrays.push_back(std::move(array));
    return entry->second;
  };
  for (const int member : members.all) {
    const NestInstance& instance = instances_[static_cast<size_t>(member)];
    const FusedNode& made = node(instance.node);
    NestStep step{made.op, NestStep::Part::kWhole, kNone, {}, -1, {}};
    for (size_t i = 0; i < instance.operands.size(); ++i) {
      const NestInstance::Link& link = instance.operands[i];
      if (link.instance != kNone) {
        step.operands.push_back({array_of_instance.at(link.instance), 0});
      } else if (link.load != kNone) {
        step.operands.push_back({add_load(link.load), 0});
      } else {
        step.operands.push_back({kNone, std::get<KnownNumber>(made.operands[i]).value});
      }
    }
    NestArray result;
    result.op = place_of(made.op);
    result.is_stored = instance.is_stored && !members.again.contains(member);
    const std::vector<int64_t> dims = made_extents(made);
    SliceWindow place;
    if (made.piece >= 0) {
      place = piece_of(region_, made.op, static_cast<size_t>(made.piece));
    } else {
      place.strides = row_major_strides(dims);
    }
    result.offset = place.offset;
    if (!place.starts.empty()) result.dynamic_op = made.op;
    add_axes(map, instance.array, place.strides, result);
    if (computation_.op(made.op).opcode == HloOpcode::kGather) {
      const GatherTable table = *table_of(region_, made.op);
      const NestLoad& load = loads_[static_cast<size_t>(instance.operands[0].load)];
      step.table_axis = map.axes_of({load.array, static_cast<int>(table.lead.size())}).front();
      for (const int64_t dim : table.row_dims) {
        const std::vector<int> axes = map.axes_of({instance.array, static_cast<int>(dim)});
        step.row_axes.insert(step.row_axes.end(), axes.begin(), axes.end());
      }
    }
    step.result = static_cast<int>(nest.arrays.size());
    array_of_instance[member] = step.result;
    nest.arrays.push_back(std::move(result));
    nest.steps.push_back(std::move(step));
  }
  std::vector<std::pair<int64_t, std::vector<int>>> sized;
  for (const NestArray& array : nest.arrays) {
    int64_t elements = 1;
    for (const int axis : array.axes) elements *= map.extent(axis);
    // What lies in memory decides among arrays of one size.
    sized.push_back({2 * elements + (array.is_loaded || array.is_stored ? 1 : 0), array.axes});
  }
  const std::vector<int> order = common_order(std::move(sized));
  for (const int axis : order) nest.extents.push_back(map.extent(axis));
  const auto renumber = [&](int& axis) {
    axis = static_cast<int>(std::ranges::find(order, axis) - order.begin());
  };
  for (NestArray& array : nest.arrays) std::ranges::for_each(array.axes, renumber);
  for (NestStep& step : nest.steps) {
    std::ranges::for_each(step.row_axes, renumber);
    if (step.table_axis >= 0) renumber(step.table_axis);
  }
  return nest;
}

std::optional<NestPlan> NestFormer::plan(const FusedOps& ops) {
  NestPlan plan;
  const std::vector<bool> needed = needed_instances();
  check_overwrites(needed);
  const size_t known = cuts_.size();
  const std::vector<NestMembers> nests = group(needed);
  if (cuts_.size() > known) return std::nullopt;
  for (size_t i = 0; i < instances_.size(); ++i) {
    const int32_t op = node(instances_[i].node).op;
    const bool is_own = !std::ranges::binary_search(ops.outputs, op) && place_of(op) == op;
    if (needed[i] && instances_[i].is_stored && is_own) {
      plan.workspace.push_back(op);
    }
  }
  std::ranges::sort(plan.workspace);
  plan.workspace.erase(std::unique(plan.workspace.begin(), plan.workspace.end()),
                       plan.workspace.end());
  for (const NestMembers& members : nests) plan.nests.push_back(make_nest(members));
  join_axes(plan.nests);
  plan.levels = plan.nests.empty() ? 0 : plan.nests.back().level + 1;
  return plan;
}

NestPlan form_nests(const Region& region, const FusedOps& ops, const NestOptions& options) {
  Cuts cuts;
  while (true) {
    NestFormer former(region, ops, options, cuts);
    if (std::optional<NestPlan> plan = former.plan(ops)) return std::move(*plan);
    cuts = former.cuts();
  }
}

}  // namespace tilewright
