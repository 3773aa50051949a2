#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/graph/number_format.h"
#include "tests/core/graph_evaluation.h"

namespace tilewright {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using Floats = std::vector<double>;
using Integers = std::vector<int64_t>;

/// One op on two scalar constants of a type; the result's type is the same unless given.
std::string on_scalars(const std::string& type, const std::string& op, const std::string& a,
                       const std::string& b, const std::string& result = "") {
  return fmt::format("a = {0}[] constant({2})\nb = {0}[] constant({3})\nr = {4}[] {1}(a, b)", type,
                     op, a, b, result.empty() ? type : result);
}

double float_op(const std::string& op, const std::string& a, const std::string& b) {
  return floats(on_scalars("f64", op, a, b))[0];
}

int64_t integer_op(const std::string& type, const std::string& op, const std::string& a,
                   const std::string& b) {
  return integers(on_scalars(type, op, a, b))[0];
}

double unary_op(const std::string& op, const std::string& a, const std::string& type = "f64") {
  return floats(fmt::format("a = {0}[] constant({2})\nr = {0}[] {1}(a)", type, op, a))[0];
}

int64_t convert(const std::string& from, const std::string& to, const std::string& value) {
  return integers(fmt::format("a = {}[] constant({})\nr = {}[] convert(a)", from, value, to))[0];
}

/// Equal with NaN equal to itself and 0 not to -0.
void expect_same(double is, double wanted) {
  EXPECT_TRUE((std::isnan(is) && std::isnan(wanted)) ||
              (is == wanted && std::signbit(is) == std::signbit(wanted)))
      << is << " is not " << wanted;
}

TEST(InterpretElementwise, FloatsOfTwoOperands) {
  expect_same(float_op("add", "1.5", "-4"), -2.5);
  expect_same(float_op("subtract", "1.5", "-4"), 5.5);
  expect_same(float_op("multiply", "1.5", "-4"), -6);
  expect_same(float_op("divide", "1", "0"), kInf);
  expect_same(float_op("power", "2", "-2"), 0.25);
  expect_same(float_op("remainder", "-7.5", "2"), -1.5);
  expect_same(float_op("atan2", "1", "-1"), std::atan2(1, -1));
}

TEST(InterpretElementwise, MaximumAndMinimumPassNanOn) {
  for (const char* op : {"maximum", "minimum"}) {
    expect_same(float_op(op, "nan", "1"), kNan);
    expect_same(float_op(op, "1", "nan"), kNan);
  }
  expect_same(float_op("maximum", "-inf", "1"), 1);
  expect_same(float_op("minimum", "-inf", "1"), -kInf);
}

TEST(InterpretElementwise, FloatsOfOneOperand) {
  const double x = 0.3;
  const std::pair<const char*, double> cases[] = {{"abs", 0.3},
                                                  {"acos", std::acos(x)},
                                                  {"asin", std::asin(x)},
                                                  {"asinh", std::asinh(x)},
                                                  {"atanh", std::atanh(x)},
                                                  {"cbrt", std::cbrt(x)},
                                                  {"ceil", 1},
                                                  {"cosh", std::cosh(x)},
                                                  {"cosine", std::cos(x)},
                                                  {"erf", std::erf(x)},
                                                  {"exponential", std::exp(x)},
                                                  {"exponential-minus-one", std::expm1(x)},
                                                  {"floor", 0},
                                                  {"log", std::log(x)},
                                                  {"log-plus-one", std::log1p(x)},
                                                  {"logistic", 1 / (1 + std::exp(-x))},
                                                  {"negate", -0.3},
                                                  {"rsqrt", 1 / std::sqrt(x)},
                                                  {"sign", 1},
                                                  {"sine", std::sin(x)},
                                                  {"sinh", std::sinh(x)},
                                                  {"sqrt", std::sqrt(x)},
                                                  {"tan", std::tan(x)},
                                                  {"tanh", std::tanh(x)}};
  for (const auto& [op, wanted] : cases) EXPECT_DOUBLE_EQ(unary_op(op, "0.3"), wanted) << op;
  EXPECT_DOUBLE_EQ(unary_op("acosh", "1.3"), std::acosh(1.3));
}

TEST(InterpretElementwise, RoundsHalvesAwayFromZeroOrToEven) {
  expect_same(unary_op("round-nearest-afz", "2.5"), 3);
  expect_same(unary_op("round-nearest-afz", "-2.5"), -3);
  expect_same(unary_op("round-nearest-even", "2.5"), 2);
  expect_same(unary_op("round-nearest-even", "3.5"), 4);
}

TEST(InterpretElementwise, SignKeepsZerosAndNan) {
  expect_same(unary_op("sign", "-0"), -0.0);
  expect_same(unary_op("sign", "nan"), kNan);
  expect_same(unary_op("sign", "-7"), -1);
}

TEST(InterpretElementwise, IntegersWrapToTheirWidth) {
  EXPECT_EQ(integer_op("s8", "add", "127", "1"), -128);
  EXPECT_EQ(integer_op("u8", "subtract", "0", "1"), 255);
  EXPECT_EQ(integer_op("s32", "multiply", "65536", "65536"), 0);
  EXPECT_EQ(integer_op("s64", "add", "9223372036854775807", "1"),
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(integer_op("s8", "power", "3", "5"), static_cast<int8_t>(243));
  EXPECT_EQ(integer_op("s32", "power", "2", "-1"), 0);
  EXPECT_EQ(integer_op("s32", "power", "-1", "-3"), -1);
}

TEST(InterpretElementwise, IntegerDivisionNeverTraps) {
  EXPECT_EQ(integer_op("s32", "divide", "7", "0"), -1);
  EXPECT_EQ(integer_op("u8", "divide", "7", "0"), 255);
  EXPECT_EQ(integer_op("s32", "remainder", "7", "0"), 7);
  EXPECT_EQ(integer_op("s32", "divide", "-2147483648", "-1"), -2147483648);
  EXPECT_EQ(integer_op("s32", "remainder", "-2147483648", "-1"), 0);
  EXPECT_EQ(integer_op("s32", "divide", "-7", "2"), -3);
  EXPECT_EQ(integer_op("s32", "remainder", "-7", "2"), -1);
  // 2^64 - 1 is no -1.
  EXPECT_EQ(integer_op("u64", "divide", "18446744073709551615", "2"),
            std::numeric_limits<int64_t>::max());
}

TEST(InterpretElementwise, ShiftsBeyondTheWidthGoOnShifting) {
  EXPECT_EQ(integer_op("s32", "shift-left", "1", "31"), -2147483648);
  EXPECT_EQ(integer_op("s32", "shift-left", "1", "32"), 0);
  EXPECT_EQ(integer_op("s32", "shift-left", "1", "-1"), 0);
  EXPECT_EQ(integer_op("s8", "shift-right-logical", "-1", "4"), 15);
  EXPECT_EQ(integer_op("s8", "shift-right-logical", "-1", "8"), 0);
  EXPECT_EQ(integer_op("s8", "shift-right-arithmetic", "-16", "2"), -4);
  EXPECT_EQ(integer_op("s8", "shift-right-arithmetic", "-16", "100"), -1);
  EXPECT_EQ(integer_op("s8", "shift-right-arithmetic", "16", "100"), 0);
}

TEST(InterpretElementwise, BitsOfIntegers) {
  const auto one = [](const std::string& type, const std::string& op, const std::string& a) {
    return integers(fmt::format("a = {0}[] constant({2})\nr = {0}[] {1}(a)", type, op, a))[0];
  };
  EXPECT_EQ(one("s8", "popcnt", "-1"), 8);
  EXPECT_EQ(one("s8", "count-leading-zeros", "1"), 7);
  EXPECT_EQ(one("u32", "count-leading-zeros", "0"), 32);
  EXPECT_EQ(one("u8", "not", "1"), 254);
  EXPECT_EQ(one("pred", "not", "true"), 0);
  EXPECT_EQ(one("s8", "abs", "-128"), -128);
  EXPECT_EQ(one("s8", "negate", "5"), -5);
  EXPECT_EQ(one("s8", "sign", "-5"), -1);
  EXPECT_EQ(integer_op("u8", "and", "12", "10"), 8);
  EXPECT_EQ(integer_op("u8", "or", "12", "10"), 14);
  EXPECT_EQ(integer_op("u8", "xor", "12", "10"), 6);
  EXPECT_EQ(integer_op("pred", "xor", "true", "true"), 0);
}

TEST(InterpretElementwise, PredicatesAddByOrAndMultiplyByAnd) {
  EXPECT_EQ(integer_op("pred", "add", "true", "true"), 1);
  EXPECT_EQ(integer_op("pred", "multiply", "true", "false"), 0);
  EXPECT_EQ(integer_op("pred", "maximum", "true", "false"), 1);
  EXPECT_EQ(integer_op("pred", "minimum", "true", "false"), 0);
}

TEST(InterpretElementwise, ComparesFloatsWithNan) {
  const auto holds = [](const std::string& a, const std::string& direction, const std::string& b) {
    return integers(on_scalars("f32", "compare", a, b, "pred") + ", direction=" + direction)[0];
  };
  EXPECT_EQ(holds("nan", "EQ", "nan"), 0);
  EXPECT_EQ(holds("nan", "NE", "nan"), 1);
  EXPECT_EQ(holds("nan", "LT", "1"), 0);
  EXPECT_EQ(holds("nan", "GE", "1"), 0);
  EXPECT_EQ(holds("0", "EQ", "-0"), 1);
  EXPECT_EQ(holds("1", "LE", "1"), 1);
  EXPECT_EQ(holds("1", "GT", "1"), 0);
}

TEST(InterpretElementwise, ATotalOrderPutsNanAtTheEnds) {
  const auto holds = [](const std::string& a, const std::string& direction, const std::string& b) {
    return integers(on_scalars("f32", "compare", a, b, "pred") + ", direction=" + direction +
                    ", type=TOTALORDER")[0];
  };
  EXPECT_EQ(holds("inf", "LT", "nan"), 1);
  EXPECT_EQ(holds("-0", "LT", "0"), 1);
  EXPECT_EQ(holds("nan", "EQ", "nan"), 1);
}

TEST(InterpretElementwise, ComparesUnsignedNumbersAsSuch) {
  EXPECT_EQ(integers(on_scalars("u64", "compare", "18446744073709551615", "1", "pred") +
                     ", direction=GT")[0],
            1);
  EXPECT_EQ(integer_op("u64", "maximum", "18446744073709551615", "1"), -1);
}

TEST(InterpretElementwise, IsFiniteTellsNanAndInfinity) {
  EXPECT_EQ(integers("a = f32[3] constant({1, inf, nan})\nr = pred[3] is-finite(a)"),
            (Integers{1, 0, 0}));
}

TEST(InterpretElementwise, SelectAndClampTakeScalars) {
  EXPECT_EQ(floats("p = pred[] constant(false)\na = f32[2] constant({1, 2})\n"
                   "b = f32[2] constant({3, 4})\nr = f32[2] select(p, a, b)"),
            (Floats{3, 4}));
  EXPECT_EQ(floats("p = pred[2] constant({1, 0})\na = f32[2] constant({1, 2})\n"
                   "b = f32[2] constant({3, 4})\nr = f32[2] select(p, a, b)"),
            (Floats{1, 4}));
  EXPECT_EQ(floats("l = f32[] constant(0)\nx = f32[3] constant({-1, 0.5, 9})\n"
                   "h = f32[] constant(1)\nr = f32[3] clamp(l, x, h)"),
            (Floats{0, 0.5, 1}));
  EXPECT_EQ(integers("l = s32[] constant(0)\nx = s32[3] constant({-1, 5, 9})\n"
                     "h = s32[] constant(7)\nr = s32[3] clamp(l, x, h)"),
            (Integers{0, 5, 7}));
}

TEST(InterpretElementwise, ConvertsToIntegersBySaturating) {
  EXPECT_EQ(convert("f32", "s8", "300"), 127);
  EXPECT_EQ(convert("f32", "s8", "-1000"), -128);
  EXPECT_EQ(convert("f32", "u8", "-3"), 0);
  EXPECT_EQ(convert("f32", "s32", "nan"), 0);
  EXPECT_EQ(convert("f32", "s32", "inf"), 2147483647);
  EXPECT_EQ(convert("f32", "s64", "1e30"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(convert("f32", "s32", "-2.9"), -2);
  EXPECT_EQ(convert("f32", "pred", "0.25"), 1);
}

TEST(InterpretElementwise, ConvertsIntegersByWrapping) {
  EXPECT_EQ(convert("s32", "s8", "300"), 44);
  EXPECT_EQ(convert("s32", "u8", "-1"), 255);
  EXPECT_EQ(convert("s32", "pred", "256"), 1);
  EXPECT_EQ(convert("pred", "s32", "true"), 1);
  EXPECT_EQ(floats("a = u64[] constant(18446744073709551615)\nr = f64[] convert(a)")[0], 0x1p64);
}

TEST(InterpretElementwise, StatedArithmeticRoundsEveryOp) {
  const std::string lines =
      "a = bf16[] constant(256)\nb = bf16[] constant(1)\nr = bf16[] add(a, b)";
  EXPECT_EQ(floats(lines, Arithmetic::kExact)[0], 257);
  EXPECT_EQ(floats(lines, Arithmetic::kStated)[0], 256);
  const std::string third = "a = f32[] constant(1)\nb = f32[] constant(3)\nr = f32[] divide(a, b)";
  EXPECT_EQ(floats(third, Arithmetic::kExact)[0], 1.0 / 3.0);
  EXPECT_EQ(floats(third, Arithmetic::kStated)[0], static_cast<double>(1.0F / 3.0F));
  const std::string half = "a = f32[] constant(70000)\nr = f16[] convert(a)";
  EXPECT_EQ(floats(half, Arithmetic::kExact)[0], 70000);
  EXPECT_EQ(floats(half, Arithmetic::kStated)[0], kInf);
}

TEST(InterpretElementwise, ReducePrecisionRoundsOverflowsAndFlushes) {
  const auto reduced = [](const std::string& value, int exponent, int mantissa) {
    return floats(fmt::format("a = f32[] constant({})\nr = f32[] reduce-precision(a), "
                              "exponent_bits={}, mantissa_bits={}",
                              value, exponent, mantissa),
                  Arithmetic::kStated)[0];
  };
  expect_same(reduced("257", 8, 7), 256);
  expect_same(reduced("259", 8, 7), 260);
  expect_same(reduced("70000", 5, 10), kInf);
  expect_same(reduced("-1e-6", 5, 10), -0.0);
  expect_same(reduced("6.2e-5", 5, 10), 0x1.04p-14);
  expect_same(reduced("nan", 5, 10), kNan);
  EXPECT_EQ(floats("a = f32[] constant(257)\nr = f32[] reduce-precision(a), exponent_bits=8, "
                   "mantissa_bits=7")[0],
            257);
}

TEST(InterpretElementwise, MapAppliesAComputationToEachElement) {
  const std::string body = R"(
more {
  x = f32[] parameter(0)
  y = f32[] parameter(1)
  two = f32[] constant(2)
  t = f32[] multiply(x, two)
  ROOT r = f32[] subtract(t, y)
}
)";
  EXPECT_EQ(floats("a = f32[3] constant({1, 2, 3})\nb = f32[3] constant({10, 20, 30})\n"
                   "r = f32[3] map(a, b), dimensions={0}, to_apply=more",
                   Arithmetic::kExact, body),
            (Floats{-8, -16, -24}));
}

TEST(InterpretElementwise, BitcastConvertKeepsTheBits) {
  EXPECT_EQ(integers("a = f32[] constant(1)\nr = s32[] bitcast-convert(a)")[0], 0x3f800000);
  EXPECT_EQ(integers("a = f32[] constant(-0)\nr = u16[2] bitcast-convert(a)"),
            (Integers{0, 0x8000}));
  EXPECT_EQ(floats("a = u16[2] constant({0, 16256})\nr = f32[] bitcast-convert(a)")[0], 1);
  EXPECT_EQ(floats("a = u16[] constant(16256)\nr = bf16[] bitcast-convert(a)")[0], 1);
}

TEST(InterpretElementwise, ABitcastSeesTheSameMemoryInAnotherLayout) {
  EXPECT_EQ(floats("a = f32[2,3]{1,0} constant({{1, 2, 3}, {4, 5, 6}})\n"
                   "r = f32[3,2]{0,1} bitcast(a)"),
            (Floats{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(floats("a = f32[2,3]{1,0} constant({{1, 2, 3}, {4, 5, 6}})\nr = f32[6]{0} bitcast(a)"),
            (Floats{1, 2, 3, 4, 5, 6}));
}

TEST(NumberFormat, RoundsToNearestEven) {
  expect_same(round_to(ElementType::kBF16, 1.00390625), 1);  // half way, 1 is even
  expect_same(round_to(ElementType::kBF16, 1.01171875), 1.015625);
  expect_same(round_to(ElementType::kF16, 65519), 65504);
  expect_same(round_to(ElementType::kF16, 65520), kInf);
  expect_same(round_to(ElementType::kF16, 0x1p-25), 0);
  expect_same(round_to(ElementType::kF16, 0x1.8p-24), 0x1p-23);
  // By way of f32 this would round twice, the wrong way.
  expect_same(round_to(ElementType::kBF16, 1.00390625 + 0x1p-40), 1.0078125);
}

TEST(NumberFormat, SmallFloatsOverflowAsTheyDefine) {
  expect_same(round_to(ElementType::kF8E4M3FN, 464), 448);
  expect_same(round_to(ElementType::kF8E4M3FN, 470), kNan);
  expect_same(round_to(ElementType::kF8E5M2, 61440), kInf);
  expect_same(round_to(ElementType::kF8E5M2, 61439), 57344);
  expect_same(round_to(ElementType::kF8E4M3FNUZ, -0.0), 0);
  expect_same(round_to(ElementType::kF8E4M3FN, 0x1p-9), 0x1p-9);
  expect_same(round_to(ElementType::kF8E4M3FN, 0x1p-10), 0);
  expect_same(round_to(ElementType::kF4E2M1FN, -100), -6);
}

}  // namespace
}  // namespace tilewright
