#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/graph/interpreter.h"
#include "tests/core/graph_evaluation.h"

namespace tilewright {
namespace {

using Floats = std::vector<double>;
using Integers = std::vector<int64_t>;

constexpr const char* kSix = "x = f32[2,3] constant({{1, 2, 3}, {4, 5, 6}})\n";

std::string six(const std::string& line) {
  return kSix + line;
}

std::string error_of(const std::string& lines, const InterpreterOptions& options = {}) {
  try {
    interpret(graph_of(lines), {}, options);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(InterpretMovement, BroadcastsReshapesAndTransposes) {
  EXPECT_EQ(floats("a = f32[2] constant({1, 2})\nr = f32[2,3] broadcast(a), dimensions={0}"),
            (Floats{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(floats("a = f32[2] constant({1, 2})\nr = f32[3,2] broadcast(a), dimensions={1}"),
            (Floats{1, 2, 1, 2, 1, 2}));
  EXPECT_EQ(floats(six("r = f32[3,2] reshape(x)")), (Floats{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(floats(six("r = f32[3,2] transpose(x), dimensions={1,0}")), (Floats{1, 4, 2, 5, 3, 6}));
  const Value cube = evaluate(
      "a = f32[2,3,4] iota(), iota_dimension=2\n"
      "r = f32[4,2,3] transpose(a), dimensions={2,0,1}");
  EXPECT_EQ(cube.number(0), 0);
  EXPECT_EQ(cube.number(6), 1);
  EXPECT_EQ(cube.number(23), 3);
}

TEST(InterpretMovement, SlicesReversesAndConcatenates) {
  EXPECT_EQ(floats(six("r = f32[1,2] slice(x), slice={[1:2], [0:3:2]}")), (Floats{4, 6}));
  EXPECT_EQ(floats(six("r = f32[2,3] reverse(x), dimensions={1}")), (Floats{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(floats(six("y = f32[2,1] constant({{7}, {8}})\n"
                       "r = f32[2,4] concatenate(x, y), dimensions={1}")),
            (Floats{1, 2, 3, 7, 4, 5, 6, 8}));
  EXPECT_EQ(integers("r = s32[2,3] iota(), iota_dimension=1"), (Integers{0, 1, 2, 0, 1, 2}));
}

TEST(InterpretMovement, PadsCutsAndSpreads) {
  const std::string row = "x = f32[3] constant({1, 2, 3})\nv = f32[] constant(9)\n";
  EXPECT_EQ(floats(row + "r = f32[6] pad(x, v), padding=1_2"), (Floats{9, 1, 2, 3, 9, 9}));
  EXPECT_EQ(floats(row + "r = f32[5] pad(x, v), padding=0_0_1"), (Floats{1, 9, 2, 9, 3}));
  EXPECT_EQ(floats(row + "r = f32[1] pad(x, v), padding=-1_-1"), (Floats{2}));
  EXPECT_EQ(floats(row + "r = f32[4] pad(x, v), padding=-1_0_1"), (Floats{9, 2, 9, 3}));
  EXPECT_EQ(floats(row + "r = f32[2] pad(x, v), padding=-4_3"), (Floats{9, 9}));
}

TEST(InterpretMovement, DynamicIndicesMoveIntoBounds) {
  const auto sliced = [&](int index) {
    return floats("x = f32[4] constant({1, 2, 3, 4})\ni = s32[] constant(" + std::to_string(index) +
                  ")\nr = f32[2] dynamic-slice(x, i), dynamic_slice_sizes={2}");
  };
  EXPECT_EQ(sliced(1), (Floats{2, 3}));
  EXPECT_EQ(sliced(3), (Floats{3, 4}));
  EXPECT_EQ(sliced(-5), (Floats{1, 2}));
  EXPECT_EQ(floats("x = f32[4] constant({1, 2, 3, 4})\nu = f32[2] constant({8, 9})\n"
                   "i = s32[] constant(3)\nr = f32[4] dynamic-update-slice(x, u, i)"),
            (Floats{1, 2, 8, 9}));
}

TEST(InterpretMovement, AnUpdateDoesNotChangeWhatOthersRead) {
  EXPECT_EQ(floats("x = f32[2] constant({1, 2})\nu = f32[1] constant({8})\n"
                   "i = s32[] constant(0)\ny = f32[2] dynamic-update-slice(x, u, i)\n"
                   "r = f32[2] subtract(y, x)"),
            (Floats{7, 0}));
  const std::vector<Value> inputs = {Value(array_shape(ElementType::kF32, {2}), Floats{1, 2})};
  evaluate(
      "x = f32[2] parameter(0)\nu = f32[1] constant({8})\ni = s32[] constant(0)\n"
      "r = f32[2] dynamic-update-slice(x, u, i)",
      Arithmetic::kExact, "", inputs);
  EXPECT_EQ(inputs[0].numbers(), (Floats{1, 2}));
}

TEST(InterpretGather, TakesRowsAndClampsTheirIndices) {
  EXPECT_EQ(floats(six("i = s32[3] constant({1, 0, 7})\n"
                       "r = f32[3,3] gather(x, i), offset_dims={1}, collapsed_slice_dims={0}, "
                       "start_index_map={0}, index_vector_dim=1, slice_sizes={1,3}")),
            (Floats{4, 5, 6, 1, 2, 3, 4, 5, 6}));
}

TEST(InterpretGather, TakesWindowsOfSeveralDimensions) {
  EXPECT_EQ(floats(six("i = s32[2,2] constant({{0, 1}, {1, 2}})\n"
                       "r = f32[2,1,2] gather(x, i), offset_dims={1,2}, collapsed_slice_dims={}, "
                       "start_index_map={0,1}, index_vector_dim=1, slice_sizes={1,2}")),
            (Floats{2, 3, 5, 6}));
}

TEST(InterpretGather, PairsBatchingDimensions) {
  EXPECT_EQ(floats(six("i = s32[2,1] constant({{2}, {0}})\n"
                       "r = f32[2] gather(x, i), offset_dims={}, collapsed_slice_dims={1}, "
                       "start_index_map={1}, operand_batching_dims={0}, "
                       "start_indices_batching_dims={0}, index_vector_dim=1, slice_sizes={1,1}")),
            (Floats{3, 4}));
}

TEST(InterpretScatter, AddsRowsAndDropsThoseOutside) {
  EXPECT_EQ(floats(six("i = s32[3] constant({1, 1, 2})\n"
                       "u = f32[3,3] constant({{10, 20, 30}, {1, 1, 1}, {5, 5, 5}})\n"
                       "r = f32[2,3] scatter(x, i, u), update_window_dims={1}, "
                       "inserted_window_dims={0}, scatter_dims_to_operand_dims={0}, "
                       "index_vector_dim=1, to_apply=sum")),
            (Floats{1, 2, 3, 15, 26, 37}));
}

TEST(InterpretScatter, DropsAWindowThatIsPartlyOutside) {
  const auto scattered = [](int at) {
    return floats(
        fmt::format("x = f32[4] constant({{1, 2, 3, 4}})\n"
                    "i = s32[1] constant({{{}}})\nu = f32[2] constant({{8, 9}})\n"
                    "r = f32[4] scatter(x, i, u), update_window_dims={{0}}, "
                    "inserted_window_dims={{}}, scatter_dims_to_operand_dims={{0}}, "
                    "index_vector_dim=0, to_apply=second",
                    at));
  };
  EXPECT_EQ(scattered(2), (Floats{1, 2, 8, 9}));
  EXPECT_EQ(scattered(3), (Floats{1, 2, 3, 4}));
  EXPECT_EQ(scattered(-1), (Floats{1, 2, 3, 4}));
}

TEST(InterpretReduce, SumsOverEachDimension) {
  const std::string zero = "z = f32[] constant(100)\n";
  EXPECT_EQ(floats(six(zero + "r = f32[2] reduce(x, z), dimensions={1}, to_apply=sum")),
            (Floats{106, 115}));
  EXPECT_EQ(floats(six(zero + "r = f32[3] reduce(x, z), dimensions={0}, to_apply=sum")),
            (Floats{105, 107, 109}));
  EXPECT_EQ(floats(six(zero + "r = f32[] reduce(x, z), dimensions={1,0}, to_apply=sum")),
            (Floats{121}));
  EXPECT_EQ(floats(six(zero + "r = f32[2,3] reduce(x, z), dimensions={}, to_apply=sum")),
            (Floats{101, 102, 103, 104, 105, 106}));
  EXPECT_EQ(floats("x = f32[0] constant({})\n" + zero +
                   "r = f32[] reduce(x, z), dimensions={0}, to_apply=sum"),
            (Floats{100}));
}

TEST(InterpretReduce, AgreesWithALoopForEveryChoiceOfDimensions) {
  const Shape shape = array_shape(ElementType::kF32, {3, 5, 4, 40});
  const Value x = make_input(shape, 7, 0);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0", "5,4,40"}, {"1", "3,4,40"}, {"2", "3,5,40"}, {"3", "3,5,4"}, {"1,2", "3,40"},
      {"0,3", "5,4"},  {"1,3", "3,4"},  {"0,1,2", "40"}, {"0,2,3", "5"}};
  for (const auto& [dims, result] : cases) {
    const std::string lines = fmt::format(
        "x = f32[3,5,4,40] parameter(0)\nz = f32[] constant(0)\n"
        "r = f32[{}] reduce(x, z), dimensions={{{}}}, to_apply=sum",
        result, dims);
    const Value is = evaluate(lines, Arithmetic::kExact, "", {x});
    const int64_t extents[] = {3, 5, 4, 40};
    Floats wanted(static_cast<size_t>(is.size()), 0);
    for (int64_t i = 0; i < x.size(); ++i) {
      int64_t place = 0;
      int64_t rest = x.size();
      for (int d = 0; d < 4; ++d) {
        rest /= extents[d];
        const int64_t at = i / rest % extents[d];
        if (dims.find(static_cast<char>('0' + d)) == std::string::npos) {
          place = place * extents[d] + at;
        }
      }
      wanted[static_cast<size_t>(place)] += x.number(i);
    }
    EXPECT_EQ(is.numbers(), wanted) << dims;
  }
}

TEST(InterpretReduce, RoundsEveryStepToTheElementType) {
  // 256 + 1 rounds back to 256 in bf16, again and again.
  const std::string lines =
      "x = bf16[4] constant({256, 1, 1, 1})\nz = bf16[] constant(0)\n"
      "r = bf16[] reduce(x, z), dimensions={0}, to_apply=sum_bf16";
  EXPECT_EQ(floats(lines, Arithmetic::kExact), (Floats{259}));
  EXPECT_EQ(floats(lines, Arithmetic::kStated), (Floats{256}));
}

const std::string kArgMax = R"(
arg_max {
  best = f32[] parameter(0)
  best_at = s32[] parameter(1)
  next = f32[] parameter(2)
  next_at = s32[] parameter(3)
  better = pred[] compare(next, best), direction=GT
  value = f32[] select(better, next, best)
  at = s32[] select(better, next_at, best_at)
  ROOT r = (f32[], s32[]) tuple(value, at)
}
)";

TEST(InterpretReduce, FindsTheLargestAndItsPlace) {
  for (const char* dims : {"1", "0"}) {
    const bool rows = std::string(dims) == "1";
    const std::string lines = fmt::format(
        "x = f32[2,3] constant({{{{1, 7, 3}}, {{4, 5, 6}}}})\n"
        "i = s32[2,3] iota(), iota_dimension={0}\nl = f32[] constant(-inf)\n"
        "z = s32[] constant(0)\n"
        "r = (f32[{1}], s32[{1}]) reduce(x, i, l, z), dimensions={{{0}}}, "
        "to_apply=arg_max",
        dims, rows ? 2 : 3);
    const Value is = evaluate(lines, Arithmetic::kExact, kArgMax);
    EXPECT_EQ(is.parts()[0].numbers(), rows ? (Floats{7, 6}) : (Floats{4, 7, 6}));
    EXPECT_EQ(is.parts()[1].integers(), rows ? (Integers{1, 2}) : (Integers{1, 0, 1}));
  }
}

TEST(InterpretReduce, RefusesABodyOfWholeArrays) {
  const std::string body = R"(
odd {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  v = f32[2] broadcast(b), dimensions={}
  ROOT r = f32[] reduce(v, a), dimensions={0}, to_apply=sum
}
)";
  EXPECT_THROW(evaluate(six("z = f32[] constant(0)\n"
                            "r = f32[2] reduce(x, z), dimensions={1}, to_apply=odd"),
                        Arithmetic::kExact, body),
               Error);
}

TEST(InterpretWindow, PoolsWithPaddingStrideAndDilation) {
  const std::string row = "x = f32[5] constant({1, 2, 3, 4, 5})\nz = f32[] constant(0)\n";
  EXPECT_EQ(floats(row + "r = f32[2] reduce-window(x, z), window={size=3 stride=2}, to_apply=sum"),
            (Floats{6, 12}));
  EXPECT_EQ(floats(row + "r = f32[5] reduce-window(x, z), window={size=5 pad=4_0}, to_apply=sum"),
            (Floats{1, 3, 6, 10, 15}));
  EXPECT_EQ(
      floats(row + "r = f32[3] reduce-window(x, z), window={size=2 rhs_dilate=2}, to_apply=sum"),
      (Floats{4, 6, 8}));
  EXPECT_EQ(
      floats(row +
             "r = f32[8] reduce-window(x, z), window={size=2 lhs_dilate=2}, to_apply=largest"),
      (Floats{1, 2, 2, 3, 3, 4, 4, 5}));
}

TEST(InterpretWindow, ScattersToTheChosenElement) {
  EXPECT_EQ(floats("x = f32[6] constant({1, 5, 2, 7, 3, 3})\ns = f32[3] constant({10, 20, 30})\n"
                   "z = f32[] constant(0)\n"
                   "r = f32[6] select-and-scatter(x, s, z), window={size=2 stride=2}, "
                   "select=at_least, scatter=sum"),
            (Floats{0, 10, 0, 20, 30, 0}));
}

TEST(InterpretDot, ContractsBatchesAndTransposes) {
  EXPECT_EQ(floats(six("y = f32[3,2] constant({{1, 0}, {0, 1}, {1, 1}})\n"
                       "r = f32[2,2] dot(x, y), lhs_contracting_dims={1}, "
                       "rhs_contracting_dims={0}")),
            (Floats{4, 5, 10, 11}));
  EXPECT_EQ(floats(six("y = f32[2,3] constant({{1, 0, 0}, {0, 0, 1}})\n"
                       "r = f32[2] dot(x, y), lhs_batch_dims={0}, rhs_batch_dims={0}, "
                       "lhs_contracting_dims={1}, rhs_contracting_dims={1}")),
            (Floats{1, 6}));
  EXPECT_EQ(floats(six("r = f32[3,3] dot(x, x), lhs_contracting_dims={0}, "
                       "rhs_contracting_dims={0}"))[1],
            22);
}

TEST(InterpretDot, AgreesWithALoopAtRaggedSizes) {
  const Value a = make_input(array_shape(ElementType::kF32, {13, 37}), 1, 0);
  const Value b = make_input(array_shape(ElementType::kF32, {37, 29}), 1, 1);
  const std::string lines =
      "a = f32[13,37] parameter(0)\nb = f32[37,29] parameter(1)\n"
      "r = f32[13,29] dot(a, b), lhs_contracting_dims={1}, "
      "rhs_contracting_dims={0}";
  const Value exact = evaluate(lines, Arithmetic::kExact, "", {a, b});
  const Value stated = evaluate(lines, Arithmetic::kStated, "", {a, b});
  for (int64_t i = 0; i < 13; ++i) {
    for (int64_t j = 0; j < 29; ++j) {
      double sum = 0;
      float narrow = 0;
      for (int64_t k = 0; k < 37; ++k) {
        sum += a.number(i * 37 + k) * b.number(k * 29 + j);
        narrow +=
            static_cast<float>(a.number(i * 37 + k)) * static_cast<float>(b.number(k * 29 + j));
      }
      EXPECT_EQ(exact.number(i * 29 + j), sum);
      EXPECT_EQ(stated.number(i * 29 + j), static_cast<double>(narrow));
    }
  }
}

TEST(InterpretDot, AccumulatesHalvesInF32AndIntegersExactly) {
  const std::string halves =
      "a = bf16[3] constant({256, 1, 1})\nb = bf16[3] constant({1, 1, 1})\n"
      "r = bf16[] dot(a, b), lhs_contracting_dims={0}, "
      "rhs_contracting_dims={0}";
  EXPECT_EQ(floats(halves, Arithmetic::kStated)[0], 258);
  EXPECT_EQ(integers("a = s8[2] constant({127, 127})\nb = s8[2] constant({127, 127})\n"
                     "r = s32[] dot(a, b), lhs_contracting_dims={0}, rhs_contracting_dims={0}")[0],
            32258);
}

TEST(InterpretConvolution, SlidesOverOneDimension) {
  const std::string row =
      "x = f32[1,4,1] constant({{{1}, {2}, {3}, {4}}})\n"
      "k = f32[2,1,1] constant({{{1}}, {{10}}})\n";
  EXPECT_EQ(floats(row + "r = f32[1,3,1] convolution(x, k), window={size=2}, "
                         "dim_labels=b0f_0io->b0f"),
            (Floats{21, 32, 43}));
  EXPECT_EQ(floats(row + "r = f32[1,2,1] convolution(x, k), window={size=2 stride=2 pad=1_0}, "
                         "dim_labels=b0f_0io->b0f"),
            (Floats{10, 32}));
  EXPECT_EQ(floats(row + "r = f32[1,3,1] convolution(x, k), window={size=2 rhs_reversal=1}, "
                         "dim_labels=b0f_0io->b0f"),
            (Floats{12, 23, 34}));
  EXPECT_EQ(floats(row + "r = f32[1,6,1] convolution(x, k), window={size=2 lhs_dilate=2}, "
                         "dim_labels=b0f_0io->b0f"),
            (Floats{1, 20, 2, 30, 3, 40}));
  EXPECT_EQ(floats(row + "r = f32[1,2,1] convolution(x, k), window={size=2 rhs_dilate=2}, "
                         "dim_labels=b0f_0io->b0f"),
            (Floats{31, 42}));
}

TEST(InterpretConvolution, MixesFeaturesWithinTheirGroup) {
  EXPECT_EQ(floats("x = f32[1,1,4] constant({{{1, 2, 3, 4}}})\n"
                   "k = f32[1,2,2] constant({{{1, 10}, {100, 1000}}})\n"
                   "r = f32[1,1,2] convolution(x, k), window={size=1}, "
                   "dim_labels=b0f_0io->b0f, feature_group_count=2"),
            (Floats{201, 4030}));
  EXPECT_EQ(floats("x = f32[2,1,1] constant({{{3}}, {{5}}})\n"
                   "k = f32[1,1,2] constant({{{1, 10}}})\n"
                   "r = f32[1,1,2] convolution(x, k), window={size=1}, "
                   "dim_labels=b0f_0io->b0f, batch_group_count=2"),
            (Floats{3, 50}));
}

/// x is 2 samples of 2 features: (1, 10) and (3, 30), scale (2, 1), offset (0, 5).
constexpr const char* kFeatures =
    "x = f32[2,2] constant({{1, 10}, {3, 30}})\nscale = f32[2] constant({2, 1})\n"
    "offset = f32[2] constant({0, 5})\n";

TEST(InterpretBatchNorm, NormalisesEachFeature) {
  const Value is = evaluate(std::string(kFeatures) +
                            "r = (f32[2,2], f32[2], f32[2]) batch-norm-training(x, scale, offset), "
                            "epsilon=0, feature_index=1");
  EXPECT_EQ(is.parts()[0].numbers(), (Floats{-2, 4, 2, 6}));
  EXPECT_EQ(is.parts()[1].numbers(), (Floats{2, 20}));
  EXPECT_EQ(is.parts()[2].numbers(), (Floats{1, 100}));
  EXPECT_EQ(floats(std::string(kFeatures) +
                   "m = f32[2] constant({1, 0})\nv = f32[2] constant({3, 99})\n"
                   "r = f32[2,2] batch-norm-inference(x, scale, offset, m, v), epsilon=1, "
                   "feature_index=1"),
            (Floats{0, 6, 2, 8}));
}

TEST(InterpretBatchNorm, ItsGradientIsThatOfSmallDifferences) {
  const Shape shape = array_shape(ElementType::kF64, {5, 2, 3});
  const Value x = make_input(shape, 1, 0);
  const Value grad_y = make_input(shape, 1, 1);
  const std::string head =
      "x = f64[5,2,3] parameter(0)\ng = f64[5,2,3] parameter(1)\n"
      "scale = f64[2] constant({2, 3})\noffset = f64[2] constant({0, 5})\n"
      "t = (f64[5,2,3], f64[2], f64[2]) batch-norm-training(x, scale, "
      "offset), epsilon=0.01, feature_index=1\n";
  const Value grad =
      evaluate(head +
                   "m = f64[2] get-tuple-element(t), index=1\n"
                   "v = f64[2] get-tuple-element(t), index=2\n"
                   "r = (f64[5,2,3], f64[2], f64[2]) batch-norm-grad(x, scale, m, v, g), "
                   "epsilon=0.01, feature_index=1",
               Arithmetic::kExact, "", {x, grad_y});
  const auto loss = [&](size_t changed, double by) {
    Floats moved = x.numbers();
    moved[changed] += by;
    const Value y = evaluate(head +
                                 "y = f64[5,2,3] get-tuple-element(t), index=0\n"
                                 "r = f64[5,2,3] multiply(y, g)",
                             Arithmetic::kExact, "", {Value(shape, moved), grad_y});
    double sum = 0;
    for (const double part : y.numbers()) sum += part;
    return sum;
  };
  for (size_t i = 0; i < 30; ++i) {
    const double slope = (loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5;
    EXPECT_NEAR(grad.parts()[0].number(static_cast<int64_t>(i)), slope, 1e-7);
  }
}

TEST(InterpretSort, SortsLinesAndCarriesOthersAlong) {
  EXPECT_EQ(floats("x = f32[2,3] constant({{3, 1, 2}, {9, 8, 7}})\n"
                   "r = f32[2,3] sort(x), dimensions={1}, to_apply=less"),
            (Floats{1, 2, 3, 7, 8, 9}));
  const std::string by_first = R"(
by_first {
  a = f32[] parameter(0)
  b = f32[] parameter(1)
  c = s32[] parameter(2)
  d = s32[] parameter(3)
  ROOT r = pred[] compare(a, b), direction=GT
}
)";
  const Value is = evaluate(
      "x = f32[4] constant({1, 7, 1, 9})\ni = s32[4] iota(), iota_dimension=0\n"
      "r = (f32[4], s32[4]) sort(x, i), dimensions={0}, is_stable=true, "
      "to_apply=by_first",
      Arithmetic::kExact, by_first);
  EXPECT_EQ(is.parts()[0].numbers(), (Floats{9, 7, 1, 1}));
  EXPECT_EQ(is.parts()[1].integers(), (Integers{3, 1, 0, 2}));
}

TEST(InterpretSort, TakesTheLargestFewWithTheirPlaces) {
  const Value is = evaluate(
      "x = f32[2,4] constant({{1, 7, 7, 9}, {4, 3, 2, 1}})\n"
      "r = (f32[2,2], s32[2,2]) topk(x), k=2, largest=true");
  EXPECT_EQ(is.parts()[0].numbers(), (Floats{9, 7, 4, 3}));
  EXPECT_EQ(is.parts()[1].integers(), (Integers{3, 1, 0, 1}));
}

const std::string kLoop = R"(
more {
  s = (s32[], f32[2]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  n = s32[] constant(5)
  ROOT r = pred[] compare(i, n), direction=LT
}

twice {
  s = (s32[], f32[2]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  x = f32[2] get-tuple-element(s), index=1
  one = s32[] constant(1)
  j = s32[] add(i, one)
  y = f32[2] add(x, x)
  ROOT r = (s32[], f32[2]) tuple(j, y)
}
)";

constexpr const char* kLoopLines =
    "z = s32[] constant(0)\nx = f32[2] constant({1, 3})\nt = (s32[], f32[2]) tuple(z, x)\n"
    "w = (s32[], f32[2]) while(t), condition=more, body=twice\n"
    "r = f32[2] get-tuple-element(w), index=1";

TEST(InterpretControl, LoopsUntilTheConditionFails) {
  EXPECT_EQ(floats(kLoopLines, Arithmetic::kExact, kLoop), (Floats{32, 96}));
}

TEST(InterpretControl, StopsLoopsThatDoNotEnd) {
  const std::string forever = R"(
always {
  s = s32[] parameter(0)
  ROOT r = pred[] constant(true)
}

same {
  ROOT s = s32[] parameter(0)
}
)";
  const OpGraph graph =
      graph_of("z = s32[] constant(0)\nr = s32[] while(z), condition=always, body=same", forever);
  InterpreterOptions options;
  options.limits.trips = 1000;
  try {
    interpret(graph, {}, options);
    FAIL() << "the loop ended";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("1000 trips"), std::string::npos) << error.message();
  }
}

TEST(InterpretControl, TakesTheBranchThatIsChosen) {
  const std::string branches = R"(
up {
  x = f32[] parameter(0)
  one = f32[] constant(1)
  ROOT r = f32[] add(x, one)
}

down {
  x = f32[] parameter(0)
  ROOT r = f32[] negate(x)
}
)";
  const auto by_pred = [&](const std::string& pred) {
    return floats("p = pred[] constant(" + pred +
                      ")\nx = f32[] constant(4)\nr = f32[] conditional(p, x, x), "
                      "true_computation=up, false_computation=down",
                  Arithmetic::kExact, branches)[0];
  };
  EXPECT_EQ(by_pred("true"), 5);
  EXPECT_EQ(by_pred("false"), -4);
  const auto by_index = [&](int index) {
    return floats(fmt::format("p = s32[] constant({})\nx = f32[] constant(4)\n"
                              "r = f32[] conditional(p, x, x), branch_computations={{up, down}}",
                              index),
                  Arithmetic::kExact, branches)[0];
  };
  EXPECT_EQ(by_index(0), 5);
  EXPECT_EQ(by_index(1), -4);
  EXPECT_EQ(by_index(-1), -4);
  EXPECT_EQ(by_index(9), -4);
}

TEST(InterpretControl, CallsFusionsAndIdentities) {
  const std::string more = R"(
both {
  a = f32[2] parameter(0)
  b = f32[2] parameter(1)
  s = f32[2] add(a, b)
  ROOT r = (f32[2], f32[2]) tuple(s, a)
}
)";
  EXPECT_EQ(floats("x = f32[2] constant({1, 2})\n"
                   "c = (f32[2], f32[2]) call(x, x), to_apply=both\n"
                   "s = f32[2] get-tuple-element(c), index=0\n"
                   "b = f32[2] opt-barrier(s)\n"
                   "h = f32[2] custom-call(b), custom_call_target=\"Sharding\"\n"
                   "a = f32[2] all-reduce(h), replica_groups={}, to_apply=sum\n"
                   "r = f32[2] custom-call(a), custom_call_target=\"mhlo.erf\"",
                   Arithmetic::kExact, more),
            (Floats{std::erf(2.0), std::erf(4.0)}));
}

TEST(InterpretControl, RefusesWhatItDoesNotKnowByName) {
  EXPECT_NE(error_of("x = f32[2] constant({1, 2})\n"
                     "r = f32[2] custom-call(x), custom_call_target=\"cublas\"")
                .find("'cublas'"),
            std::string::npos);
  EXPECT_NE(error_of("x = f32[2] constant({...})\nr = f32[2] negate(x)").find("leaves out"),
            std::string::npos);
  EXPECT_NE(error_of("x = f32[2] constant({1, 2})\nr = f32[2] frobnicate(x)").find("'frobnicate'"),
            std::string::npos);
  EXPECT_NE(error_of("x = f32[2] constant({1, 2})\nr = c64[2] complex(x, x)").find("complex"),
            std::string::npos);
}

TEST(InterpretControl, DoesNotEvaluateWhatNobodyNeeds) {
  EXPECT_EQ(floats("x = f32[2] constant({1, 2})\nu = f32[2] frobnicate(x)\nr = f32[2] negate(x)"),
            (Floats{-1, -2}));
}

TEST(InterpretControl, MakesUpUnknownValuesOnRequest) {
  const OpGraph graph = graph_of("x = f32[3] constant({...})\nr = f32[3] frobnicate(x)");
  const InterpreterOptions options = {.unknown = made_up_values(5)};
  const Value once = interpret(graph, {}, options);
  EXPECT_EQ(once.numbers(), interpret(graph, {}, options).numbers());
  EXPECT_NE(once.numbers(), interpret(graph, {}, {.unknown = made_up_values(6)}).numbers());
}

TEST(InterpretControl, ChecksItsInputs) {
  const OpGraph graph = graph_of("x = f32[3] parameter(0)\nr = f32[3] negate(x)");
  EXPECT_THROW(interpret(graph, {}, {}), Error);
  const std::vector<Value> wrong = {make_input(array_shape(ElementType::kF32, {4}), 1, 0)};
  EXPECT_THROW(interpret(graph, wrong, {}), Error);
}

TEST(MakeInput, DependsOnItsArgumentsOnly) {
  const Shape shape = array_shape(ElementType::kBF16, {1000});
  EXPECT_EQ(make_input(shape, 1, 2).numbers(), make_input(shape, 1, 2).numbers());
  EXPECT_NE(make_input(shape, 1, 2).numbers(), make_input(shape, 1, 3).numbers());
  for (const double number : make_input(shape, 1, 2, {.low = 2, .high = 3}).numbers()) {
    EXPECT_GE(number, 2);
    EXPECT_LE(number, 3);
  }
  for (const int64_t number :
       make_input(array_shape(ElementType::kS32, {1000}), 1, 0, {.bound = 7}).integers()) {
    EXPECT_GE(number, 0);
    EXPECT_LT(number, 7);
  }
}

}  // namespace
}  // namespace tilewright
