#include "core/graph/region.h"

#include <algorithm>

#include "core/base/dtype.h"

namespace tilewright {

namespace {

/// Elementwise ops that take a vector unit more than a few instructions.
bool is_heavy(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kAbs:
    case HloOpcode::kAdd:
    case HloOpcode::kAnd:
    case HloOpcode::kCeil:
    case HloOpcode::kClamp:
    case HloOpcode::kCompare:
    case HloOpcode::kConvert:
    case HloOpcode::kDivide:
    case HloOpcode::kFloor:
    case HloOpcode::kIsFinite:
    case HloOpcode::kMaximum:
    case HloOpcode::kMinimum:
    case HloOpcode::kMultiply:
    case HloOpcode::kNegate:
    case HloOpcode::kNot:
    case HloOpcode::kOr:
    case HloOpcode::kReducePrecision:
    case HloOpcode::kRsqrt:
    case HloOpcode::kSelect:
    case HloOpcode::kSign:
    case HloOpcode::kSqrt:
    case HloOpcode::kSubtract:
    case HloOpcode::kXor:
      return false;
    default:
      return true;
  }
}

/// A transpose that only moves dimensions of extent 1 lists the elements in the same order.
bool keeps_order(const Computation& computation, const Op& op) {
  const Shape& from = computation.operand(op, 0).shape;
  int64_t last = -1;
  for (const int64_t dim : op.get<Dimensions>().dims) {
    if (from.dims[static_cast<size_t>(dim)] == 1) continue;
    if (dim < last) return false;
    last = dim;
  }
  return true;
}

bool is_view(const Computation& computation, const Op& op) {
  switch (op.opcode) {
    case HloOpcode::kReshape:
    case HloOpcode::kBitcast:
      return byte_count(op.shape) == byte_count(computation.operand(op, 0).shape);
    case HloOpcode::kCopy:
    case HloOpcode::kOptBarrier:
      return is_array(op.shape.type);
    case HloOpcode::kTranspose:
      return keeps_order(computation, op);
    case HloOpcode::kBroadcast:
      return element_count(op.shape) == element_count(computation.operand(op, 0).shape);
    case HloOpcode::kConvert:
      return op.shape.type == computation.operand(op, 0).shape.type;
    default:
      return false;
  }
}

OpRole role_of(const Computation& computation, const Op& op) {
  if (is_view(computation, op)) return OpRole::kView;
  switch (op.opcode) {
    case HloOpcode::kParameter:
    case HloOpcode::kConstant:
    case HloOpcode::kTuple:
    case HloOpcode::kGetTupleElement:
    case HloOpcode::kAfterAll:
    case HloOpcode::kAddDependency:
      return OpRole::kBoundary;
    case HloOpcode::kBroadcast:
      return OpRole::kBroadcast;
    case HloOpcode::kReduce:
      return op.shape.is_tuple() ? OpRole::kOpaque : OpRole::kReduce;
    case HloOpcode::kIota:
      return OpRole::kConstant;
    case HloOpcode::kTranspose:
    case HloOpcode::kSlice:
    case HloOpcode::kConcatenate:
    case HloOpcode::kPad:
    case HloOpcode::kGather:
    case HloOpcode::kReverse:
    case HloOpcode::kDynamicSlice:
    case HloOpcode::kDynamicUpdateSlice:
      return OpRole::kMove;
    case HloOpcode::kDot:
    case HloOpcode::kConvolution:
      return OpRole::kCompute;
    case HloOpcode::kBitcastConvert:
      return same_dims(op.shape, computation.operand(op, 0).shape) ? OpRole::kLight
                                                                   : OpRole::kOpaque;
    default:
      if (!is_elementwise(op.opcode) || is_complex(op.shape.type)) return OpRole::kOpaque;
      return is_heavy(op.opcode) ? OpRole::kHeavy : OpRole::kLight;
  }
}

/// The one value of a constant's elements.
std::optional<double> splat_of(const Literal& literal) {
  if (literal.elided || !literal.parts.empty()) return std::nullopt;
  const auto one_value = [](const auto& values) -> std::optional<double> {
    if (values.empty()) return std::nullopt;
    const auto differs = [&](auto value) { return !(value == values.front()); };
    if (std::ranges::any_of(values, differs)) return std::nullopt;
    return static_cast<double>(values.front());
  };
  return literal.floats.empty() ? one_value(literal.integers) : one_value(literal.floats);
}

/// The op whose result an alias of the entry is about, past the tuples of the root; -1 where the
/// path leads to none.
int32_t aliased_result(const Region& region, const std::vector<int64_t>& path) {
  const Computation& computation = region.computation();
  int32_t op = region.base(computation.root);
  for (const int64_t index : path) {
    const Op& made = computation.op(op);
    if (made.opcode != HloOpcode::kTuple || index >= std::ssize(made.operands)) return -1;
    op = region.base(made.operands[static_cast<size_t>(index)]);
  }
  return op;
}

/// Whether a computation is the body of a loop, whose result becomes its parameter.
bool is_loop_body(const OpGraph& graph, const Computation& computation) {
  for (const Computation& caller : graph.computations) {
    for (const Op& op : caller.ops) {
      if (op.opcode == HloOpcode::kWhile && &graph.computation(op.called[1]) == &computation) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

std::string_view name_of(OpRole role) {
  switch (role) {
    case OpRole::kBoundary:
      return "boundary";
    case OpRole::kConstant:
      return "constant";
    case OpRole::kView:
      return "view";
    case OpRole::kLight:
      return "light";
    case OpRole::kHeavy:
      return "heavy";
    case OpRole::kBroadcast:
      return "broadcast";
    case OpRole::kReduce:
      return "reduce";
    case OpRole::kMove:
      return "move";
    case OpRole::kCompute:
      return "compute";
    case OpRole::kOpaque:
      return "opaque";
  }
  return "";
}

bool is_fusible(OpRole role) {
  return role == OpRole::kLight || role == OpRole::kHeavy || role == OpRole::kBroadcast ||
         role == OpRole::kReduce || role == OpRole::kMove;
}

Region::Region(const OpGraph& graph, int32_t computation)
    : graph_(&graph), computation_(&graph.computation(computation)) {
  find_roles();
  find_links();
  find_results();
  find_aliases();
  find_updates();
}

void Region::find_roles() {
  for (const Op& op : computation_->ops) {
    const auto index = static_cast<int32_t>(roles_.size());
    OpRole role = role_of(*computation_, op);
    const bool is_view = role == OpRole::kView;
    const int32_t base = is_view ? bases_[static_cast<size_t>(op.operands[0])] : index;
    std::optional<double> splat;
    if (op.opcode == HloOpcode::kConstant) splat = splat_of(op.get<Literal>());
    if (op.opcode == HloOpcode::kBroadcast || is_view) {
      splat = splats_[static_cast<size_t>(op.operands[0])];
    }
    const auto is_constant = [&](int32_t operand) {
      const auto at = static_cast<size_t>(bases_[static_cast<size_t>(operand)]);
      return roles_[at] == OpRole::kConstant || splats_[at].has_value() ||
             computation_->ops[at].opcode == HloOpcode::kConstant;
    };
    if (is_fusible(role) && !op.operands.empty() && op.control_predecessors.empty() &&
        std::ranges::all_of(op.operands, is_constant)) {
      role = OpRole::kConstant;
    }
    roles_.push_back(role);
    bases_.push_back(base);
    splats_.push_back(splat);
    elements_.push_back(element_count(op.shape));
    bytes_.push_back(byte_count(op.shape));
  }
}

void Region::find_links() {
  const auto count = computation_->ops.size();
  std::vector<int32_t> used(count, 0);
  for (size_t i = 0; i < count; ++i) {
    const Op& op = computation_->ops[i];
    const size_t begin = inputs_.ops.size();
    const auto add = [&](int32_t operand) {
      const int32_t base = bases_[static_cast<size_t>(operand)];
      if (!splats_[static_cast<size_t>(base)]) inputs_.ops.push_back(base);
    };
    if (roles_[i] != OpRole::kView) {
      for (const int32_t operand : op.operands) add(operand);
      for (const int32_t before : op.control_predecessors) add(before);
    }
    const auto first = inputs_.ops.begin() + static_cast<std::ptrdiff_t>(begin);
    std::sort(first, inputs_.ops.end());
    inputs_.ops.erase(std::unique(first, inputs_.ops.end()), inputs_.ops.end());
    for (size_t at = begin; at < inputs_.ops.size(); ++at) {
      ++used[static_cast<size_t>(inputs_.ops[at])];
    }
    inputs_.first.push_back(static_cast<int32_t>(inputs_.ops.size()));
  }
  users_.ops.resize(inputs_.ops.size());
  for (const int32_t uses : used) users_.first.push_back(users_.first.back() + uses);
  std::vector<int32_t> next(users_.first.begin(), users_.first.end() - 1);
  for (int32_t op = 0; op < size(); ++op) {
    for (const int32_t input : inputs(op)) {
      users_.ops[static_cast<size_t>(next[static_cast<size_t>(input)]++)] = op;
    }
  }
}

void Region::find_results() {
  is_result_.assign(computation_->ops.size(), false);
  std::vector<int32_t> shown = {computation_->root};
  while (!shown.empty()) {
    const int32_t op = bases_[static_cast<size_t>(shown.back())];
    shown.pop_back();
    const Op& made = computation_->op(op);
    if (made.opcode == HloOpcode::kTuple) {
      shown.insert(shown.end(), made.operands.begin(), made.operands.end());
    } else {
      is_result_[static_cast<size_t>(op)] = true;
    }
  }
}

void Region::find_aliases() {
  aliased_inputs_.assign(computation_->ops.size(), -1);
  if (&graph_->entry_computation() != computation_) return;
  for (const Alias& alias : graph_->input_output_alias) {
    const int32_t result = aliased_result(*this, alias.output);
    const auto number = static_cast<size_t>(alias.parameter);
    if (result < 0 || !alias.parameter_index.empty() || number >= computation_->parameters.size()) {
      continue;
    }
    aliased_inputs_[static_cast<size_t>(result)] = computation_->parameters[number];
  }
}

/// Whether a result takes the memory of an input: the part of a loop's state that it becomes.
bool Region::is_state_part(int32_t input, int32_t result) const {
  const Op& part = computation_->op(input);
  const Op& root = computation_->op(base(computation_->root));
  if (part.opcode != HloOpcode::kGetTupleElement || root.opcode != HloOpcode::kTuple ||
      computation_->operand(part, 0).opcode != HloOpcode::kParameter) {
    return false;
  }
  const int64_t index = part.get<TupleIndex>().index;
  if (index >= std::ssize(root.operands) ||
      base(root.operands[static_cast<size_t>(index)]) != result) {
    return false;
  }
  // Nobody else takes this part out of the state, or the state as a whole.
  for (const int32_t user : users(base(part.operands[0]))) {
    const Op& other = computation_->op(user);
    if (other.opcode != HloOpcode::kGetTupleElement ||
        (user != input && other.get<TupleIndex>().index == index)) {
      return false;
    }
  }
  return is_loop_body(*graph_, *computation_);
}

/// Whether another reader of an input needs the result of an op.
bool Region::reaches_reader(int32_t op, int32_t input) const {
  std::vector<bool> after(computation_->ops.size(), false);
  after[static_cast<size_t>(op)] = true;
  for (int32_t other = op; other < size(); ++other) {
    if (!after[static_cast<size_t>(other)]) continue;
    const auto read = inputs(other);
    if (other != op && std::ranges::find(read, input) != read.end()) return true;
    for (const int32_t user : users(other)) after[static_cast<size_t>(user)] = true;
  }
  return false;
}

void Region::find_updates() {
  in_place_.assign(computation_->ops.size(), -1);
  for (int32_t index = 0; index < size(); ++index) {
    const Op& op = computation_->op(index);
    if (op.opcode != HloOpcode::kDynamicUpdateSlice) continue;
    const int32_t updated = base(op.operands[0]);
    const OpRole own = role(updated);
    const bool is_again =
        std::ranges::any_of(op.operands.begin() + 1, op.operands.end(),
                            [&](int32_t operand) { return base(operand) == updated; });
    if (is_again || splat(updated) || own == OpRole::kConstant || is_result(updated)) continue;
    const Op& made = computation_->op(updated);
    const bool is_input = made.opcode == HloOpcode::kParameter ||
                          (made.opcode == HloOpcode::kGetTupleElement &&
                           computation_->operand(made, 0).opcode == HloOpcode::kParameter);
    if (is_input) {
      const bool is_given = aliased_input(index) == updated || is_state_part(updated, index);
      if (is_given && !reaches_reader(index, updated))
        in_place_[static_cast<size_t>(index)] = updated;
    } else if (own != OpRole::kBoundary && users(updated).size() == 1) {
      in_place_[static_cast<size_t>(index)] = updated;
    }
  }
}

}  // namespace tilewright
