#include "kernels/fused/fused_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/graph/interpreter.h"
#include "core/graph/interpreter_slack.h"
#include "simulator/functional.h"

namespace tilewright {

namespace {

/// Copies ops of a region with all that they need into a computation, in their order.
class Extractor {
 public:
  Extractor(const Region& region, const FusedOps& ops, KernelGraph& result)
      : region_(region), ops_(ops), result_(result), copies_(region.computation().ops.size(), -1) {
    result.graph.name = "kernel";
    entry_.name = "kernel_entry";
    for (const int32_t op : ops.outputs) need(op);
    for (int32_t op = 0; op < region.size(); ++op) {
      if (copies_[static_cast<size_t>(op)] == kNeeded) copy(op);
    }
    Op root;
    root.name = "kernel_root";
    root.opcode = HloOpcode::kTuple;
    std::vector<Shape> shapes;
    for (const int32_t output : ops.outputs) {
      root.operands.push_back(copy_of(output));
      shapes.push_back(entry_.op(root.operands.back()).shape);
    }
    root.shape = tuple_shape(std::move(shapes));
    entry_.root = static_cast<int32_t>(entry_.ops.size());
    entry_.ops.push_back(std::move(root));
    result.sources.push_back(-1);
    add_aliases();
    result.graph.entry = static_cast<int32_t>(result.graph.computations.size());
    result.graph.computations.push_back(std::move(entry_));
  }

 private:
  static constexpr int32_t kNeeded = -2;

  int32_t copy_of(int32_t op) const { return copies_[static_cast<size_t>(op)]; }

  bool is_copied(int32_t op) const {
    const Op& made = region_.computation().op(op);
    return std::ranges::binary_search(ops_.ops, op) || region_.role(op) == OpRole::kView ||
           region_.role(op) == OpRole::kConstant || region_.splat(op).has_value() ||
           (made.opcode == HloOpcode::kConstant && !made.get<Literal>().elided);
  }

  void need(int32_t op) {
    std::vector<int32_t> todo = {op};
    while (!todo.empty()) {
      const int32_t next = todo.back();
      todo.pop_back();
      int32_t& copy = copies_[static_cast<size_t>(next)];
      if (copy == kNeeded) continue;
      copy = kNeeded;
      if (!is_copied(next)) continue;
      const std::vector<int32_t>& operands = region_.computation().op(next).operands;
      todo.insert(todo.end(), operands.begin(), operands.end());
    }
  }

  void copy(int32_t op) {
    Op made = region_.computation().op(op);
    made.control_predecessors.clear();
    if (is_copied(op)) {
      for (int32_t& operand : made.operands) operand = copy_of(operand);
      for (int32_t& called : made.called) called = copy_called(called);
    } else {
      made.opcode = HloOpcode::kParameter;
      made.operands.clear();
      made.called.clear();
      made.attributes = ParameterNumber{std::ssize(result_.inputs)};
      entry_.parameters.push_back(static_cast<int32_t>(entry_.ops.size()));
      result_.inputs.push_back(op);
    }
    copies_[static_cast<size_t>(op)] = static_cast<int32_t>(entry_.ops.size());
    entry_.ops.push_back(std::move(made));
    result_.sources.push_back(op);
  }

  int32_t copy_called(int32_t index) {
    if (const auto found = called_.find(index); found != called_.end()) return found->second;
    Computation computation = region_.graph().computation(index);
    for (Op& op : computation.ops) {
      for (int32_t& called : op.called) called = copy_called(called);
    }
    result_.graph.computations.push_back(std::move(computation));
    return called_[index] = static_cast<int32_t>(result_.graph.computations.size()) - 1;
  }

  /// Results that take the memory of an input do so here, too.
  void add_aliases() {
    for (size_t i = 0; i < ops_.outputs.size(); ++i) {
      const int32_t op = ops_.outputs[i];
      const int32_t updated = updated_in_memory(region_, ops_, op);
      const int32_t taken = updated >= 0 ? updated : region_.aliased_input(op);
      const auto input = std::ranges::find(result_.inputs, taken);
      if (taken < 0 || input == result_.inputs.end()) continue;
      const auto number = static_cast<int64_t>(input - result_.inputs.begin());
      result_.graph.input_output_alias.push_back({{static_cast<int64_t>(i)}, number, {}, false});
    }
  }

  const Region& region_;
  const FusedOps& ops_;
  KernelGraph& result_;
  Computation entry_;
  std::vector<int32_t> copies_;  // by op of the region: the op of the entry, or kNeeded
  std::map<int32_t, int32_t> called_;
};

double element(const Value& value, int64_t index) {
  return is_float(value.shape().type) ? value.number(index)
                                      : static_cast<double>(value.integer(index));
}

std::vector<float> floats_of(const Value& value) {
  std::vector<float> floats(static_cast<size_t>(value.size()));
  for (size_t i = 0; i < floats.size(); ++i) {
    floats[i] = static_cast<float>(element(value, static_cast<int64_t>(i)));
  }
  return floats;
}

/// The bytes of a tensor that holds an array.
std::vector<uint8_t> bytes_of_value(const Tensor& tensor, const Value& value) {
  if (tensor.type == DType::kI32) {
    std::vector<int32_t> wholes(static_cast<size_t>(value.size()));
    for (size_t i = 0; i < wholes.size(); ++i) {
      wholes[i] = static_cast<int32_t>(static_cast<uint32_t>(value.integer(static_cast<int64_t>(i))));
    }
    return write_whole_tensor(tensor, wholes);
  }
  return write_tensor(tensor, floats_of(value));
}

/// The array that a tensor holds.
Value value_of_bytes(const Tensor& tensor, const Shape& shape, const std::vector<uint8_t>& bytes) {
  Value value(array_shape(shape.type, shape.dims));
  const std::span<Element> out = value.writable();
  const auto put = [&](size_t i, double number) {
    out[i] = is_float(shape.type) ? element_of(number) : element_of(static_cast<int64_t>(number));
  };
  if (tensor.type != DType::kI32) {
    const std::vector<float> floats = read_tensor(tensor, bytes);
    for (size_t i = 0; i < out.size(); ++i) put(i, static_cast<double>(floats[i]));
    return value;
  }
  const std::vector<int32_t> wholes = read_whole_tensor(tensor, bytes);
  for (size_t i = 0; i < out.size(); ++i) {
    put(i, shape.type == ElementType::kU32 ? static_cast<double>(static_cast<uint32_t>(wholes[i]))
                                           : static_cast<double>(wholes[i]));
  }
  return value;
}

/// Most that rounding to a 16-bit float is off, with some room for several.
constexpr double kNarrowRelative = 8e-3;

bool is_narrow_float(ElementType type) {
  return is_float(type) && bytes_of(type) < 4;
}

/// By op of the kernel's own graph: by how much an array that goes through memory to a later level
/// is rounded there.
std::vector<double> stored_relative(const Region& region, const FusedKernel& kernel,
                                    const KernelGraph& alone) {
  std::vector<double> stored(alone.sources.size(), 0);
  if (kernel.levels < 2) return stored;
  for (size_t i = 0; i < stored.size(); ++i) {
    const int32_t op = alone.sources[i];
    const bool is_stored = std::ranges::binary_search(kernel.workspace, op) ||
                           std::ranges::binary_search(kernel.ops.outputs, op);
    if (op < 0 || !is_stored) continue;
    if (is_narrow_float(region.computation().op(op).shape.type)) stored[i] = kNarrowRelative;
  }
  return stored;
}

/// Compares an output; `got` has as many elements as `expected`, and so has `slack` where something
/// may jump. An element may also be what `stated` has, the result in the graph's own types, if that
/// is given: there a number may leave the range of its type, or cancel with others.
void compare(const std::string& name, const Value& expected, const Value* stated,
             const Value& got, double relative, const Value& slack,
             CheckResult& result) {
  double largest = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double value = std::abs(element(expected, i));
    if (std::isfinite(value)) largest = std::max(largest, value);
  }
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double want = element(expected, i);
    const double is = element(got, i);
    ++result.elements;
    const bool both_nan = std::isnan(want) && std::isnan(is);
    if (want == is || both_nan) continue;
    const double error = std::abs(is - want);
    if (std::isfinite(error)) {
      result.max_abs_err = std::max(result.max_abs_err, error);
      if (want != 0) result.max_rel_err = std::max(result.max_rel_err, error / std::abs(want));
    }
    const double jump = slack.size() > 0 ? slack.number(i) : 0;
    if (error <= relative * largest + jump || jump == std::numeric_limits<double>::infinity()) {
      continue;
    }
    if (stated != nullptr) {
      const double other = element(*stated, i);
      if (other == is || (std::isnan(other) && std::isnan(is)) ||
          std::abs(other - is) <= relative * largest + jump) {
        continue;
      }
    }
    if (result.first_failure.empty()) {
      result.first_failure = fmt::format("{}[{}]: got {}, expected {}", name, i, is, want);
    }
    result.ok = false;
  }
}

/// Sixteen roundings to f32.
constexpr double kInputRounding = 0x1p-20;

/// An input with every float moved up or down by some roundings.
Value moved(const Value& input, Random& random) {
  if (!is_float(input.shape().type)) return input;
  Value value = input;
  for (Element& element : value.writable()) {
    const double by = random.below(2) == 0 ? -kInputRounding : kInputRounding;
    element = element_of(float_of(element) * (1 + by));
  }
  return value;
}

/// The slack of each output, and what it changes by when the inputs move by some roundings: where
/// numbers almost cancel and something is divided by what is left, f32 computes no better than
/// that.
std::vector<Value> with_condition(const OpGraph& graph, const std::vector<Value>& inputs,
                                  const SlackResult& reference, uint64_t seed) {
  constexpr int kTrials = 2;
  std::vector<Value> slack;
  for (size_t i = 0; i < reference.slack.size(); ++i) {
    const Value& from = reference.slack[i];
    Value& own = slack.emplace_back(
        array_shape(ElementType::kF64, reference.result.parts()[i].shape().dims));
    const std::span<Element> out = own.writable();
    for (size_t at = 0; at < out.size(); ++at) {
      out[at] = from.size() > 0 ? from.elements()[at] : element_of(0.0);
    }
  }
  Random random(seed);
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<Value> others;
    for (const Value& input : inputs) others.push_back(moved(input, random));
    const Value result = interpret(graph, others);
    for (size_t i = 0; i < slack.size(); ++i) {
      const std::span<Element> out = slack[i].writable();
      for (size_t at = 0; at < out.size(); ++at) {
        const auto index = static_cast<int64_t>(at);
        const double off = std::abs(element(result.parts()[i], index) -
                                    element(reference.result.parts()[i], index));
        if (off > 0) out[at] = element_of(float_of(out[at]) + off);
      }
    }
  }
  return slack;
}

/// The start indices of the kernel's dynamic slices and updates: known, among its inputs, or
/// computed by its own ops.
SliceStarts starts_of(const Region& region, const FusedOps& ops, const KernelGraph& alone,
                      const std::vector<Value>& inputs) {
  const Computation& computation = region.computation();
  FusedOps indices{ops.ops, {}};
  for (const int32_t index : ops.ops) {
    for (const int32_t start : start_operands(computation.op(index))) {
      const int32_t made = region.base(start);
      if (std::ranges::binary_search(ops.ops, made)) indices.outputs.push_back(made);
    }
  }
  std::map<int32_t, int64_t> computed;
  const auto input_of = [&](int32_t op) -> const Value& {
    const auto input = std::ranges::find(alone.inputs, op);
    TW_CHECK(input != alone.inputs.end(), "what an index is made of is an input");
    return inputs[static_cast<size_t>(input - alone.inputs.begin())];
  };
  if (!indices.outputs.empty()) {
    const KernelGraph graph = graph_of(region, indices);
    std::vector<Value> values;
    for (const int32_t input : graph.inputs) values.push_back(input_of(input));
    const Value results = interpret(graph.graph, values);
    for (size_t i = 0; i < indices.outputs.size(); ++i) {
      computed[indices.outputs[i]] = results.parts()[i].integer(0);
    }
  }
  SliceStarts starts;
  for (const int32_t index : ops.ops) {
    const Op& op = computation.op(index);
    for (const int32_t start : start_operands(op)) {
      const std::optional<double> fixed = region.splat(start);
      const auto made = computed.find(region.base(start));
      starts[index].push_back(fixed                    ? static_cast<int64_t>(*fixed)
                              : made != computed.end() ? made->second
                                                       : input_of(region.base(start)).integer(0));
    }
  }
  return starts;
}

}  // namespace

KernelGraph graph_of(const Region& region, const FusedOps& ops) {
  KernelGraph result;
  Extractor(region, ops, result);
  return result;
}

std::vector<Value> run_fused_kernel(const Region& region, const FusedKernel& kernel,
                                    const Machine& machine, const KernelGraph& alone,
                                    const std::vector<Value>& inputs) {
  const FusedLaunch built =
      build_fused_launch(region, kernel, machine, starts_of(region, kernel.ops, alone, inputs));
  GmImage image = make_image(built.launch);
  for (size_t i = 0; i < alone.inputs.size(); ++i) {
    const auto found = built.tensors.find(alone.inputs[i]);
    if (found == built.tensors.end()) continue;
    const auto tensor = static_cast<size_t>(found->second);
    image[tensor] = bytes_of_value(built.launch.tensors[tensor], inputs[i]);
  }
  // Constants are in memory before; an iota once along its dimension.
  for (const auto& entry : built.tensors) {
    if (entry.first < 0) continue;  // partial sums
    if (region.role(entry.first) != OpRole::kConstant &&
        region.computation().op(entry.first).opcode != HloOpcode::kConstant) {
      continue;
    }
    const auto tensor = static_cast<size_t>(entry.second);
    const KernelGraph constant = graph_of(region, {{entry.first}, {entry.first}});
    // What it is made of may be unknown: then it is the same as in the kernel's own graph.
    std::vector<Value> unknown = make_inputs(constant.graph, 0);
    for (size_t i = 0; i < unknown.size(); ++i) {
      const auto input = std::ranges::find(alone.inputs, constant.inputs[i]);
      if (input == alone.inputs.end()) continue;
      unknown[i] = inputs[static_cast<size_t>(input - alone.inputs.begin())];
    }
    const Value value = interpret(constant.graph, unknown).parts().front();
    const Tensor& constants = built.launch.tensors[tensor];
    if (region.computation().op(entry.first).opcode == HloOpcode::kIota) {
      std::vector<float> floats(static_cast<size_t>(constants.rows * constants.cols));
      for (size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i);
      image[tensor] = write_tensor(constants, floats);
    } else {
      image[tensor] = bytes_of_value(constants, value);
    }
  }
  run_functional(built.launch, machine, image);
  std::vector<Value> results;
  for (const int32_t op : kernel.ops.outputs) {
    const auto tensor = static_cast<size_t>(built.tensors.at(op));
    results.push_back(value_of_bytes(built.launch.tensors[tensor],
                                     region.computation().op(op).shape, image[tensor]));
  }
  return results;
}

CheckResult check_fused_kernel(const Region& region, const FusedKernel& kernel,
                               const Machine& machine, uint64_t seed, double relative) {
  const KernelGraph alone = graph_of(region, kernel.ops);
  const std::vector<Value> inputs = make_inputs(alone.graph, seed);
  const SlackResult reference =
      interpret_with_slack(alone.graph, inputs, relative, stored_relative(region, kernel, alone));
  const std::vector<Value> results = run_fused_kernel(region, kernel, machine, alone, inputs);
  const auto compare_outputs = [&](const std::vector<Value>& slack, const Value* stated) {
    CheckResult result;
    result.ok = true;
    for (size_t i = 0; i < kernel.ops.outputs.size(); ++i) {
      const Op& made = region.computation().op(kernel.ops.outputs[i]);
      const double least = is_narrow_float(made.shape.type) ? kNarrowRelative : relative;
      // Bits are right or wrong.
      const double allowed = made.shape.type == ElementType::kU32
                                 ? 0
                                 : std::max({relative, least, reference.relative[i]});
      compare(made.name, reference.result.parts()[i], stated ? &stated->parts()[i] : nullptr, results[i],
              allowed, slack[i], result);
    }
    return result;
  };
  const CheckResult result = compare_outputs(reference.slack, nullptr);
  if (result.ok) return result;
  const Value stated = interpret(alone.graph, inputs, {.arithmetic = Arithmetic::kStated});
  return compare_outputs(with_condition(alone.graph, inputs, reference, seed), &stated);
}

}  // namespace tilewright
