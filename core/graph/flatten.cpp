#include "core/graph/flatten.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/graph/hlo_reader.h"

namespace tilewright {
namespace {

/// Of a flat graph.
constexpr int64_t kMaxFlatBytes = int64_t{1} << 30;

bool has_own_effect(const Op& op) {
  if (op.opcode != HloOpcode::kCustomCall) return has_side_effect(op.opcode);
  return find_note(op.notes, "custom_call_has_side_effect") == "true";
}

/// For each computation whether running it has side effects; callees come first.
std::vector<bool> effects_of(const std::vector<Computation>& computations) {
  std::vector<bool> effects;
  for (const Computation& computation : computations) {
    effects.push_back(
        std::any_of(computation.ops.begin(), computation.ops.end(), [&](const Op& op) {
          return has_own_effect(op) ||
                 std::any_of(op.called.begin(), op.called.end(), [&](int32_t callee) {
                   return static_cast<bool>(effects[static_cast<size_t>(callee)]);
                 });
        }));
  }
  return effects;
}

bool is_sharding(const Op& op) {
  const auto* call = std::get_if<CustomCall>(&op.attributes);
  return call && (call->target == "Sharding" || call->target == "SPMDFullToShardShape" ||
                  call->target == "SPMDShardToFullShape");
}

bool counts_up(const std::vector<int64_t>& dims) {
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

/// Whether the op gives its one operand, of shape `from`, unchanged.
bool is_identity(const Op& op, const Shape& from) {
  if (!same_value_shape(op.shape, from)) return false;
  switch (op.opcode) {
    case HloOpcode::kCopy:
    case HloOpcode::kOptBarrier:
    case HloOpcode::kDomain:
    case HloOpcode::kConvert:
    case HloOpcode::kReshape:
    case HloOpcode::kBitcastConvert:
    case HloOpcode::kSlice:
      return true;
    case HloOpcode::kBitcast:
      return op.shape == from;  // with another layout the same bytes are other values
    case HloOpcode::kBroadcast:
    case HloOpcode::kTranspose:
      return counts_up(op.get<Dimensions>().dims);
    case HloOpcode::kCustomCall:
      return is_sharding(op);
    default:
      return false;
  }
}

/// Marks the ops that take part in control dependences.
std::vector<bool> controlled_ops(const Computation& computation) {
  std::vector<bool> controlled(computation.ops.size(), false);
  for (size_t i = 0; i < computation.ops.size(); ++i) {
    for (const int32_t before : computation.ops[i].control_predecessors) {
      controlled[i] = true;
      controlled[static_cast<size_t>(before)] = true;
    }
  }
  return controlled;
}

bool is_inlined(const Op& op, bool controlled) {
  return !controlled && (op.opcode == HloOpcode::kCall || op.opcode == HloOpcode::kFusion);
}

/// Gives every op of a computation a name of its own.
class Names {
 public:
  std::string take(const std::string& wanted) {
    if (taken_.insert(wanted).second) return wanted;
    int64_t& next = next_[wanted];
    while (true) {
      std::string name = fmt::format("{}.{}", wanted, ++next);
      if (taken_.insert(name).second) return name;
    }
  }

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int64_t> next_;
};

/// Builds the flat form of one computation out of those of its callees.
class Flattener {
 public:
  Flattener(const Computation& from, const std::vector<Computation>& callees,
            const std::vector<bool>& effects)
      : from_(from), callees_(callees), effects_(effects) {}

  Computation flatten() {
    const std::vector<bool> controlled = controlled_ops(from_);
    // The names of the computation itself come first, so that those of the caller stay.
    for (size_t i = 0; i < from_.ops.size(); ++i) {
      if (!is_inlined(from_.ops[i], controlled[i])) names_.take(from_.ops[i].name);
    }
    std::vector<int32_t> value(from_.ops.size());
    for (size_t i = 0; i < from_.ops.size(); ++i) {
      const Op& op = from_.ops[i];
      value[i] =
          is_inlined(op, controlled[i]) ? inline_call(op, value) : keep(op, value, controlled[i]);
    }
    result_.name = from_.name;
    result_.line = from_.line;
    result_.notes = from_.notes;
    result_.root = value[static_cast<size_t>(from_.root)];
    for (const int32_t parameter : from_.parameters) {
      result_.parameters.push_back(value[static_cast<size_t>(parameter)]);
    }
    remove_dead_ops();
    return std::move(result_);
  }

 private:
  static void map_all(std::vector<int32_t>& indices, const std::vector<int32_t>& value) {
    for (int32_t& index : indices) index = value[static_cast<size_t>(index)];
  }

  int32_t add(Op op) {
    result_.ops.push_back(std::move(op));
    return static_cast<int32_t>(result_.ops.size() - 1);
  }

  /// The op that has the value of `op`: an earlier one where it can be, or else itself.
  int32_t keep(const Op& op, const std::vector<int32_t>& value, bool controlled) {
    if (!controlled && op.operands.size() == 1) {
      const int32_t operand = value[static_cast<size_t>(op.operands[0])];
      const Op& source = result_.op(operand);
      if (is_identity(op, source.shape)) return operand;
      if (op.opcode == HloOpcode::kGetTupleElement && source.opcode == HloOpcode::kTuple) {
        return source.operands[static_cast<size_t>(op.get<TupleIndex>().index)];
      }
    }
    Op kept = op;
    map_all(kept.operands, value);
    map_all(kept.control_predecessors, value);
    return add(std::move(kept));
  }

  int32_t inline_call(const Op& call, const std::vector<int32_t>& value) {
    const Computation& callee = callees_[static_cast<size_t>(call.called[0])];
    std::vector<int32_t> inner(callee.ops.size());
    const std::vector<bool> controlled = controlled_ops(callee);
    for (size_t i = 0; i < callee.ops.size(); ++i) {
      const Op& op = callee.ops[i];
      if (op.opcode == HloOpcode::kParameter) {
        const auto number = static_cast<size_t>(op.get<ParameterNumber>().number);
        inner[i] = value[static_cast<size_t>(call.operands[number])];
        continue;
      }
      const size_t before = result_.ops.size();
      inner[i] = keep(op, inner, controlled[i]);
      if (result_.ops.size() > before) result_.ops.back().name = names_.take(op.name);
    }
    return inner[static_cast<size_t>(callee.root)];
  }

  void remove_dead_ops() {
    std::vector<bool> needed(result_.ops.size(), false);
    needed[static_cast<size_t>(result_.root)] = true;
    for (const int32_t parameter : result_.parameters)
      needed[static_cast<size_t>(parameter)] = true;
    for (size_t i = result_.ops.size(); i-- > 0;) {
      const Op& op = result_.ops[i];
      const bool effect = has_own_effect(op) ||
                          std::any_of(op.called.begin(), op.called.end(), [&](int32_t callee) {
                            return static_cast<bool>(effects_[static_cast<size_t>(callee)]);
                          });
      if (effect) needed[i] = true;
      if (!needed[i]) continue;
      for (const int32_t operand : op.operands) needed[static_cast<size_t>(operand)] = true;
      for (const int32_t op_before : op.control_predecessors) {
        needed[static_cast<size_t>(op_before)] = true;
      }
    }
    std::vector<int32_t> place(result_.ops.size(), -1);
    std::vector<Op> ops;
    for (size_t i = 0; i < result_.ops.size(); ++i) {
      if (!needed[i]) continue;
      place[i] = static_cast<int32_t>(ops.size());
      ops.push_back(std::move(result_.ops[i]));
      map_all(ops.back().operands, place);
      map_all(ops.back().control_predecessors, place);
    }
    result_.ops = std::move(ops);
    map_all(result_.parameters, place);
    result_.root = place[static_cast<size_t>(result_.root)];
  }

  const Computation& from_;
  const std::vector<Computation>& callees_;
  const std::vector<bool>& effects_;
  Computation result_ = {};
  Names names_ = {};
};

/// About the memory of an op, in bytes.
int64_t memory_of(const Op& op) {
  int64_t bytes = static_cast<int64_t>(sizeof(Op) + op.name.size() + 4 * op.operands.size()) +
                  part_count(op.shape) * static_cast<int64_t>(sizeof(Shape));
  for (const Note& note : op.notes) {
    bytes += static_cast<int64_t>(sizeof(Note) + note.name.size() + note.value.size());
  }
  if (const auto* literal = std::get_if<Literal>(&op.attributes)) {
    bytes += static_cast<int64_t>(8 * (literal->floats.size() + literal->integers.size()));
  }
  return bytes;
}

/// Size of the flat forms before anything vanishes, so that a short text of calls of calls of calls
/// is refused before it takes the memory.
void need_bounded_size(const OpGraph& graph) {
  struct Size {
    int64_t ops = 0;
    int64_t bytes = 0;
  };
  std::vector<Size> sizes;
  Size total;
  for (const Computation& computation : graph.computations) {
    Size size;
    for (const Op& op : computation.ops) {
      const bool call = is_inlined(op, false);
      const Size added =
          call ? sizes[static_cast<size_t>(op.called[0])] : Size{.ops = 1, .bytes = memory_of(op)};
      size.ops += added.ops;
      size.bytes += added.bytes;
      if (total.ops + size.ops <= kMaxHloOps && total.bytes + size.bytes <= kMaxFlatBytes) continue;
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: '{}' has too many ops with all calls inlined; at most {} ops in "
                              "{} are flattened",
                              graph.source, printable(graph.name), format_count(kMaxHloOps),
                              format_bytes(static_cast<double>(kMaxFlatBytes))));
    }
    sizes.push_back(size);
    total.ops += size.ops;
    total.bytes += size.bytes;
  }
}

/// Drops computations that neither the entry nor its callees call.
void remove_unused_computations(OpGraph& graph) {
  std::vector<bool> used(graph.computations.size(), false);
  used[static_cast<size_t>(graph.entry)] = true;
  for (size_t i = graph.computations.size(); i-- > 0;) {
    if (!used[i]) continue;
    for (const Op& op : graph.computations[i].ops) {
      for (const int32_t callee : op.called) used[static_cast<size_t>(callee)] = true;
    }
  }
  std::vector<int32_t> place(used.size(), -1);
  std::vector<Computation> kept;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    place[i] = static_cast<int32_t>(kept.size());
    kept.push_back(std::move(graph.computations[i]));
    for (Op& op : kept.back().ops) {
      for (int32_t& callee : op.called) callee = place[static_cast<size_t>(callee)];
    }
  }
  graph.computations = std::move(kept);
  graph.entry = place[static_cast<size_t>(graph.entry)];
}

}  // namespace

OpGraph flatten(const OpGraph& graph) {
  need_bounded_size(graph);
  const std::vector<bool> effects = effects_of(graph.computations);
  OpGraph flat = {.name = graph.name,
                  .entry = graph.entry,
                  .input_output_alias = graph.input_output_alias,
                  .notes = graph.notes,
                  .source = graph.source};
  for (const Computation& computation : graph.computations) {
    flat.computations.push_back(Flattener(computation, flat.computations, effects).flatten());
  }
  remove_unused_computations(flat);
  return flat;
}

bool has_side_effect(const OpGraph& graph, const Op& op) {
  if (has_own_effect(op)) return true;
  // Each computation is looked into once, however many ops call it.
  std::vector<bool> seen(graph.computations.size(), false);
  std::vector<int32_t> open = op.called;
  while (!open.empty()) {
    const auto next = static_cast<size_t>(open.back());
    open.pop_back();
    if (seen[next]) continue;
    seen[next] = true;
    for (const Op& inner : graph.computations[next].ops) {
      if (has_own_effect(inner)) return true;
      open.insert(open.end(), inner.called.begin(), inner.called.end());
    }
  }
  return false;
}

}  // namespace tilewright
