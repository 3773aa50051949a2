#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "tests/core/graph_evaluation.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

constexpr int64_t kRowCount = 37;
constexpr int64_t kColumns = 50;

std::string error_of(const OpGraph& graph, const InterpreterOptions& options = {}) {
  try {
    interpret(graph, make_inputs(graph, 1), options);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

double bf16(double value) {
  return static_cast<double>(bf16_to_f32(f32_to_bf16(static_cast<float>(value))));
}

TEST(InterpretGraphs, SoftmaxIsWhatALoopComputes) {
  const OpGraph graph = graph_of(fmt::format(R"(x = f32[{0},{1}] parameter(0)
low = f32[] constant(-inf)
zero = f32[] constant(0)
m = f32[{0}] reduce(x, low), dimensions={{1}}, to_apply=largest
mb = f32[{0},{1}] broadcast(m), dimensions={{0}}
d = f32[{0},{1}] subtract(x, mb)
e = f32[{0},{1}] exponential(d)
s = f32[{0}] reduce(e, zero), dimensions={{1}}, to_apply=sum
sb = f32[{0},{1}] broadcast(s), dimensions={{0}}
r = f32[{0},{1}] divide(e, sb))",
                                             kRowCount, kColumns));
  const std::vector<Value> inputs = make_inputs(graph, 3);
  const Value exact = interpret(graph, inputs);
  const Value stated = interpret(graph, inputs, {.arithmetic = Arithmetic::kStated});
  for (int64_t row = 0; row < kRowCount; ++row) {
    double largest = -1e300;
    double sum = 0;
    float narrow_sum = 0;
    for (int64_t i = row * kColumns; i < (row + 1) * kColumns; ++i) {
      largest = std::max(largest, inputs[0].number(i));
    }
    for (int64_t i = row * kColumns; i < (row + 1) * kColumns; ++i) {
      sum += std::exp(inputs[0].number(i) - largest);
      narrow_sum += std::exp(static_cast<float>(inputs[0].number(i)) - static_cast<float>(largest));
    }
    for (int64_t i = row * kColumns; i < (row + 1) * kColumns; ++i) {
      EXPECT_EQ(exact.number(i), std::exp(inputs[0].number(i) - largest) / sum);
      const float e =
          std::exp(static_cast<float>(inputs[0].number(i)) - static_cast<float>(largest));
      EXPECT_EQ(stated.number(i), static_cast<double>(e / narrow_sum));
    }
  }
}

/// A layer norm without scale and shift in the way of JAX: statistics in f32, the rest in bf16.
OpGraph layer_norm() {
  return graph_of(fmt::format(R"(x = bf16[{0},{1}] parameter(0)
w = f32[{0},{1}] convert(x)
zero = f32[] constant(0)
s = f32[{0}] reduce(w, zero), dimensions={{1}}, to_apply=sum
n = f32[] constant({1})
nb = f32[{0}] broadcast(n), dimensions={{}}
mean = f32[{0}] divide(s, nb)
mean_h = bf16[{0}] convert(mean)
mb = bf16[{0},{1}] broadcast(mean_h), dimensions={{0}}
d = bf16[{0},{1}] subtract(x, mb)
q = bf16[{0},{1}] multiply(d, d)
qw = f32[{0},{1}] convert(q)
v = f32[{0}] reduce(qw, zero), dimensions={{1}}, to_apply=sum
var = f32[{0}] divide(v, nb)
var_h = bf16[{0}] convert(var)
dev = bf16[{0}] sqrt(var_h)
db = bf16[{0},{1}] broadcast(dev), dimensions={{0}}
r = bf16[{0},{1}] divide(d, db))",
                              kRowCount, kColumns));
}

TEST(InterpretGraphs, LayerNormIsWhatALoopComputes) {
  const OpGraph graph = layer_norm();
  const std::vector<Value> inputs = make_inputs(graph, 4);
  const Value exact = interpret(graph, inputs);
  const Value stated = interpret(graph, inputs, {.arithmetic = Arithmetic::kStated});
  for (int64_t row = 0; row < kRowCount; ++row) {
    const auto x = [&](int64_t i) { return inputs[0].number(row * kColumns + i); };
    double sum = 0;
    float narrow_sum = 0;
    for (int64_t i = 0; i < kColumns; ++i) {
      sum += x(i);
      narrow_sum += static_cast<float>(x(i));
    }
    const double mean = sum / kColumns;
    const double narrow_mean = bf16(static_cast<double>(narrow_sum / static_cast<float>(kColumns)));
    double squares = 0;
    float narrow_squares = 0;
    for (int64_t i = 0; i < kColumns; ++i) {
      squares += (x(i) - mean) * (x(i) - mean);
      const double d = bf16(x(i) - narrow_mean);
      narrow_squares += static_cast<float>(bf16(d * d));
    }
    const double deviation = std::sqrt(squares / kColumns);
    const double narrow_deviation =
        bf16(std::sqrt(bf16(static_cast<double>(narrow_squares / static_cast<float>(kColumns)))));
    for (int64_t i = 0; i < kColumns; ++i) {
      EXPECT_EQ(exact.number(row * kColumns + i), (x(i) - mean) / deviation);
      const double wanted = static_cast<double>(static_cast<float>(bf16(x(i) - narrow_mean)) /
                                                static_cast<float>(narrow_deviation));
      EXPECT_EQ(stated.number(row * kColumns + i), bf16(wanted));
    }
  }
}

TEST(InterpreterWork, CountsFlopsAndTheLargestMemory) {
  const OpGraph graph = graph_of(
      "a = f32[8,16] parameter(0)\nb = f32[16,4] parameter(1)\n"
      "c = f32[8,4] dot(a, b), lhs_contracting_dims={1}, "
      "rhs_contracting_dims={0}\n"
      "d = f32[8,4] negate(c)\nr = f32[8,4] add(d, d)");
  const InterpreterWork work = interpreter_work(graph);
  EXPECT_EQ(work.flops, 2 * 8 * 4 * 16 + 32 + 32);
  // Both inputs, their copies in the order of the product, and the product.
  EXPECT_EQ(work.bytes, 8 * (2 * (8 * 16 + 16 * 4) + 8 * 4));
  EXPECT_EQ(work.unknown_loops, 0);
}

const std::string kLoop = R"(
more {
  s = (s32[], f32[100]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  n = s32[] constant(50)
  ROOT r = pred[] compare(i, n), direction=LT
}

next {
  s = (s32[], f32[100]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  x = f32[100] get-tuple-element(s), index=1
  one = s32[] constant(1)
  j = s32[] add(i, one)
  y = f32[100] negate(x)
  ROOT r = (s32[], f32[100]) tuple(j, y)
}
)";

TEST(InterpreterWork, MultipliesLoopsOfAKnownLength) {
  const OpGraph known = graph_of(
      "i = s32[] constant(0)\nx = f32[100] parameter(0)\nt = (s32[], f32[100]) tuple(i, x)\n"
      "r = (s32[], f32[100]) while(t), condition=more, body=next",
      kLoop);
  EXPECT_GT(interpreter_work(known).flops, 50 * 100);
  EXPECT_LT(interpreter_work(known).flops, 60 * 100);
  EXPECT_EQ(interpreter_work(known).unknown_loops, 0);
  const OpGraph unknown = graph_of(
      "i = s32[] parameter(1)\nx = f32[100] parameter(0)\nt = (s32[], f32[100]) tuple(i, x)\n"
      "r = (s32[], f32[100]) while(t), condition=more, body=next",
      kLoop);
  EXPECT_LT(interpreter_work(unknown).flops, 2 * 100);
  EXPECT_EQ(interpreter_work(unknown).unknown_loops, 1);
  InterpreterOptions options;
  options.limits.flops = 2000;
  EXPECT_NE(error_of(unknown, options).find("more than 2000 operations"), std::string::npos);
}

TEST(InterpreterWork, DoesNotCountWhatALoopHandsThroughTwice) {
  const std::string body = R"(
more {
  s = (s32[], f32[1000000]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  n = s32[] constant(5)
  ROOT r = pred[] compare(i, n), direction=LT
}

next {
  s = (s32[], f32[1000000]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  w = f32[1000000] get-tuple-element(s), index=1
  one = s32[] constant(1)
  j = s32[] add(i, one)
  ROOT r = (s32[], f32[1000000]) tuple(j, w)
}
)";
  const OpGraph graph = graph_of(
      "i = s32[] constant(0)\nw = f32[1000000] parameter(0)\n"
      "t = (s32[], f32[1000000]) tuple(i, w)\n"
      "r = (s32[], f32[1000000]) while(t), condition=more, body=next",
      body);
  EXPECT_LT(interpreter_work(graph).bytes, 8.1e6);
}

TEST(InterpreterWork, RefusesGraphsBeyondTheLimits) {
  const OpGraph large = graph_of(
      "x = f32[] constant(1)\n"
      "y = f32[1000000,1000000] broadcast(x), dimensions={}\n"
      "z = f32[] constant(0)\n"
      "r = f32[] reduce(y, z), dimensions={0,1}, to_apply=sum");
  EXPECT_NE(error_of(large).find("needs up to"), std::string::npos) << error_of(large);
  const OpGraph slow = graph_of(
      "x = f32[100,10000] parameter(0)\n"
      "r = f32[100,100] dot(x, x), lhs_contracting_dims={1}, "
      "rhs_contracting_dims={1}");
  EXPECT_EQ(error_of(slow), "");
  InterpreterOptions options;
  options.limits.flops = 1e8;
  EXPECT_NE(error_of(slow, options).find("operations, the limit is"), std::string::npos);
}

TEST(InterpreterWork, SeesThroughCallsThatDouble) {
  std::string more = "f0 {\n  x = f32[] parameter(0)\n  ROOT r = f32[] negate(x)\n}\n";
  for (int i = 1; i <= 100; ++i) {
    more += fmt::format(
        "f{0} {{\n  x = f32[] parameter(0)\n  y = f32[] call(x), to_apply=f{1}\n"
        "  ROOT r = f32[] call(y), to_apply=f{1}\n}}\n",
        i, i - 1);
  }
  const OpGraph graph = graph_of("x = f32[] parameter(0)\nr = f32[] call(x), to_apply=f100", more);
  EXPECT_NE(error_of(graph).find("operations, the limit is"), std::string::npos);
  const OpGraph mapped =
      graph_of("x = f32[2] parameter(0)\nr = f32[2] map(x), dimensions={0}, to_apply=f100", more);
  InterpreterOptions options;
  options.limits.flops = 1e100;
  EXPECT_NE(error_of(mapped, options).find("single elements"), std::string::npos);
}

TEST(InterpretGraphs, RefusesCallsThatAreNestedTooDeep) {
  std::string more = "f0 {\n  x = f32[] parameter(0)\n  ROOT r = f32[] negate(x)\n}\n";
  for (int i = 1; i <= 300; ++i) {
    more += fmt::format(
        "f{0} {{\n  x = f32[] parameter(0)\n  ROOT r = f32[] call(x), to_apply=f{1}\n}}\n", i,
        i - 1);
  }
  EXPECT_NE(error_of(graph_of("x = f32[] parameter(0)\nr = f32[] call(x), to_apply=f300", more))
                .find("nested more than 200 deep"),
            std::string::npos);
  EXPECT_EQ(error_of(graph_of("x = f32[] parameter(0)\nr = f32[] call(x), to_apply=f150", more)),
            "");
}

TEST(InterpretGraphs, EmptyArraysOfHugeDimensionsTakeNoTime) {
  const char* lines[] = {
      "x = f32[0,100000000000000] parameter(0)\ny = f32[100000000000000,0] parameter(1)\n"
      "r = f32[0,0] dot(x, y), lhs_contracting_dims={1}, rhs_contracting_dims={0}",
      "x = f32[100000000000000,0] parameter(0)\n"
      "r = f32[100000000000000,0] sort(x), dimensions={1}, to_apply=less",
      "x = f32[100000000000000,0] parameter(0)\nz = f32[] constant(0)\n"
      "r = f32[0] reduce(x, z), dimensions={0}, to_apply=sum",
      "x = f32[4] parameter(0)\ni = s32[100000000000000,0] parameter(1)\n"
      "u = f32[100000000000000,0] parameter(2)\n"
      "r = f32[4] scatter(x, i, u), update_window_dims={1}, inserted_window_dims={}, "
      "scatter_dims_to_operand_dims={}, index_vector_dim=1, to_apply=sum",
      "r = f32[100000000000000,0] iota(), iota_dimension=0"};
  for (const char* text : lines) EXPECT_EQ(error_of(graph_of(text)), "") << text;
}

bool all_finite(const Value& value) {
  if (value.shape().is_tuple()) return std::ranges::all_of(value.parts(), all_finite);
  if (!is_float(value.shape().type)) return true;
  return std::ranges::all_of(value.elements(),
                             [](Element element) { return std::isfinite(float_of(element)); });
}

TEST(InterpretGraphs, SlowRealModulesWithinTheLimitsGiveNumbers) {
  const std::vector<std::string> paths = data_modules();
  if (paths.empty()) GTEST_SKIP() << "shared/data/hlo is absent; set TILEWRIGHT_DATA";
  int evaluated = 0;
  for (const std::string& path : paths) {
    const OpGraph graph = read_hlo(path);
    InterpreterOptions options = {.unknown = made_up_values(1)};
    options.limits.bytes = 256e6;
    try {
      check_limits(graph, options.limits);
    } catch (const Error&) {
      continue;
    }
    ++evaluated;
    // Not below 0, so that roots of inputs are numbers.
    const std::vector<Value> inputs = make_inputs(graph, 1, {.low = 0, .high = 0.1});
    EXPECT_TRUE(all_finite(interpret(graph, inputs, options))) << path;
    options.arithmetic = Arithmetic::kStated;
    EXPECT_TRUE(all_finite(interpret(graph, inputs, options))) << path;
  }
  EXPECT_GE(evaluated, 2);
}

TEST(InterpretGraphs, TheRealLayerNormNormalises) {
  const std::vector<std::string> paths = data_modules();
  const auto path = std::find_if(paths.begin(), paths.end(), [](const std::string& name) {
    return name.find("layer_norm") != std::string::npos;
  });
  if (path == paths.end()) GTEST_SKIP() << "shared/data/hlo is absent; set TILEWRIGHT_DATA";
  const OpGraph graph = read_hlo(*path);
  const std::vector<Value> inputs = make_inputs(graph, 2);
  const Value exact = interpret(graph, inputs);
  const Value stated = interpret(graph, inputs, {.arithmetic = Arithmetic::kStated});
  const int64_t columns = exact.shape().dims.back();
  for (int64_t row = 0; row < exact.size() / columns; ++row) {
    double mean = 0;
    double square = 0;
    for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
      mean += exact.number(i) / static_cast<double>(columns);
      square += exact.number(i) * exact.number(i) / static_cast<double>(columns);
      ASSERT_NEAR(stated.number(i), exact.number(i), 0.03);
    }
    ASSERT_NEAR(mean, 0, 1e-12);
    // The module adds 1e-5 to a variance of about a third.
    ASSERT_NEAR(square, 1, 1e-4);
  }
}

}  // namespace
}  // namespace tilewright
