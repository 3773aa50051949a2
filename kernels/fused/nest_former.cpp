#include "kernels/fused/nest_former.h"

#include <fmt/format.h>

#include <limits>

#include "core/base/error.h"
#include "core/graph/op_axes.h"
#include "core/graph/strided.h"

namespace tilewright {

namespace {

using Match = AxisMap::Match;

constexpr int kNone = -1;

/// Operands that may be made again, one on top of the other, rather than go through memory.
constexpr int kMostAgain = 8;

/// Strides of an array in memory; an iota lies there once along its dimension.
std::vector<int64_t> strides_of(const Op& op) {
  if (op.opcode != HloOpcode::kIota) return row_major_strides(op.shape.dims);
  std::vector<int64_t> strides(op.shape.dims.size(), 0);
  strides[static_cast<size_t>(op.get<IotaDimension>().dimension)] = 1;
  return strides;
}

}  // namespace

/// The least level at which all sources are there.
int NestFormer::level_for(int node_index) const {
  int level = 0;
  const std::vector<FusedOperand>& operands = node(node_index).operands;
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto* source = std::get_if<Source>(&operands[i]);
    if (!source) continue;
    const int maker = maker_of(source->op);
    if (maker == kNone) {
      level = std::max(level, level_in_memory(source->op));
      continue;
    }
    const int home = instances_[home_of(maker)].level;
    const bool in_memory = is_cut(maker, node_index) || is_table(node_index, i);
    level = std::max(level, in_memory ? home + 1 : home);
  }
  return std::max({level, level_of_update(node_index), level_after_readers(node_index)});
}

/// The least level at which an output may be written over an input that others read out of step.
int NestFormer::level_after_readers(int node_index) const {
  const int32_t writer = node(node_index).op;
  if (!std::ranges::binary_search(ops_.outputs, writer)) return 0;
  if (earlier_readers(region_, ops_.ops, writer).empty()) return 0;
  int level = 0;
  for (const NestInstance& instance : instances_) {
    for (const NestInstance::Link& link : instance.operands) {
      if (link.load == kNone) continue;
      const NestLoad& load = loads_[static_cast<size_t>(link.load)];
      if (load.op == region_.aliased_input(writer)) level = std::max(level, instance.level + 1);
    }
  }
  return level;
}

/// Error (infeasible) where an input is read at the level that writes over it or later, out of step
/// with that.
void NestFormer::check_overwrites(const std::vector<bool>& needed) const {
  for (const int32_t writer : ops_.outputs) {
    const std::vector<int32_t> earlier = earlier_readers(region_, ops_.ops, writer);
    if (earlier.empty()) continue;
    const int32_t input = region_.aliased_input(writer);
    int written = std::numeric_limits<int>::max();
    for (const int made : nodes_of_.at(writer)) {
      written = std::min(written, instances_[home_of(made)].level);
    }
    for (size_t i = 0; i < instances_.size(); ++i) {
      if (!needed[i] || instances_[i].level < written) continue;
      const int32_t reader = node(instances_[i].node).op;
      const auto inputs = region_.inputs(reader);
      const bool in_step = std::ranges::find(inputs, input) != inputs.end() &&
                           std::ranges::find(earlier, reader) == earlier.end();
      const auto reads = [&](const NestInstance::Link& link) {
        return link.load != kNone && loads_[static_cast<size_t>(link.load)].op == input;
      };
      if (in_step || std::ranges::none_of(instances_[i].operands, reads)) continue;
      throw Error(
          ErrorKind::kInfeasible,
          fmt::format("{} reads {} when {} has taken its memory", computation_.op(reader).name,
                      computation_.op(input).name, computation_.op(writer).name));
    }
  }
}

/// The least level at which a node may write to a window of an array: behind the copy of what
/// surrounds it, and behind all that read what it writes over.
int NestFormer::level_of_update(int node_index) const {
  const FusedNode& made = node(node_index);
  if (made.piece <= 0 || window_starts(region_, made.op).empty()) return 0;
  int level = 0;
  for (const int piece : nodes_of_.at(made.op)) {
    if (piece < node_index) level = std::max(level, instances_[home_of(piece)].level + 1);
  }
  const int32_t place = place_of(made.op);
  if (place == made.op) return level;
  for (const NestLoad& load : loads_) {
    if (load.op == place) level = std::max(level, load.level + 1);
  }
  return level;
}

void NestFormer::place(int node_index) {
  const int level = level_for(node_index);
  // One level later all sources come from memory, each walked as the node needs it.
  const bool placed = try_place(node_index, level, Earlier::kAgain) ||
                      try_place(node_index, level + 1, Earlier::kAgain) ||
                      try_place(node_index, level + 1, Earlier::kRead);
  TW_CHECK(placed, "an op that reads memory alone can always be walked");
  homes_[static_cast<size_t>(node_index)] = static_cast<int>(instances_.size()) - 1;
}

/// Appends the instance of a node at a level; false when its sources there are walked otherwise.
bool NestFormer::try_place(int node_index, int level, Earlier earlier) {
  const FusedNode& made = node(node_index);
  if (const int32_t updated = place_of(made.op); updated != made.op) overwritten_[updated] = level;
  NestInstance instance{node_index, level, kNone, false, {}};
  instance.array = map_of(level).add_array(made_extents(made));
  std::vector<Match> matches;
  for (size_t i = 0; i < made.operands.size(); ++i) {
    NestInstance::Link& link = instance.operands.emplace_back();
    const auto* source = std::get_if<Source>(&made.operands[i]);
    const int maker = source ? maker_of(source->op) : kNone;
    if (maker == kNone || is_table(node_index, i)) continue;
    const bool is_here = instances_[home_of(maker)].level == level;
    if (is_cut(maker, node_index) || (!is_here && earlier == Earlier::kRead)) continue;
    const std::optional<int> at = instance_at(maker, level, 0);
    if (!at) continue;
    link.instance = *at;
    add_matches(node_index, i, level, instances_[static_cast<size_t>(*at)].array, instance.array,
                false, matches);
  }
  if (!map_of(level).unify(matches)) return false;
  for (size_t i = 0; i < made.operands.size(); ++i) {
    const auto* source = std::get_if<Source>(&made.operands[i]);
    if (!source || instance.operands[i].instance != kNone) continue;
    store(memory_of(source->op));
    if (is_dot_node(node_index)) continue;
    if (is_table(node_index, i)) {
      const int load = load_of_table(node_index, level);
      instance.operands[i].load = load;
      const int table = loads_[static_cast<size_t>(load)].array;
      if (!map_of(level).unify(table_matches(node_index, table, instance.array))) return false;
      continue;
    }
    // What others read at this level too is read once, if all can walk it alike.
    for (const bool fresh : {false, true}) {
      const int load = load_of(source->op, level, fresh);
      matches.clear();
      add_matches(node_index, i, level, loads_[static_cast<size_t>(load)].array, instance.array,
                  fresh, matches);
      instance.operands[i].load = load;
      if (map_of(level).unify(matches)) break;
      if (fresh) return false;
    }
  }
  instances_.push_back(std::move(instance));
  return true;
}

/// The instance of a node at a level, perhaps a new one that does its work again; none where its
/// result comes through memory.
std::optional<int> NestFormer::instance_at(int node_index, int level, int depth) {
  const auto home = static_cast<int>(home_of(node_index));
  if (instances_[static_cast<size_t>(home)].level == level) return home;
  if (const auto found = again_.find({node_index, level}); found != again_.end()) {
    return found->second;
  }
  if (!is_cheap_again(node_index, level, depth) || !try_place(node_index, level, Earlier::kAgain)) {
    return std::nullopt;
  }
  const int instance = static_cast<int>(instances_.size()) - 1;
  again_[{node_index, level}] = instance;
  return instance;
}

/// Whether an elementwise node costs no more bytes of memory when it is made again at a level than
/// when its result is written and read.
bool NestFormer::is_cheap_again(int node_index, int level, int depth) const {
  const FusedNode& made = node(node_index);
  const OpRole role = region_.role(made.op);
  if (depth > kMostAgain || (role != OpRole::kLight && role != OpRole::kHeavy)) return false;
  if (instances_[home_of(node_index)].is_stored) return false;
  int64_t bytes = 0;
  for (const FusedOperand& operand : made.operands) {
    const auto* source = std::get_if<Source>(&operand);
    if (!source) continue;
    const int maker = maker_of(source->op);
    if (maker == kNone && level_in_memory(source->op) > level) return false;
    const auto gone = overwritten_.find(memory_of(source->op));
    if (maker == kNone && gone != overwritten_.end() && gone->second <= level) return false;
    const bool is_there = maker == kNone || instances_[home_of(maker)].is_stored;
    if (maker != kNone &&
        (instances_[home_of(maker)].level == level || again_.contains({maker, level}))) {
      continue;
    }
    if (!is_there && !is_cheap_again(maker, level, depth + 1)) return false;
    if (is_there && !shared_loads_.contains({source->op, level})) {
      bytes += region_.bytes(source->op);
    }
  }
  return bytes <= 2 * region_.bytes(made.op);
}

int NestFormer::load_of(int32_t op, int level, bool fresh) {
  if (!fresh) {
    if (const auto found = shared_loads_.find({op, level}); found != shared_loads_.end()) {
      return found->second;
    }
  }
  const Op& made = computation_.op(op);
  const int load = static_cast<int>(loads_.size());
  NestLoad read{op, level, map_of(level).add_array(made.shape.dims), strides_of(made), 0, kNone};
  if (std::optional<SliceWindow> window = window_of_own(op)) {
    read.op = window->memory_op;
    read.strides = std::move(window->strides);
    read.offset = window->offset;
    if (!window->starts.empty()) read.dynamic_op = window->dynamic_op;
  }
  const auto overwritten = overwritten_.find(read.op);
  if (overwritten != overwritten_.end() && overwritten->second <= level) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("{} is read after the same kernel has updated it in place",
                            computation_.op(read.op).name));
  }
  read.op = place_of(read.op);
  loads_.push_back(std::move(read));
  if (!fresh) shared_loads_[{op, level}] = load;
  return load;
}

/// A gather's own load of its table: the dimensions before the indexed one, and the rest as one.
int NestFormer::load_of_table(int node_index, int level) {
  const FusedNode& made = node(node_index);
  const GatherTable table = *table_of(region_, made.op);
  const bool is_inside = std::ranges::binary_search(ops_.ops, table.op);
  if (is_inside && maker_of(table.op) == kNone && !nodes_of_.contains(table.op)) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("the table of {} is only shown in the same kernel",
                            computation_.op(made.op).name));
  }
  const int load = load_of(table.op, level, true);
  NestLoad& read = loads_[static_cast<size_t>(load)];
  std::vector<int64_t> extents = table.lead;
  extents.push_back(table.rows * table.row_elements);
  read.array = map_of(level).add_array(extents);
  read.strides = row_major_strides(extents);
  return load;
}

std::vector<Match> NestFormer::table_matches(int node_index, int table_array,
                                             int result_array) const {
  const GatherTable table = *table_of(region_, node(node_index).op);
  std::vector<Match> matches;
  for (size_t i = 0; i < table.lead_dims.size(); ++i) {
    matches.push_back({{{table_array, static_cast<int>(i)}},
                       {{result_array, static_cast<int>(table.lead_dims[i])}}});
  }
  return matches;
}

/// The array of the op at `position` of a source's chain: position 0 is what the reader sees, the
/// end of the chain the source itself.
int NestFormer::shown_array(int32_t op, int level, int source_array, const Source& source,
                            size_t position, bool is_private) {
  if (position == source.through.size()) return source_array;
  const std::array<int, 3> key = {op, level, source_array};
  if (!is_private) {
    if (const auto found = shown_.find(key); found != shown_.end()) return found->second;
  }
  return shown_[key] = map_of(level).add_array(shape_of(op).dims);
}

/// What makes a node's result and its operand the same walk, link by link of the chain.
void NestFormer::add_matches(int node_index, size_t operand, int level, int source_array,
                             int result_array, bool is_private, std::vector<Match>& matches) {
  const FusedNode& made = node(node_index);
  const Source& source = std::get<Source>(made.operands[operand]);
  const auto op_at = [&](size_t position) {
    return position < source.through.size() ? source.through[position] : source.op;
  };
  int reader_array = result_array;
  for (size_t position = 0; position <= source.through.size(); ++position) {
    const int array =
        shown_array(op_at(position), level, source_array, source, position, is_private);
    const int32_t reader = position == 0 ? made.op : source.through[position - 1];
    // The copy of a slice or of a concatenation's operand walks what it copies.
    const bool copies = position == 0 && (made.piece >= 0 || made.op == source.op);
    const Shape& shown = shape_of(op_at(position));
    const auto links = copies ? reshape_matches(shown, shown, array, reader_array)
                              : axis_matches(computation_, computation_.op(reader),
                                             position == 0 ? operand : 0, array, reader_array);
    TW_CHECK(links.has_value(), "ops of fused kernels are walked with their operands");
    matches.insert(matches.end(), links->begin(), links->end());
    reader_array = array;
  }
}

/// What is stored, and what that is made of.
std::vector<bool> NestFormer::needed_instances() const {
  std::vector<bool> needed(instances_.size(), false);
  for (size_t i = instances_.size(); i-- > 0;) {
    if (instances_[i].is_stored) needed[i] = true;
    if (!needed[i]) continue;
    for (const NestInstance::Link& link : instances_[i].operands) {
      if (link.instance != kNone) needed[static_cast<size_t>(link.instance)] = true;
    }
  }
  return needed;
}

}  // namespace tilewright
