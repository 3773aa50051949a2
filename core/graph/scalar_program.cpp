#include "core/graph/scalar_program.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {
namespace {

/// Bodies are a few ops; calls of calls could make a small file a program without end.
constexpr size_t kMaxOps = 4096;

[[noreturn]] void refuse(const Computation& computation, const Op& op) {
  throw Error(ErrorKind::kUsage,
              fmt::format("'{}' is applied to single elements and holds '{}' of {}, which the "
                          "interpreter does not know there",
                          printable(computation.name), name_of(op.opcode),
                          printable(to_text(op.shape, false))));
}

bool keeps_a_scalar(HloOpcode opcode) {
  return opcode == HloOpcode::kReshape || opcode == HloOpcode::kBroadcast ||
         opcode == HloOpcode::kOptBarrier || opcode == HloOpcode::kTranspose;
}

bool order_does_not_matter(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kAdd:
    case HloOpcode::kMultiply:
    case HloOpcode::kMaximum:
    case HloOpcode::kMinimum:
    case HloOpcode::kAnd:
    case HloOpcode::kOr:
    case HloOpcode::kXor:
      return true;
    default:
      return false;
  }
}

}  // namespace

Elementwise elementwise_of(const Computation& computation, const Op& op, Arithmetic arithmetic) {
  Elementwise result = {.opcode = op.opcode, .to = op.shape.type, .arithmetic = arithmetic};
  result.from = computation.operand(op, op.operands.size() - 1).shape.type;
  if (op.opcode == HloOpcode::kCompare) result.comparison = op.get<Comparison>();
  if (op.opcode == HloOpcode::kReducePrecision) result.precision = op.get<ReducePrecision>();
  return result;
}

Element literal_element(const Literal& literal, ElementType type, size_t index) {
  return is_float(type) ? element_of(literal.floats[index]) : element_of(literal.integers[index]);
}

ScalarProgram::ScalarProgram(const OpGraph& graph, int32_t computation, Arithmetic arithmetic) {
  parameter_count_ = graph.computation(computation).parameters.size();
  std::vector<size_t> parameters(parameter_count_);
  for (size_t& parameter : parameters) {
    parameter = new_register();
    storage_[parameter].clear();
  }
  results_ = compile(graph, computation, parameters, arithmetic);
  // Storage may have moved while it grew.
  for (size_t i = 0; i < storage_.size(); ++i) registers_[i] = storage_[i].data();
}

void ScalarProgram::run(std::span<const Element* const> parameters, size_t lanes) {
  std::copy_n(parameters.begin(), parameter_count_, registers_.begin());
  for (const Step& step : steps_) {
    const Element* operands[3] = {};
    for (size_t i = 0; i < step.operands.size(); ++i) operands[i] = registers_[step.operands[i]];
    apply(step.op, operands, storage_[step.result].data(), lanes);
  }
}

std::optional<Elementwise> ScalarProgram::single_op() const {
  if (steps_.size() != 1 || parameter_count_ != 2) return std::nullopt;
  const Step& step = steps_.front();
  if (results_ != Registers{step.result} || step.operands.size() != 2) return std::nullopt;
  const bool in_order = step.operands[0] == 0 && step.operands[1] == 1;
  const bool swapped = step.operands[0] == 1 && step.operands[1] == 0;
  if (!in_order && !(swapped && order_does_not_matter(step.op.opcode))) return std::nullopt;
  if (step.op.from != step.op.to) return std::nullopt;
  return step.op;
}

ScalarProgram::Registers ScalarProgram::compile(const OpGraph& graph, int32_t index,
                                                const std::vector<size_t>& parameters,
                                                Arithmetic arithmetic) {
  const Computation& computation = graph.computation(index);
  std::vector<Registers> done;
  done.reserve(computation.ops.size());
  for (const Op& op : computation.ops) {
    if (++compiled_ops_ > kMaxOps) refuse(computation, op);
    if (op.opcode == HloOpcode::kParameter) {
      if (!op.shape.is_scalar()) refuse(computation, op);
      done.push_back({parameters[static_cast<size_t>(op.get<ParameterNumber>().number)]});
    } else {
      done.push_back(compile_op(graph, computation, op, done, arithmetic));
    }
  }
  return done[static_cast<size_t>(computation.root)];
}

ScalarProgram::Registers ScalarProgram::compile_op(const OpGraph& graph,
                                                   const Computation& computation, const Op& op,
                                                   const std::vector<Registers>& done,
                                                   Arithmetic arithmetic) {
  Registers operands;
  for (const int32_t operand : op.operands) {
    const Registers& of_operand = done[static_cast<size_t>(operand)];
    operands.insert(operands.end(), of_operand.begin(), of_operand.end());
  }
  if (op.opcode == HloOpcode::kTuple) return operands;
  if (op.opcode == HloOpcode::kGetTupleElement) {
    return {operands[static_cast<size_t>(op.get<TupleIndex>().index)]};
  }
  if (op.opcode == HloOpcode::kCall) return compile(graph, op.called[0], operands, arithmetic);
  const bool on_scalars = op.shape.is_scalar() && operands.size() == op.operands.size();
  if (on_scalars && keeps_a_scalar(op.opcode)) return operands;
  if (on_scalars && op.opcode == HloOpcode::kConstant && !op.get<Literal>().elided &&
      !is_complex(op.shape.type)) {
    return {add_constant(op)};
  }
  if (!on_scalars || !is_elementwise(op.opcode)) refuse(computation, op);
  const Elementwise elementwise = elementwise_of(computation, op, arithmetic);
  if (!can_apply(elementwise)) refuse(computation, op);
  return {add_step(elementwise, operands)};
}

size_t ScalarProgram::add_step(const Elementwise& op, const Registers& operands) {
  const size_t result = new_register();
  steps_.push_back({op, operands, result});
  return result;
}

size_t ScalarProgram::add_constant(const Op& op) {
  const size_t result = new_register();
  std::ranges::fill(storage_[result], literal_element(op.get<Literal>(), op.shape.type, 0));
  return result;
}

size_t ScalarProgram::new_register() {
  registers_.push_back(nullptr);
  storage_.emplace_back(kLanes);
  return storage_.size() - 1;
}

}  // namespace tilewright
