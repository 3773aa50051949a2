#include "core/graph/interpreter.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/graph/interpreter_ops.h"

namespace tilewright {
namespace {

/// Calls within calls, each a few frames of the stack.
constexpr int kMaxDepth = 200;

bool has_complex(const Shape& shape) {
  return is_complex(shape.type) || std::any_of(shape.parts.begin(), shape.parts.end(), has_complex);
}

class Interpreter {
 public:
  Interpreter(const OpGraph& graph, const InterpreterOptions& options)
      : graph_(graph),
        options_(options),
        estimates_(work_of_computations(graph)),
        needed_(graph.computations.size()) {}

  Value run(int32_t index, std::vector<Value> arguments, int depth) {
    const Computation& computation = graph_.computation(index);
    const NeededOps& needed = needed_for(index);
    std::vector<Value> values(computation.ops.size());
    for (size_t i = 0; i < computation.ops.size(); ++i) {
      if (!needed.is_needed[i]) continue;
      const Op& op = computation.ops[i];
      if (op.opcode == HloOpcode::kParameter) {
        values[i] = std::move(arguments[static_cast<size_t>(op.get<ParameterNumber>().number)]);
        continue;
      }
      values[i] =
          evaluate(computation, op,
                   take_operands(computation, needed, values, static_cast<int32_t>(i)), depth);
    }
    return std::move(values[static_cast<size_t>(computation.root)]);
  }

 private:
  /// The operands of op `reader`. A value goes with its last reader, which then may write over it.
  static std::vector<Value> take_operands(const Computation& computation, const NeededOps& needed,
                                          std::vector<Value>& values, int32_t reader) {
    const Op& op = computation.op(reader);
    const auto is_last = [&](int32_t operand) {
      return operand != computation.root &&
             needed.last_reader[static_cast<size_t>(operand)] == reader;
    };
    std::vector<Value> operands;
    operands.reserve(op.operands.size());
    for (const int32_t operand : op.operands) {
      const Value& value = values[static_cast<size_t>(operand)];
      // Of a tuple only the part that is wanted, not all of them.
      const bool part = op.opcode == HloOpcode::kGetTupleElement;
      operands.push_back(part ? value.parts()[static_cast<size_t>(op.get<TupleIndex>().index)]
                              : value);
    }
    for (const int32_t operand : op.operands) {
      if (is_last(operand)) values[static_cast<size_t>(operand)] = Value();
    }
    return operands;
  }

  Value evaluate(const Computation& computation, const Op& op, std::vector<Value> operands,
                 int depth) {
    charge(computation, op);
    Value value = computed(computation, op, std::move(operands), depth);
    if (!same_value_shape(value.shape(), op.shape)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: gives {} where the graph states {}", place_of(graph_, op),
                              printable(to_text(value.shape(), false)),
                              printable(to_text(op.shape, false))));
    }
    return value;
  }

  Value computed(const Computation& computation, const Op& op, std::vector<Value> operands,
                 int depth) {
    switch (op.opcode) {
      case HloOpcode::kCall:
      case HloOpcode::kFusion:
        return run_inner(op, op.called[0], std::move(operands), depth);
      case HloOpcode::kWhile:
        return run_while(op, std::move(operands[0]), depth);
      case HloOpcode::kConditional:
        return run_conditional(op, std::move(operands), depth);
      default:
        return run_leaf(computation, op, std::move(operands));
    }
  }

  Value run_leaf(const Computation& computation, const Op& op, std::vector<Value> operands) {
    if (has_complex(op.shape)) unknown(op, "complex numbers are not known to the interpreter");
    // Nothing takes operands before it is sure to give a value.
    std::optional<Value> value;
    try {
      value = evaluate_leaf({graph_, computation, op, operands, options_.arithmetic});
    } catch (const Error& error) {
      throw error.in(place_of(graph_, op));
    }
    if (!value && options_.unknown) value = options_.unknown(op, operands);
    if (value) return std::move(*value);
    const bool elided = op.opcode == HloOpcode::kConstant;
    unknown(op, elided ? "the file leaves out the constant's values"
                       : fmt::format("{} is not known to the interpreter", described(op)));
  }

  Value run_inner(const Op& op, int32_t called, std::vector<Value> arguments, int depth) {
    if (depth >= kMaxDepth) {
      unknown(op, fmt::format("calls are nested more than {} deep", kMaxDepth));
    }
    return run(called, std::move(arguments), depth + 1);
  }

  Value run_while(const Op& op, Value state, int depth) {
    for (int64_t trips = 0;; ++trips) {
      if (run_inner(op, op.called[0], {state}, depth).integer(0) == 0) return state;
      if (trips >= options_.limits.trips) {
        unknown(op, fmt::format("the loop does not end within {} trips", trips));
      }
      std::vector<Value> arguments;
      arguments.push_back(std::move(state));
      state = run_inner(op, op.called[1], std::move(arguments), depth);
    }
  }

  Value run_conditional(const Op& op, std::vector<Value> operands, int depth) {
    const int64_t selector = operands[0].integer(0);
    const auto branches = static_cast<int64_t>(op.called.size());
    // An index out of range means the last branch; a pred has true before false.
    int64_t branch = selector < 0 || selector >= branches ? branches - 1 : selector;
    if (operands[0].shape().type == ElementType::kPred) branch = selector != 0 ? 0 : 1;
    std::vector<Value> arguments;
    arguments.push_back(std::move(operands[static_cast<size_t>(branch) + 1]));
    return run_inner(op, op.called[static_cast<size_t>(branch)], std::move(arguments), depth);
  }

  /// Loops whose length nobody foresaw end here, too.
  void charge(const Computation& computation, const Op& op) {
    flops_ += own_flops(computation, op, estimates_);
    if (flops_ > options_.limits.flops) {
      unknown(op, fmt::format("more than {:.4g} operations, which is the limit",
                              options_.limits.flops));
    }
  }

  const NeededOps& needed_for(int32_t index) {
    NeededOps& needed = needed_[static_cast<size_t>(index)];
    if (needed.is_needed.empty()) needed = needed_ops(graph_.computation(index));
    return needed;
  }

  static std::string described(const Op& op) {
    if (op.opcode == HloOpcode::kCustomCall) {
      return fmt::format("the custom call '{}'", printable(op.get<CustomCall>().target));
    }
    if (op.opcode == HloOpcode::kUnknown) {
      return fmt::format("'{}'", printable(op.get<UnknownOpcode>().name));
    }
    return fmt::format("'{}' in this form", name_of(op.opcode));
  }

  [[noreturn]] void unknown(const Op& op, const std::string& why) const {
    throw Error(ErrorKind::kUsage, fmt::format("{}: {}", place_of(graph_, op), why));
  }

  const OpGraph& graph_;
  const InterpreterOptions& options_;
  std::vector<InterpreterWork> estimates_;
  std::vector<NeededOps> needed_;
  double flops_ = 0;
};

void check_inputs(const OpGraph& graph, std::span<const Value> inputs) {
  const Computation& entry = graph.entry_computation();
  if (inputs.size() != entry.parameters.size()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("'{}' takes {} inputs, {} were given", printable(graph.name),
                            entry.parameters.size(), inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Op& parameter = entry.op(entry.parameters[i]);
    if (!same_value_shape(parameter.shape, inputs[i].shape())) {
      throw Error(ErrorKind::kUsage, fmt::format("{}: input {} is {} where the graph states {}",
                                                 place_of(graph, parameter), i,
                                                 printable(to_text(inputs[i].shape(), false)),
                                                 printable(to_text(parameter.shape, false))));
    }
  }
}

}  // namespace

void check_limits(const OpGraph& graph, const InterpreterLimits& limits) {
  const InterpreterWork work = interpreter_work(graph);
  if (work.bytes > limits.bytes) {
    throw Error(ErrorKind::kUsage, fmt::format("interpreting '{}' needs up to {}, the limit is {}",
                                               printable(graph.name), format_bytes(work.bytes),
                                               format_bytes(limits.bytes)));
  }
  if (work.flops > limits.flops) {
    throw Error(ErrorKind::kUsage,
                fmt::format("interpreting '{}' takes {:.4g} operations, the limit is {:.4g}",
                            printable(graph.name), work.flops, limits.flops));
  }
}

Value interpret(const OpGraph& graph, std::span<const Value> inputs,
                const InterpreterOptions& options) {
  check_inputs(graph, inputs);
  check_limits(graph, options.limits);
  return Interpreter(graph, options).run(graph.entry, {inputs.begin(), inputs.end()}, 0);
}

std::vector<Value> make_inputs(const OpGraph& graph, uint64_t seed, const InputRange& range) {
  const Computation& entry = graph.entry_computation();
  std::vector<Value> inputs;
  for (size_t i = 0; i < entry.parameters.size(); ++i) {
    inputs.push_back(make_input(entry.op(entry.parameters[i]).shape, seed, i, range));
  }
  return inputs;
}

UnknownValue made_up_values(uint64_t seed, const InputRange& range) {
  return [seed, range](const Op& op, std::span<const Value>) {
    return std::optional(make_input(op.shape, seed, Hasher().add(op.name).value(), range));
  };
}

}  // namespace tilewright
