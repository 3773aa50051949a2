#include "core/graph/interpreter_work.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/graph/regions.h"

namespace tilewright {
namespace {

double elements_of(const Shape& shape) {
  if (!shape.is_tuple()) return static_cast<double>(element_count(shape));
  double sum = 0;
  for (const Shape& part : shape.parts) sum += elements_of(part);
  return sum;
}

double held_bytes(const Shape& shape) {
  return 8 * elements_of(shape);
}

double operand_elements(const Computation& computation, const Op& op) {
  double sum = 0;
  for (size_t i = 0; i < op.operands.size(); ++i) {
    sum += elements_of(computation.operand(op, i).shape);
  }
  return sum;
}

double window_elements(const Window& window) {
  double product = 1;
  for (const WindowDimension& dim : window.dims) product *= static_cast<double>(dim.size);
  return product;
}

/// Ops whose result is (a part of) an operand.
bool shares(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kGetTupleElement:
    case HloOpcode::kTuple:
    case HloOpcode::kReshape:
    case HloOpcode::kCopy:
    case HloOpcode::kOptBarrier:
    case HloOpcode::kCall:
    case HloOpcode::kFusion:
    case HloOpcode::kWhile:
    case HloOpcode::kConditional:
      return true;
    default:
      return false;
  }
}

double sort_factor(double length) {
  return length <= 2 ? 1 : std::ceil(std::log2(length));
}

double contracted(const Computation& computation, const Op& op) {
  double product = 1;
  for (const int64_t dim : op.get<DotDimensions>().lhs_contracting) {
    product *= static_cast<double>(computation.operand(op, 0).shape.dims[static_cast<size_t>(dim)]);
  }
  return product;
}

double convolved(const Computation& computation, const Op& op) {
  const auto& attributes = op.get<Convolution>();
  const auto feature = static_cast<size_t>(attributes.kernel.feature);
  return window_elements(attributes.window) *
         std::max(1.0, static_cast<double>(computation.operand(op, 1).shape.dims[feature]));
}

/// Estimates one computation after all that it calls.
class Estimator {
 public:
  Estimator(const OpGraph& graph, const Computation& computation,
            const std::vector<InterpreterWork>& estimates, const std::vector<double>& fresh)
      : graph_(graph), computation_(computation), estimates_(estimates), fresh_(fresh) {}

  InterpreterWork estimate() {
    const NeededOps needed = needed_ops(computation_);
    const std::vector<int32_t> last = last_uses(needed);
    std::vector<std::vector<int32_t>> freed(computation_.ops.size());
    double live = 0;
    for (size_t i = 0; i < computation_.ops.size(); ++i) {
      if (!needed.is_needed[i]) continue;
      const Op& op = computation_.ops[i];
      count(op);
      const double during = live + transient_bytes(op);
      live += own_bytes(op);
      result_.bytes = std::max({result_.bytes, live, during, during + own_copy(op)});
      if (last[i] > static_cast<int32_t>(i)) {
        freed[static_cast<size_t>(last[i])].push_back(static_cast<int32_t>(i));
      }
      for (const int32_t gone : freed[i]) live -= own_bytes(computation_.op(gone));
    }
    return result_;
  }

  /// Bytes of what `op` gives that are no part of the computation's parameters.
  double fresh_bytes(const Op& op) const {
    // Chains of these are as long as the file is; a step for each is taken in a loop.
    double sum = 0;
    std::vector<int32_t> open;
    const auto take = [&](const Op& at) {
      if (at.opcode == HloOpcode::kTuple || at.opcode == HloOpcode::kReshape ||
          at.opcode == HloOpcode::kCopy || at.opcode == HloOpcode::kOptBarrier) {
        open.insert(open.end(), at.operands.begin(), at.operands.end());
      } else if (at.opcode == HloOpcode::kGetTupleElement) {
        const bool given = computation_.operand(at, 0).opcode == HloOpcode::kParameter;
        sum += given ? 0 : held_bytes(at.shape);
      } else {
        sum += own_bytes(at);
      }
    };
    take(op);
    for (size_t steps = 0; !open.empty() && steps < 2 * computation_.ops.size(); ++steps) {
      const int32_t next = open.back();
      open.pop_back();
      take(computation_.op(next));
    }
    return open.empty() ? sum : held_bytes(op.shape);
  }

 private:
  void count(const Op& op) {
    result_.flops += own_flops(computation_, op, estimates_);
    double trips = 1;
    if (op.opcode == HloOpcode::kWhile) {
      const std::optional<int64_t> known = trip_count(graph_, computation_, op);
      if (!known) ++result_.unknown_loops;
      trips = static_cast<double>(known.value_or(1));
    }
    const bool runs = op.opcode == HloOpcode::kWhile || op.opcode == HloOpcode::kCall ||
                      op.opcode == HloOpcode::kFusion || op.opcode == HloOpcode::kConditional;
    if (!runs) return;
    double flops = 0;
    for (const int32_t called : op.called) {
      const InterpreterWork& estimate = estimates_[static_cast<size_t>(called)];
      const bool one_of = op.opcode == HloOpcode::kConditional;
      flops = one_of ? std::max(flops, estimate.flops) : flops + estimate.flops;
      if (result_.unknown_loops < kMaxElements) result_.unknown_loops += estimate.unknown_loops;
    }
    result_.flops += trips * flops;
  }

  double called_most(const Op& op, const std::vector<double>& of) const {
    double most = 0;
    for (const int32_t called : op.called) most = std::max(most, of[static_cast<size_t>(called)]);
    return most;
  }

  /// What stays in memory for the op's result.
  double own_bytes(const Op& op) const {
    switch (op.opcode) {
      case HloOpcode::kParameter:
        return 0;
      case HloOpcode::kCall:
      case HloOpcode::kFusion:
      case HloOpcode::kConditional:
        return called_most(op, fresh_);
      case HloOpcode::kWhile:
        return fresh_[static_cast<size_t>(op.called[1])];
      default:
        return shares(op.opcode) ? 0 : held_bytes(op.shape);
    }
  }

  /// What is held only while the op runs, instead of its result or beside it (own_copy).
  double transient_bytes(const Op& op) const {
    double most = 0;
    for (const int32_t called : op.called) {
      most = std::max(most, estimates_[static_cast<size_t>(called)].bytes);
    }
    switch (op.opcode) {
      case HloOpcode::kWhile:
        return most + own_bytes(op);
      case HloOpcode::kCall:
      case HloOpcode::kFusion:
      case HloOpcode::kConditional:
        return most;
      default:
        return 0;
    }
  }

  /// Copies of operands in another order.
  double own_copy(const Op& op) const {
    switch (op.opcode) {
      case HloOpcode::kDot:
      case HloOpcode::kReduce:
      case HloOpcode::kBitcast:
        return 8 * operand_elements(computation_, op) + held_bytes(op.shape);
      default:
        return 0;
    }
  }

  /// The last reader, looking through the ops that share their operands' memory.
  std::vector<int32_t> last_uses(const NeededOps& needed) const {
    std::vector<int32_t> last = needed.last_reader;
    last[static_cast<size_t>(computation_.root)] = static_cast<int32_t>(computation_.ops.size());
    for (size_t i = computation_.ops.size(); i-- > 0;) {
      const Op& op = computation_.ops[i];
      if (!needed.is_needed[i] || !shares(op.opcode)) continue;
      for (const int32_t operand : op.operands) {
        int32_t& of_operand = last[static_cast<size_t>(operand)];
        of_operand = std::max(of_operand, last[i]);
      }
    }
    // What the root holds outlives the last op.
    for (int32_t& at : last) {
      if (at == static_cast<int32_t>(computation_.ops.size())) at = -1;
    }
    return last;
  }

  const OpGraph& graph_;
  const Computation& computation_;
  const std::vector<InterpreterWork>& estimates_;
  const std::vector<double>& fresh_;
  InterpreterWork result_;
};

}  // namespace

NeededOps needed_ops(const Computation& computation) {
  NeededOps needed = {std::vector<bool>(computation.ops.size(), false),
                      std::vector<int32_t>(computation.ops.size(), -1)};
  needed.is_needed[static_cast<size_t>(computation.root)] = true;
  for (size_t i = computation.ops.size(); i-- > 0;) {
    if (!needed.is_needed[i]) continue;
    for (const int32_t operand : computation.ops[i].operands) {
      const auto at = static_cast<size_t>(operand);
      needed.is_needed[at] = true;
      needed.last_reader[at] = std::max(needed.last_reader[at], static_cast<int32_t>(i));
    }
  }
  return needed;
}

double own_flops(const Computation& computation, const Op& op,
                 const std::vector<InterpreterWork>& estimates) {
  const auto body = [&](size_t index) {
    return std::max(1.0, estimates[static_cast<size_t>(op.called[index])].flops);
  };
  const double elements = elements_of(op.shape);
  switch (op.opcode) {
    case HloOpcode::kParameter:
    case HloOpcode::kGetTupleElement:
    case HloOpcode::kTuple:
    case HloOpcode::kReshape:
    case HloOpcode::kCall:
    case HloOpcode::kFusion:
    case HloOpcode::kWhile:
    case HloOpcode::kConditional:
      return 0;
    case HloOpcode::kDot:
      return 2 * elements * contracted(computation, op);
    case HloOpcode::kConvolution:
      return 2 * elements * convolved(computation, op);
    case HloOpcode::kReduce:
      return operand_elements(computation, op) * body(0);
    case HloOpcode::kMap:
      return elements * body(0);
    case HloOpcode::kReduceWindow:
      return elements * window_elements(op.get<Window>()) * body(0);
    case HloOpcode::kSelectAndScatter:
      return elements + elements_of(computation.operand(op, 1).shape) *
                            (window_elements(op.get<Window>()) * body(0) + body(1));
    case HloOpcode::kScatter:
      return elements + operand_elements(computation, op) * body(0);
    case HloOpcode::kBatchNormGrad:
    case HloOpcode::kBatchNormInference:
    case HloOpcode::kBatchNormTraining:
      return 8 * elements_of(computation.operand(op, 0).shape);
    case HloOpcode::kSort:
      return elements * sort_factor(elements) * body(0);
    case HloOpcode::kTopk:
      return operand_elements(computation, op) * sort_factor(operand_elements(computation, op));
    default:
      return elements;
  }
}

std::vector<InterpreterWork> work_of_computations(const OpGraph& graph) {
  std::vector<InterpreterWork> estimates;
  std::vector<double> fresh;
  estimates.reserve(graph.computations.size());
  for (const Computation& computation : graph.computations) {
    Estimator estimator(graph, computation, estimates, fresh);
    const InterpreterWork estimate = estimator.estimate();
    fresh.push_back(estimator.fresh_bytes(computation.root_op()));
    estimates.push_back(estimate);
  }
  return estimates;
}

InterpreterWork interpreter_work(const OpGraph& graph) {
  InterpreterWork estimate = work_of_computations(graph)[static_cast<size_t>(graph.entry)];
  const Computation& entry = graph.entry_computation();
  for (const int32_t parameter : entry.parameters) {
    estimate.bytes += held_bytes(entry.op(parameter).shape);
  }
  return estimate;
}

}  // namespace tilewright
