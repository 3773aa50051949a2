#include "tuner/fusion/plan_edit.h"

#include "core/base/error.h"
#include "tests/tuner/fusion_fixture.h"

namespace tilewright {
namespace {

const std::string kChain = module_of(R"(x = f32[64,64]{1,0} parameter(0)
a = f32[64,64]{1,0} exponential(x)
b = f32[64,64]{1,0} negate(a)
c = f32[64,64]{1,0} multiply(a, b)
ROOT d = f32[64,64]{1,0} add(b, c))");

const std::string kDot = module_of(R"(x = f32[64,64]{1,0} parameter(0)
w = f32[64,64]{1,0} parameter(1)
e = f32[64,64]{1,0} exponential(x)
p = f32[64,64]{1,0} dot(e, w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
ROOT n = f32[64,64]{1,0} negate(p))");

TEST(PlanEdit, ASplitLeavesInMemoryWhatTheLaterPartReads) {
  const FusionFixture at(kChain);
  const FusionPlan whole = plan_of(at.graph, {at.ops({"a", "b", "c", "d"})});
  ASSERT_EQ(whole.kernels.size(), 1u);
  const FusionPlan split = with_split(at.graph, whole, whole.kernels[0], at.op("c"));
  ASSERT_EQ(split.kernels.size(), 2u);
  EXPECT_EQ(split.kernels[0], (FusedOps{at.ops({"a", "b"}), at.ops({"a", "b"})}));
  EXPECT_EQ(split.kernels[1], (FusedOps{at.ops({"c", "d"}), at.ops({"d"})}));
  EXPECT_EQ(at.why(split), "");
  EXPECT_EQ(with_merged(at.graph, split, split.kernels[1], split.kernels[0]), whole);
}

TEST(PlanEdit, ASplitBeforeTheFirstOpIsRefused) {
  const FusionFixture at(kChain);
  const FusionPlan whole = plan_of(at.graph, {at.ops({"a", "b", "c", "d"})});
  try {
    with_split(at.graph, whole, whole.kernels[0], at.op("a"));
    ADD_FAILURE() << "it has no part before";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
    EXPECT_NE(error.message().find("comes before a"), std::string::npos) << error.message();
  }
}

TEST(PlanEdit, AMergeThatSkipsAKernelWaitsForItself) {
  const FusionFixture at(kChain);
  const FusionPlan apart = plan_of(at.graph, {});
  const auto kernel = [&](const std::string& name) {
    return FusedOps{at.ops({name}), at.ops({name})};
  };
  EXPECT_EQ(at.why(with_merged(at.graph, apart, kernel("a"), kernel("b"))), "");
  const FusionPlan circle = with_merged(at.graph, apart, kernel("a"), kernel("d"));
  EXPECT_NE(at.why(circle).find("wait for each other"), std::string::npos) << at.why(circle);
}

TEST(PlanEdit, MergingADotTakesItsOperandOutOfMemory) {
  const FusionFixture at(kDot);
  const FusionGraph graph(at.region, true);
  const FusionPlan apart = plan_of(graph, {});
  const PlanUnit dot{-1, at.op("p")};
  const FusedOps e{at.ops({"e"}), at.ops({"e"})};
  const FusionPlan merged = with_merged(graph, apart, e, kernel_of_unit(apart, dot));
  const FusedOps both{at.ops({"e", "p"}), at.ops({"p"})};
  EXPECT_EQ(merged.kernels[0], both);
  EXPECT_EQ(with_split(graph, merged, both, at.op("p")), apart) << "a dot alone is no kernel";
  EXPECT_NE(why_alone(at.graph, at.op("p")).find("p runs by itself"), std::string::npos);
  EXPECT_EQ(why_alone(graph, at.op("p")), "");
  EXPECT_EQ(why_alone(graph, at.op("x")), "x is no work of a kernel");
}

TEST(PlanEdit, UnitsRunInOrder) {
  const FusionFixture at(kDot);
  const FusionPlan plan = plan_of(at.graph, {});
  ASSERT_EQ(plan.kernels.size(), 2u);
  EXPECT_EQ(units_in_order(at.graph, plan),
            (std::vector<PlanUnit>{{0, -1}, {-1, at.op("p")}, {1, -1}}));
}

TEST(PlanEdit, ADiffNamesWhatOnlyOnePlanHas) {
  const FusionFixture at(kChain);
  const FusionPlan a = plan_of(at.graph, {at.ops({"a", "b"})});
  const FusionPlan b = plan_of(at.graph, {at.ops({"a", "b"}), at.ops({"c", "d"})});
  const PlanDiff diff = diff_plans(a, b);
  EXPECT_EQ(diff.same, 1u);
  EXPECT_EQ(diff.only_a.size(), 2u);
  ASSERT_EQ(diff.only_b.size(), 1u);
  EXPECT_EQ(b.kernels[diff.only_b[0]].ops, at.ops({"c", "d"}));
  EXPECT_TRUE(diff_plans(a, a).only_a.empty());
}

TEST(FusionCost, AWatchThatThrowsLeavesTheCostsAsTheyWere) {
  FusionFixture at(kChain);
  const FusedOps kernel = kernel_of(at.graph, at.ops({"a", "b", "c", "d"}));
  at.shared.set_watch([] { throw Error(ErrorKind::kFailed, "enough"); });
  EXPECT_THROW(at.cost.figures(kernel), Error);
  EXPECT_THROW(at.cost.best_known_us(kernel), Error);
  EXPECT_EQ(at.shared.planned(), 0);
  at.shared.set_watch({});
  const KernelCost estimated = at.cost.cost_of(kernel, false);
  EXPECT_FALSE(estimated.is_simulated);
  EXPECT_EQ(estimated.time_us, at.cost.estimated_us(kernel));
  const KernelCost simulated = at.cost.cost_of(kernel, true);
  EXPECT_TRUE(simulated.is_simulated);
  EXPECT_GT(simulated.time_us, at.shared.launch_us());
  EXPECT_EQ(simulated.time_us, at.cost.simulated_us(kernel));
}

}  // namespace
}  // namespace tilewright
