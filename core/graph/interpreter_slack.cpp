#include "core/graph/interpreter_slack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/graph/interpreter.h"
#include "core/graph/interpreter_ops.h"
#include "core/graph/scalar_program.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

constexpr double kOpen = std::numeric_limits<double>::infinity();

double as_double(const Value& value, int64_t index) {
  return is_float(value.shape().type) ? value.number(index)
                                      : static_cast<double>(value.integer(index));
}

double largest_of(const Value& value) {
  double largest = 0;
  for (int64_t i = 0; i < value.size(); ++i) {
    const double size = std::abs(as_double(value, i));
    if (std::isfinite(size)) largest = std::max(largest, size);
  }
  return largest;
}

Shape wide_shape(const Shape& shape) {
  return array_shape(ElementType::kF64, shape.dims);
}

Value filled(const Shape& shape, double number) {
  Value value(wide_shape(shape));
  std::ranges::fill(value.writable(), element_of(number));
  return value;
}

/// The result differs by a whole step where an operand moves a little.
bool jumps(const Computation& computation, const Op& op) {
  switch (op.opcode) {
    case HloOpcode::kRoundNearestEven:
    case HloOpcode::kRoundNearestAfz:
    case HloOpcode::kFloor:
    case HloOpcode::kCeil:
    case HloOpcode::kSign:
    case HloOpcode::kCompare:
      return is_float(computation.operand(op, 0).shape.type);
    case HloOpcode::kConvert:
      return is_float(computation.operand(op, 0).shape.type) && !is_float(op.shape.type);
    default:
      return false;
  }
}

/// The result's elements are elements of operands, perhaps with another sign.
bool chooses(const OpGraph& graph, const Op& op) {
  switch (op.opcode) {
    case HloOpcode::kReduce: {
      const HloOpcode combination = graph.computation(op.called[0]).root_op().opcode;
      return combination == HloOpcode::kMaximum || combination == HloOpcode::kMinimum;
    }
    case HloOpcode::kNegate:
    case HloOpcode::kAbs:
    case HloOpcode::kMaximum:
    case HloOpcode::kMinimum:
    case HloOpcode::kClamp:
    case HloOpcode::kSelect:
    case HloOpcode::kConvert:
    case HloOpcode::kCopy:
    case HloOpcode::kBroadcast:
    case HloOpcode::kTranspose:
    case HloOpcode::kSlice:
    case HloOpcode::kReverse:
    case HloOpcode::kConcatenate:
    case HloOpcode::kPad:
    case HloOpcode::kDynamicSlice:
    case HloOpcode::kDynamicUpdateSlice:
    case HloOpcode::kGather:
    case HloOpcode::kReshape:
    case HloOpcode::kBitcast:
    case HloOpcode::kParameter:
    case HloOpcode::kConstant:
    case HloOpcode::kIota:
    case HloOpcode::kTuple:
      return true;
    default:
      return false;
  }
}

/// The first operand that is an index or the start of one; those before hold elements.
size_t first_index(const Op& op) {
  switch (op.opcode) {
    case HloOpcode::kDynamicSlice:
    case HloOpcode::kGather:
      return 1;
    case HloOpcode::kDynamicUpdateSlice:
      return 2;
    default:
      return op.operands.size();
  }
}

class SlackWalk {
 public:
  SlackWalk(const OpGraph& graph, std::span<const Value> inputs, double relative,
            std::span<const double> stored)
      : graph_(graph), entry_(graph.entry_computation()), slack_(entry_.ops.size()) {
    find_relative(relative, stored);
    find_cone();
    evaluate(inputs);
    for (size_t i = 0; i < entry_.ops.size(); ++i) {
      if (in_cone_[i] && !entry_.ops[i].shape.is_tuple()) slack_[i] = slack_of(entry_.ops[i]);
    }
  }

  SlackResult result() && {
    SlackResult result;
    const Op& root = entry_.root_op();
    const std::vector<int32_t> whole = {entry_.root};
    for (const int32_t part : root.opcode == HloOpcode::kTuple ? root.operands : whole) {
      result.slack.push_back(slack_[static_cast<size_t>(part)]);
      result.relative.push_back(relative_of(part));
    }
    result.result = std::move(result_);
    return result;
  }

 private:
  /// By how much of the largest an array's elements may be off.
  void find_relative(double relative, std::span<const double> stored) {
    for (size_t i = 0; i < entry_.ops.size(); ++i) {
      const Op& op = entry_.ops[i];
      double off = 0;
      if (is_float(op.shape.type)) {
        off = chooses(graph_, op) ? 0 : relative;
        for (const int32_t operand : op.operands) off = std::max(off, relative_of(operand));
      }
      relative_.push_back(i < stored.size() ? std::max(off, stored[i]) : off);
    }
  }
  double relative_of(int32_t op) const { return relative_[static_cast<size_t>(op)]; }

  /// Ops that may have slack: what jumps on inexact numbers, and what is made of that.
  void find_cone() {
    for (const Op& op : entry_.ops) {
      const bool can_jump = jumps(entry_, op);
      in_cone_.push_back(std::ranges::any_of(op.operands, [&](int32_t operand) {
        return in_cone_[static_cast<size_t>(operand)] || (can_jump && relative_of(operand) > 0);
      }));
    }
  }

  /// The graph's result, and the values that the cone reads, in one run.
  void evaluate(std::span<const Value> inputs) {
    if (std::ranges::find(in_cone_, true) == in_cone_.end()) {
      result_ = interpret(graph_, inputs);
      return;
    }
    OpGraph wider = graph_;
    Computation& entry = wider.computations[static_cast<size_t>(wider.entry)];
    Op root;
    root.name = "slack_root";
    root.opcode = HloOpcode::kTuple;
    root.operands = {entry_.root};
    for (size_t i = 0; i < entry_.ops.size(); ++i) {
      if (!in_cone_[i] || entry_.ops[i].shape.is_tuple()) continue;
      places_.try_emplace(static_cast<int32_t>(i), 0);
      for (const int32_t operand : entry_.ops[i].operands) places_.try_emplace(operand, 0);
    }
    for (auto& place : places_) {
      place.second = root.operands.size();
      root.operands.push_back(place.first);
    }
    std::vector<Shape> shapes;
    for (const int32_t operand : root.operands) shapes.push_back(entry.op(operand).shape);
    root.shape = tuple_shape(std::move(shapes));
    entry.root = static_cast<int32_t>(entry.ops.size());
    entry.ops.push_back(std::move(root));
    values_ = interpret(wider, inputs).parts();
    result_ = values_.front();
  }
  const Value& value(int32_t op) const { return values_[places_.at(op)]; }
  const Value& slack(int32_t op) const { return slack_[static_cast<size_t>(op)]; }
  bool has_slack(int32_t op) const { return slack(op).size() > 0; }

  Value slack_of(const Op& op) {
    for (size_t i = first_index(op); i < op.operands.size(); ++i) {
      if (has_slack(op.operands[i])) return filled(op.shape, kOpen);
    }
    switch (op.opcode) {
      case HloOpcode::kCopy:
        return slack(op.operands[0]);
      case HloOpcode::kCompare:
        return slack_of_comparison(op);
      case HloOpcode::kReduce:
        return slack_of_reduce(op);
      case HloOpcode::kDot:
        return slack_of_dot(op);
      default:
        return is_elementwise(op.opcode) ? slack_of_elements(op) : slack_of_move(op);
    }
  }

  /// By element: how far an operand may be off, with what a jump takes into account.
  std::vector<double> reach_of(int32_t operand, bool with_floats) const {
    const Value& at = value(operand);
    const double base = with_floats ? relative_of(operand) * largest_of(at) : 0;
    std::vector<double> reach(static_cast<size_t>(at.size()), base);
    for (int64_t i = 0; i < slack(operand).size(); ++i) {
      reach[static_cast<size_t>(i)] += slack(operand).number(i);
    }
    return reach;
  }

  Value slack_of_comparison(const Op& op) const {
    const bool is_jump = jumps(entry_, op);
    const Value& left = value(op.operands[0]);
    const Value& right = value(op.operands[1]);
    const std::vector<double> a = reach_of(op.operands[0], is_jump);
    const std::vector<double> b = reach_of(op.operands[1], is_jump);
    Value result(wide_shape(op.shape));
    const std::span<Element> out = result.writable();
    for (size_t i = 0; i < out.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      const double apart = std::abs(as_double(left, at) - as_double(right, at));
      out[i] = element_of(a[i] + b[i] > 0 && apart <= a[i] + b[i] ? 1.0 : 0.0);
    }
    return result;
  }

  /// An operand as long as the result, with every element moved to one end of its reach.
  static std::vector<Element> moved(const Value& value, const std::vector<double>& reach, int side,
                                    size_t count) {
    const ElementType type = value.shape().type;
    std::vector<Element> elements(count);
    for (size_t i = 0; i < count; ++i) {
      const size_t at = value.size() == 1 ? 0 : i;
      const Element is = value.elements()[at];
      const double by = side * reach[at];
      if (by == 0) {
        elements[i] = is;
      } else if (is_float(type)) {
        elements[i] = element_of(float_of(is) + by);
      } else if (type == ElementType::kPred) {
        elements[i] = element_of(int64_t{1} - integer_of(is));
      } else {
        constexpr double kFar = 1e15;
        elements[i] = element_of(integer_of(is) +
                                 static_cast<int64_t>(std::clamp(std::round(by), -kFar, kFar)));
      }
    }
    return elements;
  }

  Value slack_of_elements(const Op& op) const {
    const bool is_jump = jumps(entry_, op);
    const Elementwise elementwise = elementwise_of(entry_, op, Arithmetic::kExact);
    const auto count = static_cast<size_t>(element_count(op.shape));
    // Of each operand the value, and where it has slack both ends.
    std::vector<std::vector<std::vector<Element>>> choices;
    std::vector<std::vector<double>> reaches;
    for (const int32_t operand : op.operands) {
      const std::vector<double>& reach = reaches.emplace_back(reach_of(operand, is_jump));
      const bool moves = std::ranges::any_of(reach, [](double by) { return by > 0; });
      auto& ends = choices.emplace_back();
      if (!moves) ends.push_back(moved(value(operand), reach, 0, count));
      for (const int side : {-1, 1}) {
        if (moves) ends.push_back(moved(value(operand), reach, side, count));
      }
    }
    Value result = filled(op.shape, 0);
    const std::span<Element> out = result.writable();
    const Value& center = value(entry_index(op));
    std::vector<Element> made(count);
    std::vector<size_t> corner(op.operands.size(), 0);
    while (true) {
      std::array<const Element*, 3> operands = {};
      for (size_t i = 0; i < corner.size(); ++i) operands[i] = choices[i][corner[i]].data();
      apply(elementwise, operands.data(), made.data(), count);
      for (size_t i = 0; i < count; ++i) {
        const bool floats = is_float(op.shape.type);
        const double is = floats ? float_of(made[i]) : static_cast<double>(integer_of(made[i]));
        const double off = is - as_double(center, static_cast<int64_t>(i));
        const bool same = made[i] == center.elements()[i];
        const double size = same ? 0 : std::isnan(off) ? kOpen : std::abs(off);
        out[i] = element_of(std::max(float_of(out[i]), size));
      }
      size_t next = 0;
      for (; next < corner.size() && ++corner[next] == choices[next].size(); ++next) {
        corner[next] = 0;
      }
      if (next == corner.size()) break;
    }
    if (op.opcode == HloOpcode::kDivide) open_poles(op, reaches[1], out);
    return result;
  }

  /// A divisor that may be 0.
  void open_poles(const Op& op, const std::vector<double>& reach, std::span<Element> out) const {
    const Value& divisor = value(op.operands[1]);
    for (size_t i = 0; i < out.size(); ++i) {
      const size_t at = divisor.size() == 1 ? 0 : i;
      if (reach[at] > 0 && std::abs(as_double(divisor, static_cast<int64_t>(at))) <= reach[at]) {
        out[i] = element_of(kOpen);
      }
    }
  }

  int32_t entry_index(const Op& op) const { return static_cast<int32_t>(&op - entry_.ops.data()); }

  Value slack_of_reduce(const Op& op) const {
    const Value& from = slack(op.operands[0]);
    Value result = filled(op.shape, 0);
    if (from.size() == 0) return result;
    const bool sums = graph_.computation(op.called[0]).root_op().opcode == HloOpcode::kAdd;
    Strided kept;
    const std::vector<int64_t> strides = row_major_strides(op.shape.dims);
    size_t next = 0;
    for (int64_t dim = 0; dim < from.shape().rank(); ++dim) {
      const auto& gone = op.get<Dimensions>().dims;
      const bool is_kept = std::ranges::find(gone, dim) == gone.end();
      kept.strides.push_back(is_kept ? strides[next++] : 0);
    }
    const std::span<Element> out = result.writable();
    size_t at = 0;
    for (StridedWalk<1> walk(from.shape().dims, {kept}); !walk.done(); walk.next(), ++at) {
      Element& into = out[static_cast<size_t>(walk.at(0))];
      const double more = float_of(from.elements()[at]);
      into = element_of(sums ? float_of(into) + more : std::max(float_of(into), more));
    }
    return result;
  }

  /// The op on arrays of f64.
  static Value evaluated(const OpGraph& graph, Op op, std::vector<Value> operands) {
    Computation alone;
    for (size_t i = 0; i < operands.size(); ++i) {
      Op parameter;
      parameter.opcode = HloOpcode::kParameter;
      parameter.shape = operands[i].shape();
      parameter.attributes = ParameterNumber{static_cast<int64_t>(i)};
      alone.ops.push_back(std::move(parameter));
      op.operands[i] = static_cast<int32_t>(i);
    }
    op.shape = wide_shape(op.shape);
    std::optional<Value> value = evaluate_leaf({graph, alone, op, operands, Arithmetic::kExact});
    TW_CHECK(value.has_value(), "what was interpreted once can be again");
    return *std::move(value);
  }

  Value slack_of_move(const Op& op) const {
    std::vector<Value> operands;
    for (size_t i = 0; i < op.operands.size(); ++i) {
      const int32_t operand = op.operands[i];
      const bool is_index = i >= first_index(op);
      operands.push_back(is_index             ? value(operand)
                         : has_slack(operand) ? slack(operand)
                                              : filled(value(operand).shape(), 0));
    }
    return evaluated(graph_, op, std::move(operands));
  }

  Value slack_of_dot(const Op& op) const {
    std::array<Value, 2> sizes, off;
    for (size_t side = 0; side < 2; ++side) {
      const Value& at = value(op.operands[side]);
      sizes[side] = Value(wide_shape(at.shape()));
      const std::span<Element> out = sizes[side].writable();
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = element_of(std::abs(as_double(at, static_cast<int64_t>(i))));
      }
      const int32_t operand = op.operands[side];
      off[side] = has_slack(operand) ? slack(operand) : filled(at.shape(), 0);
    }
    Value result = filled(op.shape, 0);
    const std::array<std::pair<const Value*, const Value*>, 3> parts = {
        {{&sizes[0], &off[1]}, {&off[0], &sizes[1]}, {&off[0], &off[1]}}};
    for (const auto& part : parts) {
      const Value product = evaluated(graph_, op, {*part.first, *part.second});
      const std::span<Element> out = result.writable();
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = element_of(float_of(out[i]) + float_of(product.elements()[i]));
      }
    }
    return result;
  }

  const OpGraph& graph_;
  const Computation& entry_;
  std::vector<double> relative_;
  std::vector<bool> in_cone_;
  std::map<int32_t, size_t> places_;  // of values in values_
  std::vector<Value> values_;
  std::vector<Value> slack_;
  Value result_;
};

}  // namespace

SlackResult interpret_with_slack(const OpGraph& graph, std::span<const Value> inputs,
                                 double relative, std::span<const double> stored) {
  return SlackWalk(graph, inputs, relative, stored).result();
}

}  // namespace tilewright
