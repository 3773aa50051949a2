#include "tuner/fusion/run_plan.h"

#include <map>
#include <utility>

#include "kernels/fused/fused_check.h"

namespace tilewright {

namespace {

class PlanRun {
 public:
  PlanRun(const FusionGraph& graph, const FusionPlan& plan, const Machine& machine,
          const std::vector<Value>& inputs, const UnknownValue& unknown)
      : graph_(graph),
        region_(graph.region()),
        plan_(plan),
        machine_(machine),
        options_{.arithmetic = Arithmetic::kStated, .unknown = unknown} {
    const std::vector<int32_t>& parameters = region_.computation().parameters;
    for (size_t i = 0; i < parameters.size(); ++i) values_.emplace(parameters[i], inputs[i]);
  }

  Value result() {
    for (const PlanUnit& unit : units_in_order(graph_, plan_)) {
      if (unit.kernel >= 0) {
        run(plan_.kernels[static_cast<size_t>(unit.kernel)]);
      } else {
        value(unit.op);
      }
    }
    return value(region_.computation().root);
  }

 private:
  void run(const FusedOps& ops) {
    const KernelGraph alone = graph_of(region_, ops);
    const FusedKernel kernel = plan_fused_kernel(region_, ops, machine_);
    std::vector<Value> results =
        run_fused_kernel(region_, kernel, machine_, alone, values_of(alone));
    for (size_t i = 0; i < ops.outputs.size(); ++i) {
      values_.insert_or_assign(ops.outputs[i], std::move(results[i]));
    }
  }

  std::vector<Value> values_of(const KernelGraph& alone) {
    std::vector<Value> values;
    for (const int32_t op : alone.inputs) values.push_back(value(op));
    return values;
  }

  /// What nobody has made yet is made by the interpreter.
  const Value& value(int32_t op) {
    if (const auto known = values_.find(op); known != values_.end()) return known->second;
    const KernelGraph alone = graph_of(region_, {{op}, {op}});
    const Value made = interpret(alone.graph, values_of(alone), options_);
    return values_.emplace(op, made.parts().front()).first->second;
  }

  const FusionGraph& graph_;
  const Region& region_;
  const FusionPlan& plan_;
  const Machine& machine_;
  const InterpreterOptions options_;
  std::map<int32_t, Value> values_;  // by op
};

}  // namespace

Value run_plan(const FusionGraph& graph, const FusionPlan& plan, const Machine& machine,
               const std::vector<Value>& inputs, const UnknownValue& unknown) {
  return PlanRun(graph, plan, machine, inputs, unknown).result();
}

}  // namespace tilewright
