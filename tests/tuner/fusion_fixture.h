#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/graph/flatten.h"
#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "tests/hlo_module.h"
#include "tuner/fusion/fusion_cost.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

/// The entry of a module as planners get it, flat, with launches of 2 us.
struct FusionFixture {
  explicit FusionFixture(const std::string& text)
      : program(flatten(parse_hlo(text, "m.hlo"))),
        region(program, program.entry),
        graph(region),
        shared(load_machine("ascend-910b2"), 2),
        cost(graph, shared) {}

  int32_t op(const std::string& name) const {
    for (int32_t op = 0; op < graph.size(); ++op) {
      if (graph.name(op) == name) return op;
    }
    ADD_FAILURE() << "no op " << name;
    return 0;
  }
  std::vector<int32_t> ops(const std::vector<std::string>& names) const {
    std::vector<int32_t> list;
    for (const std::string& name : names) list.push_back(op(name));
    std::ranges::sort(list);
    return list;
  }
  FusionPlan plan(const std::string& planner, const PlanOptions& options = {}) {
    return find_fusion_planner(planner).plan(cost, options).plan;
  }
  /// Why a plan is not legal, without looking at capacity.
  std::string why(const FusionPlan& plan) const {
    return why_illegal(graph, plan, [](const FusedOps&) { return std::string(); });
  }
  double estimate(const FusionPlan& plan) {
    double us = 0;
    for (const FusedOps& kernel : plan.kernels) us += cost.estimated_us(kernel).value_or(1e12);
    return us;
  }

  OpGraph program;
  Region region;
  FusionGraph graph;
  FusionCost shared;
  RegionCost cost;
};

}  // namespace tilewright
