#include "tuner/fusion/fusion_plan.h"

#include "core/machine/machine.h"
#include "kernels/fused/fused_kernel.h"
#include "tests/tuner/fusion_fixture.h"

namespace tilewright {
namespace {

/// x -> e -> n -> y, and e -> y past the dot.
const std::string kDiamond = module_of(R"(x = f32[64,64]{1,0} parameter(0)
w = f32[64,64]{1,0} parameter(1)
e = f32[64,64]{1,0} exponential(x)
d = f32[64,64]{1,0} dot(e, w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
n = f32[64,64]{1,0} negate(d)
ROOT y = f32[64,64]{1,0} add(e, n))");

const std::string kChain = module_of(R"(x = f32[64,64]{1,0} parameter(0)
a = f32[64,64]{1,0} exponential(x)
b = f32[64,64]{1,0} negate(a)
ROOT t = (f32[64,64]{1,0}, f32[64,64]{1,0}) tuple(a, b))");

TEST(FusionPlan, AcceptsKernelsOfOneOp) {
  const FusionFixture at(kDiamond);
  EXPECT_EQ(at.why(plan_of(at.graph, {})), "");
}

TEST(FusionPlan, RefusesAPathThatLeavesAKernelAndComesBack) {
  const FusionFixture at(kDiamond);
  const std::string why = at.why(plan_of(at.graph, {at.ops({"e", "n", "y"})}));
  EXPECT_NE(why.find("wait"), std::string::npos) << why;
  EXPECT_FALSE(Clusters::of(at.graph, {at.ops({"e", "y"})}).has_value());
  Clusters clusters(at.graph);
  EXPECT_FALSE(clusters.can_merge(at.op("e"), at.op("y")));
  EXPECT_TRUE(clusters.can_merge(at.op("n"), at.op("y")));
}

TEST(FusionPlan, RefusesKernelsThatWaitForEachOther) {
  const FusionFixture at(module_of(R"(x = f32[64]{0} parameter(0)
a = f32[64]{0} exponential(x)
b = f32[64]{0} negate(x)
c = f32[64]{0} negate(a)
ROOT y = f32[64]{0} multiply(b, c)
)"));
  // {a, y} reads c, and {b, c} reads a.
  const std::string why = at.why(plan_of(at.graph, {at.ops({"a", "y"}), at.ops({"b", "c"})}));
  EXPECT_NE(why.find("wait for each other"), std::string::npos) << why;
}

TEST(FusionPlan, RefusesAValueThatNoKernelLeavesInMemory) {
  const FusionFixture at(kChain);
  FusionPlan plan = plan_of(at.graph, {});
  std::erase_if(plan.kernels, [&](const FusedOps& kernel) { return kernel.ops[0] == at.op("a"); });
  EXPECT_EQ(at.why(plan), "no kernel leaves a in memory, where it is needed");
  const FusionFixture diamond(module_of(R"(x = f32[64]{0} parameter(0)
a = f32[64]{0} exponential(x)
ROOT b = f32[64]{0} negate(a))"));
  const FusionPlan only{{{diamond.ops({"b"}), diamond.ops({"b"})}}};
  EXPECT_EQ(diamond.why(only), "the kernel of b reads a, which no kernel leaves in memory");
}

TEST(FusionPlan, RefusesAValueThatTwoKernelsLeaveInMemory) {
  const FusionFixture at(kChain);
  FusionPlan plan = plan_of(at.graph, {});
  plan.kernels.push_back({at.ops({"a", "b"}), at.ops({"a"})});
  EXPECT_EQ(at.why(plan), "two kernels leave a in memory");
}

TEST(FusionPlan, AllowsAnOpInTwoKernelsAndCountsItAsComputedAgain) {
  const FusionFixture at(kChain);
  const FusionPlan plan{{{at.ops({"a"}), at.ops({"a"})}, {at.ops({"a", "b"}), at.ops({"b"})}}};
  EXPECT_EQ(at.why(plan), "");
  EXPECT_EQ(recomputed_ops(plan), 1);
}

TEST(FusionPlan, LeavesWhatIsReadInsideAndOutsideInMemoryOnce) {
  FusionFixture at(kDiamond);
  const FusedOps kernel = kernel_of(at.graph, at.ops({"e"}));
  EXPECT_EQ(kernel.outputs, at.ops({"e"}));
  FusionFixture chain(kChain);
  const FusedOps both = kernel_of(chain.graph, chain.ops({"a", "b"}));
  EXPECT_EQ(both.outputs, chain.ops({"a", "b"}));
  EXPECT_EQ(chain.cost.figures(both).read_bytes, 64 * 64 * 4);
  EXPECT_EQ(chain.cost.figures(both).write_bytes, 2 * 64 * 64 * 4);
}

struct Unfusible {
  const char* what;
  const char* ops;  ///< `bad` is the op in question, and reads e
  const char* reason;
};

TEST(FusionPlan, RefusesOpsThatNoKernelHolds) {
  const Unfusible cases[] = {
      {"side effect",
       "bad = f32[64]{0} custom-call(e), custom_call_target=\"f\", "
       "custom_call_has_side_effect=true",
       "cannot be fused"},
      {"collective", "bad = f32[64]{0} all-reduce(e), replica_groups={}, to_apply=sum",
       "cannot be fused"},
      {"no vector form", "bad = f32[64]{0} atan2(e, e)", "cannot be fused"},
      {"control dependence", "bad = f32[64]{0} negate(e), control-predecessors={e}",
       "control dependence"},
  };
  for (const Unfusible& one : cases) {
    const FusionFixture at(module_with_functions(
        std::string("x = f32[64]{0} parameter(0)\ne = f32[64]{0} exponential(x)\n") + one.ops +
        "\nROOT y = f32[64]{0} negate(bad)"));
    const FusionPlan plan{{{at.ops({"e", "bad"}), at.ops({"bad"})}}};
    const std::string why = at.why(plan);
    EXPECT_NE(why.find("bad cannot be fused"), std::string::npos) << one.what << ": " << why;
    EXPECT_NE(why.find(one.reason), std::string::npos) << one.what << ": " << why;
    EXPECT_EQ(at.why(plan_of(at.graph, {})), "") << one.what;
  }
}

const std::string kLoop = R"(HloModule m
body {
  p = (s32[], f32[64]{0}) parameter(0)
  i = s32[] get-tuple-element(p), index=0
  v = f32[64]{0} get-tuple-element(p), index=1
  one = s32[] constant(1)
  j = s32[] add(i, one)
  w = f32[64]{0} negate(v)
  ROOT t = (s32[], f32[64]{0}) tuple(j, w)
}
condition {
  p = (s32[], f32[64]{0}) parameter(0)
  i = s32[] get-tuple-element(p), index=0
  n = s32[] constant(5)
  ROOT c = pred[] compare(i, n), direction=LT
}
ENTRY e {
  x = f32[64]{0} parameter(0)
  zero = s32[] constant(0)
  a = f32[64]{0} exponential(x)
  start = (s32[], f32[64]{0}) tuple(zero, a)
  loop = (s32[], f32[64]{0}) while(start), condition=condition, body=body
  b = f32[64]{0} get-tuple-element(loop), index=1
  ROOT y = f32[64]{0} add(a, b)
}
)";

TEST(FusionPlan, KeepsALoopApartFromItsCaller) {
  FusionFixture at(kLoop);
  const std::string why = at.why(plan_of(at.graph, {at.ops({"a", "y"})}));
  EXPECT_NE(why.find("wait"), std::string::npos) << why;
  for (const char* planner : {"astitch", "fs2018", "fs2020", "exact", "tilewright"}) {
    EXPECT_EQ(at.plan(planner).kernels.size(), 2U) << planner;
  }
}

std::string aliased(const std::string& reader) {
  return "HloModule m, input_output_alias={ {0}: (0, {}, may-alias) }\n"
         "sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }\n"
         "ENTRY e {\nx = f32[64,64]{1,0} parameter(0)\nzero = f32[] constant(0)\n" +
         reader + "\n}\n";
}

TEST(FusionPlan, LetsReadersOfAParameterPassABarrierBeforeItIsWrittenOver) {
  const FusionFixture at(aliased(R"(
new = f32[64,64]{1,0} negate(x)
flip = f32[64,64]{1,0} transpose(x), dimensions={1,0}
old = f32[64,64]{1,0} exponential(flip)
ROOT t = (f32[64,64]{1,0}, f32[64,64]{1,0}) tuple(new, old))"));
  const FusedOps kernel = kernel_of(at.graph, at.ops({"new", "flip", "old"}));
  EXPECT_EQ(why_illegal_kernel(at.graph, kernel), "");
  const FusedKernel planned =
      plan_fused_kernel(at.graph.region(), kernel, load_machine("ascend-910b2"));
  EXPECT_EQ(planned.levels, 2);
  for (const PlannedNest& nest : planned.nests) {
    const bool writes_over = nest.program.body.stores.front().op == at.op("new");
    EXPECT_EQ(nest.level, writes_over ? 1 : 0);
  }
  // In kernels of their own the reader runs first.
  EXPECT_EQ(at.why(plan_of(at.graph, {})), "");
  ASSERT_EQ(at.graph.before(at.op("new")).size(), 1U);
  EXPECT_EQ(at.graph.before(at.op("new"))[0], at.op("flip"));
}

TEST(FusionPlan, RefusesAReaderOfAParameterThatNeedsWhatIsWrittenOverIt) {
  const FusionFixture at(aliased(R"(
new = f32[64,64]{1,0} negate(x)
flip = f32[64,64]{1,0} transpose(x), dimensions={1,0}
old = f32[64,64]{1,0} add(flip, new)
late = f32[64,64]{1,0} multiply(old, x)
ROOT t = (f32[64,64]{1,0}, f32[64,64]{1,0}) tuple(new, late))"));
  EXPECT_EQ(why_illegal_kernel(at.graph, kernel_of(at.graph, at.ops({"new", "old", "late"}))),
            "new takes the memory of x, which late of the same kernel still reads");
}

TEST(FusionPlan, LetsAParameterBeUpdatedInStep) {
  const FusionFixture at(aliased(R"(
half = f32[64,64]{1,0} multiply(x, x)
new = f32[64,64]{1,0} subtract(x, half)
ROOT t = (f32[64,64]{1,0}) tuple(new))"));
  EXPECT_EQ(why_illegal_kernel(at.graph, kernel_of(at.graph, at.ops({"half", "new"}))), "");
}

TEST(FusionPlan, RefusesWhatDoesNotFitTheMachine) {
  const FusionFixture at(kChain);
  const FusionPlan plan = plan_of(at.graph, {});
  EXPECT_EQ(why_illegal(at.graph, plan, [](const FusedOps&) { return "too large"; }), "too large");
}

TEST(FusionPlan, RefusesAKernelThatFitsNoUB) {
  FusionFixture at(kChain);
  Machine machine = load_machine("ascend-910b2");
  machine.buffers.ub_bytes = 64;
  FusionCost shared(machine, 2);
  RegionCost cost(at.graph, shared);
  const std::string why = why_illegal(at.graph, plan_of(at.graph, {}), cost.why_infeasible());
  EXPECT_NE(why.find("bytes of UB"), std::string::npos) << why;
}

TEST(FusionPlan, KeepsBranchesApartFromTheirCaller) {
  FusionFixture at(R"(HloModule m
yes { p = f32[64]{0} parameter(0) ROOT n = f32[64]{0} negate(p) }
no { p = f32[64]{0} parameter(0) ROOT n = f32[64]{0} exponential(p) }
ENTRY e {
  which = pred[] parameter(0)
  x = f32[64]{0} parameter(1)
  a = f32[64]{0} exponential(x)
  both = f32[64]{0} conditional(which, a, a), true_computation=yes, false_computation=no
  b = f32[64]{0} add(a, both)
  ROOT y = f32[64]{0} negate(b)
}
)");
  const FusionPlan with{{{at.ops({"a", "both"}), at.ops({"both"})}}};
  const std::string held = at.why(with);
  EXPECT_NE(held.find("both cannot be fused"), std::string::npos) << held;
  const std::string around = at.why(plan_of(at.graph, {at.ops({"a", "b", "y"})}));
  EXPECT_NE(around.find("wait"), std::string::npos) << around;
  for (const char* planner : {"astitch", "fs2018", "fs2020", "exact", "tilewright"}) {
    EXPECT_EQ(at.plan(planner).kernels.size(), 2U) << planner;
  }
}

/// A slice that begins where another op of the program says.
std::string sliced_at(const std::string& start) {
  return module_of(start + R"(
x = f32[640]{0} parameter(1)
part = f32[64]{0} dynamic-slice(x, at), dynamic_slice_sizes={64}
ROOT y = f32[64]{0} negate(part))");
}

TEST(FusionPlan, LetsWholeNumbersInMemorySayWhereASliceBegins) {
  FusionFixture at(sliced_at("i = s32[] parameter(0)\nat = s32[] add(i, i)"));
  const FusedOps kernel = kernel_of(at.graph, at.ops({"at", "part", "y"}));
  EXPECT_EQ(why_illegal_kernel(at.graph, kernel), "");
  EXPECT_EQ(at.cost.figures(kernel).why_infeasible, "");
}

TEST(FusionPlan, RefusesASliceThatBeginsWhereVectorCoresHaveToSay) {
  FusionFixture at(
      sliced_at("i = f32[] parameter(0)\ne = f32[] exponential(i)\n"
                "at = s32[] convert(e)"));
  const FusedOps kernel = kernel_of(at.graph, at.ops({"e", "at", "part", "y"}));
  const std::string why = at.cost.figures(kernel).why_infeasible;
  EXPECT_NE(why.find("part"), std::string::npos) << why;
  EXPECT_EQ(at.why(plan_of(at.graph, {})), "");
}

TEST(Clusters, KeepAnOrderWhileTheyAreMerged) {
  // A ladder: merging rungs in any order must keep every cluster before those that wait for it.
  std::string text =
      "x = f32[8]{0} parameter(0)\na0 = f32[8]{0} negate(x)\nb0 = f32[8]{0} negate(x)\n";
  for (int i = 1; i < 20; ++i) {
    const std::string at = std::to_string(i);
    const std::string last = std::to_string(i - 1);
    text += "a" + at + " = f32[8]{0} add(a" + last + ", b" + last + ")\n";
    text += "b" + at + " = f32[8]{0} negate(b" + last + ")\n";
  }
  text += "ROOT y = f32[8]{0} add(a19, b19)";
  const FusionFixture at(module_of(text));
  Clusters clusters(at.graph);
  int64_t merged = 0;
  for (const int step : {7, 3, 1}) {
    for (int i = 0; i + step < 20; i += step + 1) {
      const int32_t a = clusters.cluster_of(at.op("a" + std::to_string(i)));
      const int32_t b = clusters.cluster_of(at.op("b" + std::to_string(i + step)));
      if (a == b) continue;
      const bool can = clusters.can_merge(a, b);
      EXPECT_EQ(clusters.merge(a, b).has_value(), can);
      merged += can ? 1 : 0;
      const std::vector<int32_t> order = clusters.clusters();
      for (size_t place = 0; place < order.size(); ++place) {
        for (const int32_t earlier : clusters.before(order[place])) {
          const auto found = std::ranges::find(order, earlier);
          EXPECT_LT(found - order.begin(), static_cast<std::ptrdiff_t>(place));
        }
      }
      EXPECT_TRUE(Clusters::of(at.graph, clusters.groups()).has_value());
    }
  }
  EXPECT_GT(merged, 0);
}

}  // namespace
}  // namespace tilewright
