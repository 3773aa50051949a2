#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/graph/interpreter_slack.h"
#include "tests/core/graph_evaluation.h"

namespace tilewright {
namespace {

using Floats = std::vector<double>;

constexpr double kRelative = 1e-3;

/// The slack of what a graph without inputs gives; nothing where it has none.
Floats numbers_of_slack(const std::string& lines) {
  const OpGraph graph = graph_of(lines);
  const SlackResult found = interpret_with_slack(graph, {}, kRelative);
  return found.slack[0].size() > 0 ? found.slack[0].numbers() : Floats{};
}

/// The same as text, "1 0 0.5": GCC 12 has made some lists of numbers here that it was not given.
std::string slack_of(const std::string& lines) {
  return fmt::format("{}", fmt::join(numbers_of_slack(lines), " "));
}

/// x has elements of at most 4, and off by 4e-3 once something has been computed from it.
constexpr const char* kHalves =
    "c = f32[4] constant({-1.25, 0.5, 0.749, 2})\n"
    "two = f32[] constant(2)\n"
    "twos = f32[4] broadcast(two), dimensions={}\n"
    "x = f32[4] multiply(c, twos)\n";  // -2.5, 1, 1.498, 4

std::string halves(const std::string& lines) {
  return kHalves + lines;
}

TEST(InterpreterSlack, RoundingMayJumpNearAHalf) {
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)")), "1 0 1 0");
  EXPECT_EQ(slack_of(halves("r = f32[4] floor(x)")), "0 1 0 1");
  EXPECT_EQ(slack_of(halves("r = f32[4] ceil(x)")), "0 1 0 1");
  EXPECT_EQ(slack_of(halves("r = s32[4] convert(x)")), "0 1 0 1");
}

TEST(InterpreterSlack, InputsAreWhatTheyAre) {
  EXPECT_EQ(slack_of("c = f32[2] constant({0.5, 1.5})\nr = f32[2] round-nearest-even(c)"),
            "");
  EXPECT_EQ(slack_of("c = f32[2] constant({0.5, 1.5})\nn = f32[2] negate(c)\n"
                     "r = f32[2] floor(n)"),
            "");
}

TEST(InterpreterSlack, WithoutAJumpThereIsNone) {
  EXPECT_EQ(slack_of(halves("r = f32[4] exponential(x)")), "");
}

TEST(InterpreterSlack, ComparisonsMayTurnWhereBothSidesMeet) {
  EXPECT_EQ(slack_of(halves("y = f32[4] constant({-2.5, 1.1, 1.5, 4.1})\n"
                            "r = pred[4] compare(x, y), direction=GT")),
            "1 0 1 0");
  EXPECT_EQ(slack_of(halves("y = f32[4] constant({-2.5, 1.1, 1.5, 4.1})\n"
                            "r = pred[4] compare(x, y), direction=EQ")),
            "1 0 1 0");
}

TEST(InterpreterSlack, GoesWithItsElement) {
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)\n"
                            "w = s8[4] convert(r)\n"
                            "m = f32[2,2] reshape(r)\n"
                            "t = f32[2,2] transpose(m), dimensions={1,0}")),
            "1 1 0 0");
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)\n"
                            "s = f32[1] slice(r), slice={[2:3]}")),
            "1");
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)\nz = f32[] constant(0)\n"
                            "s = f32[] reduce(r, z), dimensions={0}, to_apply=sum")),
            "2");
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)\nz = f32[] constant(0)\n"
                            "s = f32[] reduce(r, z), dimensions={0}, to_apply=largest")),
            "1");
}

TEST(InterpreterSlack, IsScaledByWhatReadsIt) {
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)\n"
                            "f = f32[4] constant({3, 3, -5, 3})\ny = f32[4] multiply(r, f)")),
            "3 0 5 0");
  EXPECT_EQ(slack_of(halves("r = f32[4] round-nearest-even(x)\n"
                            "w = f32[4,1] constant({{3}, {7}, {-5}, {7}})\n"
                            "y = f32[1] dot(r, w), lhs_contracting_dims={0}, "
                            "rhs_contracting_dims={0}")),
            "8");
  EXPECT_EQ(slack_of(halves("y = f32[4] constant({-2.5, 1.1, 1.5, 4.1})\n"
                            "p = pred[4] compare(x, y), direction=GT\n"
                            "a = f32[4] constant({7, 7, 7, 7})\n"
                            "r = f32[4] select(p, a, y)")),
            "9.5 0 5.5 0");
}

TEST(InterpreterSlack, LeavesOpenWhatADivisorOfZeroGives) {
  const Floats slack = numbers_of_slack(halves("r = f32[4] floor(x)\ny = f32[4] divide(twos, r)"));
  EXPECT_EQ(slack[0], 0);
  EXPECT_TRUE(std::isinf(slack[1]));  // 1 that may be 0
  EXPECT_NEAR(slack[3], 2.0 / 3 - 2.0 / 4, 1e-12);
}

}  // namespace
}  // namespace tilewright
