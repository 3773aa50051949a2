#include "core/base/error.h"
#include "tests/tuner/fusion_fixture.h"
#include "tuner/fusion/choose_patterns.h"
#include "tuner/fusion/integer_program.h"

namespace tilewright {
namespace {

class IntegerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_integer_solver()) GTEST_SKIP() << "built without CBC";
  }
};

/// a and c read x; b and d read both.
const std::string kCrossed = module_of(R"(x = f32[64,64]{1,0} parameter(0)
a = f32[64,64]{1,0} exponential(x)
c = f32[64,64]{1,0} negate(x)
b = f32[64,64]{1,0} add(a, c)
d = f32[64,64]{1,0} multiply(a, c)
ROOT t = (f32[64,64]{1,0}, f32[64,64]{1,0}) tuple(b, d))");

TEST_F(IntegerTest, SolvesAProgramThatGreedyChoiceDoesNot) {
  // 3 alone beats no pair, but 2 + 2 beats it.
  const IntegerProgram program{{2, 3, 2}, {{{0, 1}, 1}, {{1, 2}, 1}}};
  const auto solution = maximize(program, 100);
  ASSERT_TRUE(solution.has_value());
  EXPECT_EQ(solution->takes, (std::vector<bool>{true, false, true}));
  EXPECT_DOUBLE_EQ(solution->value, 4);
  EXPECT_DOUBLE_EQ(solution->bound, 4);
  EXPECT_EQ(maximize({}, 100)->value, 0);
}

TEST_F(IntegerTest, CutsACycleThatDisjointPatternsMake) {
  const FusionFixture at(kCrossed);
  // {a, b} reads c, and {c, d} reads a: each is convex, and both together wait for each other.
  const std::vector<Pattern> patterns = {
      {at.ops({"a", "b"}), 10}, {at.ops({"c", "d"}), 9}, {at.ops({"a", "c"}), 5}};
  EXPECT_TRUE(is_convex(at.graph, patterns[0].nodes));
  EXPECT_TRUE(is_convex(at.graph, patterns[1].nodes));
  const ChosenPatterns chosen = choose_patterns(at.graph, patterns);
  EXPECT_EQ(chosen.patterns, (std::vector<size_t>{0}));
  EXPECT_EQ(chosen.cuts, 1);
  EXPECT_NEAR(chosen.missing, 0, 1e-9);
}

TEST_F(IntegerTest, TakesDisjointPatternsWithoutACycleAtOnce) {
  const FusionFixture at(kCrossed);
  const ChosenPatterns chosen = choose_patterns(
      at.graph, {{at.ops({"a", "c"}), 5}, {at.ops({"b", "d"}), 1}, {at.ops({"a", "b"}), 5.5}});
  EXPECT_EQ(chosen.patterns, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(chosen.cuts, 0);
}

TEST_F(IntegerTest, PlansSmallGraphsAsTheExactPlannerDoes) {
  FusionFixture crossed(kCrossed);
  EXPECT_NEAR(crossed.estimate(crossed.plan("fs2019")), crossed.estimate(crossed.plan("exact")),
              1e-9);
  // A row's norm and its transpose: a sum of rows, then one of columns.
  FusionFixture mixed(module_with_functions(R"(p = f32[256,256]{1,0} parameter(0)
zero = f32[] constant(0)
a = f32[256,256]{1,0} exponential(p)
s = f32[256]{0} reduce(a, zero), dimensions={1}, to_apply=sum
b = f32[256,256]{1,0} broadcast(s), dimensions={0}
c = f32[256,256]{1,0} divide(a, b)
v = f32[256]{0} reduce(c, zero), dimensions={0}, to_apply=sum
w = f32[256,256]{1,0} broadcast(v), dimensions={1}
ROOT y = f32[256,256]{1,0} subtract(c, w))"));
  const FusionPlan plan = mixed.plan("fs2019");
  EXPECT_EQ(mixed.why(plan), "");
  EXPECT_NEAR(mixed.estimate(plan), mixed.estimate(mixed.plan("exact")), 1e-9);
}

TEST(IntegerPlanner, IsOnlyThereWithASolver) {
  const auto& planners = fusion_planners();
  const auto found = std::ranges::find(planners, "fs2019", &FusionPlanner::name);
  EXPECT_EQ(found != planners.end(), has_integer_solver());
  if (has_integer_solver()) return;
  try {
    find_fusion_planner("fs2019");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("coinor-libcbc-dev"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace tilewright
