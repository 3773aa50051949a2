#include "simulator/functional.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"
#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// c = a b on one core, in steps of `step` along k, without flags: the functional run follows the
/// program.
struct Product {
  int64_t m, n, k;
  DType type;
  DType out;
  int64_t step = 0;  ///< 0: all of k
};

Tile on_chip(Memory space, Layout layout, DType type, int64_t rows, int64_t cols,
             int64_t offset = 0, int64_t stride = 0) {
  return {.space = space,
          .offset = offset,
          .rows = rows,
          .cols = cols,
          .stride = stride,
          .type = type,
          .layout = layout};
}

Tile in_gm(int tensor, int64_t row, int64_t col, int64_t rows, int64_t cols, DType type) {
  return {.space = Memory::kGm,
          .tensor = tensor,
          .row = row,
          .col = col,
          .rows = rows,
          .cols = cols,
          .type = type};
}

Instruction instruction(Opcode opcode, const Tile& dst, const Tile& a, const Tile& b = {}) {
  Instruction made;
  made.opcode = opcode;
  made.dst = dst;
  made.a = a;
  made.b = b;
  return made;
}

Launch one_core(std::vector<Tensor> tensors, std::vector<Instruction> list,
                CoreKind kind = CoreKind::kAic) {
  Launch launch;
  launch.name = "test";
  launch.tensors = std::move(tensors);
  Template body;
  body.name = "all";
  body.kind = kind;
  body.prologue = std::move(list);
  launch.add_template(body);
  CoreProgram program;
  program.kind = kind;
  program.add(0, {});
  launch.cores.push_back(program);
  return launch;
}

Tensor tensor(const char* name, DType type, int64_t rows, int64_t cols,
              Layout layout = Layout::kNd) {
  return {name, type, layout, rows, cols, rows, cols};
}

Launch product_launch(const Product& p) {
  const int64_t step = p.step == 0 ? p.k : p.step;
  const int64_t b_in_l1 = 128 * 1024;
  const DType sum = accumulator_of(p.type);
  const Tile sums = on_chip(Memory::kL0C, Layout::kZn, sum, p.m, p.n);
  std::vector<Instruction> list;
  for (int64_t k = 0; k < p.k; k += step) {
    const int64_t depth = std::min(step, p.k - k);
    const Tile a1 = on_chip(Memory::kL1, Layout::kZn, p.type, p.m, depth);
    const Tile b1 = on_chip(Memory::kL1, Layout::kZn, p.type, depth, p.n, b_in_l1);
    const Tile a0 = on_chip(Memory::kL0A, Layout::kZz, p.type, p.m, depth);
    const Tile b0 = on_chip(Memory::kL0B, Layout::kNz, p.type, depth, p.n);
    list.push_back(instruction(Opcode::kLoad, a1, in_gm(0, 0, k, p.m, depth, p.type)));
    list.push_back(instruction(Opcode::kLoad, b1, in_gm(1, k, 0, depth, p.n, p.type)));
    list.push_back(instruction(Opcode::kMove, a0, a1));
    list.push_back(instruction(Opcode::kMove, b0, b1));
    list.push_back(instruction(Opcode::kMmad, sums, a0, b0));
    list.back().accumulate = k == 0 ? Accumulate::kNever : Accumulate::kAlways;
  }
  list.push_back(instruction(Opcode::kFixpipe, in_gm(2, 0, 0, p.m, p.n, p.out), sums));
  return one_core(
      {tensor("a", p.type, p.m, p.k), tensor("b", p.type, p.k, p.n), tensor("c", p.out, p.m, p.n)},
      std::move(list));
}

GmImage run_product(const Product& p, const std::vector<float>& a, const std::vector<float>& b) {
  const Launch launch = product_launch(p);
  GmImage image = make_image(launch);
  image[0] = write_tensor(launch.tensors[0], a);
  image[1] = write_tensor(launch.tensors[1], b);
  run_functional(launch, toy_machine(), image);
  return image;
}

std::vector<float> product(const Product& p, const std::vector<float>& a,
                           const std::vector<float>& b) {
  return read_tensor(product_launch(p).tensors[2], run_product(p, a, b)[2]);
}

std::vector<float> random_values(uint64_t seed, int64_t count) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(random.uniform() * 2 - 1);
  return values;
}

std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

TEST(Mmad, IsTheChainOfFusedMultiplyAddsInOrderOfDepth) {
  for (const Product& p :
       {Product{37, 53, 90, DType::kF32, DType::kF32}, Product{1, 1, 1, DType::kF32, DType::kF32},
        Product{16, 16, 8, DType::kF32, DType::kF32},
        Product{15, 33, 64, DType::kF32, DType::kF32}}) {
    const std::vector<float> a = random_values(1, p.m * p.k);
    const std::vector<float> b = random_values(2, p.k * p.n);
    std::vector<float> expected;
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        float sum = 0;
        for (int64_t k = 0; k < p.k; ++k) {
          sum = std::fma(a[static_cast<size_t>(i * p.k + k)], b[static_cast<size_t>(k * p.n + j)],
                         sum);
        }
        expected.push_back(sum);
      }
    }
    EXPECT_EQ(bits_of(product(p, a, b)), bits_of(expected));
  }
}

TEST(Mmad, DoesNotDependOnTheStepsAlongK) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    Product p{33, 40, 200, type, DType::kF32};
    const std::vector<float> a = random_values(3, p.m * p.k);
    const std::vector<float> b = random_values(4, p.k * p.n);
    const std::vector<float> whole = product(p, a, b);
    for (int64_t step : {16, 48, 128}) {
      p.step = step;
      EXPECT_EQ(bits_of(product(p, a, b)), bits_of(whole)) << step;
    }
  }
}

TEST(Mmad, RaggedTilesOfEveryTypeTakeNothingFromTheirPadding) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8}) {
    for (const auto& [m, n, k] :
         {std::array<int64_t, 3>{5, 7, 9}, {17, 31, 33}, {1, 65, 3}, {16, 16, 16}, {23, 1, 70}}) {
      const DType out = accumulator_of(type);
      // Small whole numbers: every type holds them and every sum exactly.
      std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n));
      for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 11) - 5;
      for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 5 % 13) - 6;
      const std::vector<float> c = product({m, n, k, type, out}, a, b);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          float sum = 0;
          for (int64_t d = 0; d < k; ++d) {
            sum += a[static_cast<size_t>(i * k + d)] * b[static_cast<size_t>(d * n + j)];
          }
          ASSERT_EQ(c[static_cast<size_t>(i * n + j)], sum) << name_of(type);
        }
      }
    }
  }
}

TEST(Mmad, FollowsIeeeOnInfinitiesAndNan) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    const Product p{1, 1, 2, type, type};
    EXPECT_TRUE(std::isnan(product(p, {kInf, 1}, {0, 1})[0]));
    EXPECT_TRUE(std::isnan(product(p, {kInf, -kInf}, {1, 1})[0]));
    EXPECT_TRUE(std::isnan(product(p, {std::nanf(""), 1}, {0, 1})[0]));
    EXPECT_EQ(product(p, {kInf, 1}, {2, -5})[0], kInf);
    EXPECT_EQ(product(p, {-kInf, 1}, {2, 5})[0], -kInf);
  }
}

TEST(Mmad, KeepsSubnormals) {
  const Product f32{1, 1, 2, DType::kF32, DType::kF32};
  EXPECT_EQ(product(f32, {0x1p-149f, 0}, {1, 0})[0], 0x1p-149f);
  EXPECT_EQ(product(f32, {0x1p-100f, 0x1p-149f}, {0x1p-40f, -1})[0], 0x1p-140f - 0x1p-149f);
  EXPECT_EQ(product(f32, {0x1p-100f, 0}, {0x1p-50f, 0})[0], 0.0f);  // tie to even
  const Product f16{1, 1, 2, DType::kF16, DType::kF32};
  EXPECT_EQ(product(f16, {0x1p-24f, 0x1p-24f}, {0x1p-24f, 2})[0], 0x1p-48f + 0x1p-23f);
  const Product bf16{1, 1, 2, DType::kBF16, DType::kF32};
  EXPECT_EQ(product(bf16, {0x1p-133f, 0}, {1, 0})[0], 0x1p-133f);
}

TEST(Fixpipe, RoundsSumsToNearestEven) {
  const Product f16{1, 1, 2, DType::kF16, DType::kF16};
  EXPECT_EQ(product(f16, {2048, 1}, {1, 1})[0], 2048);    // tie, even below
  EXPECT_EQ(product(f16, {2050, 1}, {1, 1})[0], 2052);    // tie, even above
  EXPECT_EQ(product(f16, {300, 0}, {300, 0})[0], kInf);   // beyond the largest half
  EXPECT_EQ(product(f16, {65504, 8}, {1, 1})[0], 65504);  // below the tie
  EXPECT_EQ(product(f16, {65504, 16}, {1, 1})[0], kInf);  // tie
  EXPECT_EQ(product(f16, {0x1p-14f, 0}, {0x1p-10f, 0})[0], 0x1p-24f);
  EXPECT_EQ(product(f16, {0x1p-14f, 0}, {0x1p-11f, 0})[0], 0);  // tie, even below
  const Product bf16{1, 1, 2, DType::kBF16, DType::kBF16};
  EXPECT_EQ(product(bf16, {256, 1}, {1, 1})[0], 256);
  EXPECT_EQ(product(bf16, {258, 1}, {1, 1})[0], 260);
}

/// c = relu(scales (bias + a b)) on one core. `scales` empty: not scaled.
std::vector<float> drained(const Product& p, const std::vector<float>& a,
                           const std::vector<float>& b, const std::vector<float>& bias,
                           const std::vector<float>& scales, bool relu) {
  Launch launch = product_launch(p);
  const DType sum = accumulator_of(p.type);
  const int64_t aside = 256 * 1024;
  std::vector<Instruction>& list = launch.templates[0].prologue;
  list.back().relu = relu;
  std::vector<Instruction> channels;
  const auto bring = [&](Tensor values, Memory space) {
    const int tensor = launch.add_tensor(values);
    const Tile l1 = on_chip(Memory::kL1, Layout::kNd, values.type, values.rows, values.cols, aside);
    Tile to = l1;
    to.space = space;
    to.offset = 0;
    const Tile gm = in_gm(tensor, 0, 0, values.rows, values.cols, values.type);
    channels.push_back(instruction(Opcode::kLoad, l1, gm));
    channels.push_back(instruction(Opcode::kMove, to, l1));
    return to;
  };
  if (!bias.empty()) {
    const Tile start = bring(tensor("bias", sum, p.n, 1), Memory::kBt);
    for (Instruction& step : list) {
      if (step.opcode == Opcode::kMmad && step.accumulate == Accumulate::kNever) step.bias = start;
    }
  }
  if (!scales.empty()) list.back().b = bring(tensor("scales", DType::kF32, p.n, 2), Memory::kFb);
  list.insert(list.begin(), channels.begin(), channels.end());
  GmImage image = make_image(launch);
  image[0] = write_tensor(launch.tensors[0], a);
  image[1] = write_tensor(launch.tensors[1], b);
  if (!bias.empty()) image[3] = write_tensor(launch.tensors[3], bias);
  if (!scales.empty()) image.back() = write_tensor(launch.tensors.back(), scales);
  run_functional(launch, toy_machine(), image);
  return read_tensor(launch.tensors[2], image[2]);
}

TEST(Fixpipe, RectifiesSumsOfEveryType) {
  using Values = std::vector<float>;
  EXPECT_EQ(drained({2, 1, 1, DType::kF16, DType::kF32}, {2, -2}, {3}, {}, {}, true),
            (Values{6, 0}));
  EXPECT_EQ(drained({2, 1, 1, DType::kI8, DType::kI32}, {2, -2}, {3}, {}, {}, true),
            (Values{6, 0}));
}

TEST(Fixpipe, ScalesColumnsByTheFirstOfTheirTwoNumbers) {
  const Product bytes{1, 3, 1, DType::kI8, DType::kF16};
  const std::vector<float> words = {0.5F, 9, 0.25F, 9, -1, 9};
  EXPECT_EQ(drained(bytes, {10}, {1, 2, 3}, {}, words, false), (std::vector<float>{5, 5, -30}));
  EXPECT_EQ(drained(bytes, {10}, {1, 2, 3}, {}, words, true), (std::vector<float>{5, 5, 0}));
  // To bytes: nearest even, then the ends of the type.
  const Product narrow{1, 3, 1, DType::kI8, DType::kI8};
  EXPECT_EQ(drained(narrow, {5}, {1, 3, -100}, {}, {0.5F, 0, 0.5F, 0, 1, 0}, false),
            (std::vector<float>{2, 8, -128}));
}

TEST(Mmad, StartsFromTheBiasOnce) {
  const Product two_steps{2, 17, 32, DType::kF16, DType::kF32, 16};
  std::vector<float> bias(17);
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(c) + 0.5F;
  const std::vector<float> ones(64, 1);
  const std::vector<float> right(32 * 17, 1);
  const std::vector<float> sums = drained(two_steps, ones, right, bias, {}, false);
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], 32 + bias[i % 17]) << i;
  EXPECT_EQ(drained({1, 2, 1, DType::kI8, DType::kI32}, {3}, {4, 5}, {1 << 20, -15}, {}, false),
            (std::vector<float>{(1 << 20) + 12, 0}));
}

TEST(Mmad, MultipliesBytesExactlyBeyondF32) {
  constexpr int64_t kDepth = 2048;
  const Product p{3, 2, kDepth, DType::kI8, DType::kI32, 512};
  // Row 0: all -128; row 1: the same but for one 1; row 2: all 127.
  std::vector<float> a(3 * kDepth, -128), b(2 * kDepth, -128);
  a[kDepth] = 1;
  std::fill(a.begin() + 2 * kDepth, a.end(), 127.0f);
  for (int64_t k = 0; k < kDepth; ++k) b[static_cast<size_t>(2 * k + 1)] = 127;
  const GmImage image = run_product(p, a, b);
  int32_t c[6];
  std::memcpy(c, image[2].data(), sizeof c);
  EXPECT_EQ(c[0], 16384 * kDepth);  // 2^25
  EXPECT_EQ(c[1], -128 * 127 * kDepth);
  EXPECT_EQ(c[2], 16384 * (kDepth - 1) - 128);
  EXPECT_EQ(c[3], -128 * 127 * (kDepth - 1) + 127);  // odd, needs 25 bits
  EXPECT_EQ(c[4], 127 * -128 * kDepth);
  EXPECT_EQ(c[5], 127 * 127 * kDepth);
}

TEST(Mmad, ReadsPartsOfWhatWasMovedToL0) {
  // B is moved as 64 x 32, the product takes its lower half: rows 32 to 63 begin after 2 x 2
  // fractals. A comes from the right half of a tile of 32 x 64 in L1.
  const DType f16 = DType::kF16;
  const std::vector<float> a = random_values(5, 32 * 64);
  const std::vector<float> b = random_values(6, 64 * 32);
  const Tile sums = on_chip(Memory::kL0C, Layout::kZn, DType::kF32, 32, 32, 4096, 64);
  const Tile a1 = on_chip(Memory::kL1, Layout::kZn, f16, 32, 64, 0, 48);
  const Tile b1 = on_chip(Memory::kL1, Layout::kZn, f16, 64, 32, 65536);
  const Launch launch = one_core(
      {tensor("a", f16, 32, 64), tensor("b", f16, 64, 32), tensor("c", DType::kF32, 32, 32)},
      {instruction(Opcode::kLoad, a1, in_gm(0, 0, 0, 32, 64, f16)),
       instruction(Opcode::kLoad, b1, in_gm(1, 0, 0, 64, 32, f16)),
       instruction(Opcode::kMove, on_chip(Memory::kL0A, Layout::kZz, f16, 32, 32),
                   on_chip(Memory::kL1, Layout::kZn, f16, 32, 32, 2 * 48 * 32, 48)),
       instruction(Opcode::kMove, on_chip(Memory::kL0B, Layout::kNz, f16, 64, 32), b1),
       instruction(Opcode::kMmad, sums, on_chip(Memory::kL0A, Layout::kZz, f16, 32, 32),
                   on_chip(Memory::kL0B, Layout::kNz, f16, 32, 32, 2 * 2 * 512)),
       instruction(Opcode::kFixpipe, in_gm(2, 0, 0, 32, 32, DType::kF32), sums)});
  Launch first = launch;
  first.templates[0].prologue[4].accumulate = Accumulate::kNever;
  GmImage image = make_image(first);
  image[0] = write_tensor(first.tensors[0], a);
  image[1] = write_tensor(first.tensors[1], b);
  run_functional(first, toy_machine(), image);
  const std::vector<float> a16 = read_tensor(first.tensors[0], image[0]);
  const std::vector<float> b16 = read_tensor(first.tensors[1], image[1]);
  const std::vector<float> c = read_tensor(first.tensors[2], image[2]);
  for (size_t i = 0; i < 32; ++i) {
    for (size_t j = 0; j < 32; ++j) {
      float sum = 0;
      for (size_t k = 32; k < 64; ++k) sum = std::fma(a16[i * 64 + k], b16[k * 32 + j], sum);
      ASSERT_EQ(c[i * 32 + j], sum);
    }
  }
}

TEST(FunctionalRun, SeesBytesThatNobodyWroteAsNan) {
  Launch launch = product_launch({16, 16, 16, DType::kF16, DType::kF32});
  std::erase_if(launch.templates[0].prologue, [](const Instruction& i) {
    return i.opcode == Opcode::kMove && i.dst.space == Memory::kL0B;
  });
  GmImage image = make_image(launch);
  image[0] = write_tensor(launch.tensors[0], std::vector<float>(256, 1));
  image[1] = write_tensor(launch.tensors[1], std::vector<float>(256, 1));
  run_functional(launch, toy_machine(), image);
  for (float value : read_tensor(launch.tensors[2], image[2])) EXPECT_TRUE(std::isnan(value));
}

TEST(VectorOperation, ReadsNanFromTheFarEndOfUb) {
  const DType f32 = DType::kF32;
  const Tile near = on_chip(Memory::kUb, Layout::kNd, f32, 1, 8);
  const int64_t capacity = toy_machine().buffers.ub_bytes;
  Instruction work = instruction(Opcode::kVector, near, near,
                                 on_chip(Memory::kUb, Layout::kNd, f32, 1, 8, capacity - 32));
  work.vector_op = VectorOp::kAdd;
  const Launch launch = one_core({tensor("a", f32, 1, 8), tensor("c", f32, 1, 8)},
                                 {instruction(Opcode::kLoad, near, in_gm(0, 0, 0, 1, 8, f32)), work,
                                  instruction(Opcode::kStore, in_gm(1, 0, 0, 1, 8, f32), near)},
                                 CoreKind::kAiv);
  GmImage image = make_image(launch);
  image[0] = write_tensor(launch.tensors[0], std::vector<float>(8, 1));
  run_functional(launch, toy_machine(), image);
  for (float value : read_tensor(launch.tensors[1], image[1])) EXPECT_TRUE(std::isnan(value));
}

TEST(FunctionalRun, LoadsATensorAsItIsAtTheLoad) {
  // c = a b, then a is loaded into L1, overwritten in GM by a drain, and only then multiplied.
  const DType f32 = DType::kF32;
  const Product p{16, 16, 16, f32, f32};
  Launch launch = product_launch(p);
  std::vector<Instruction>& list = launch.templates[0].prologue;
  const std::vector<Instruction> once = list;
  Instruction overwrite = once.back();
  overwrite.dst.tensor = 0;
  list = {once[0], once[1], once[2], once[3], once[4]};  // sums = a b
  list.push_back(once[0]);                               // L1: a
  list.push_back(overwrite);                             // GM: a = sums
  list.push_back(once[2]);                               // L0A: the old a
  list.push_back(once[4]);
  list.push_back(once[5]);
  GmImage image = make_image(launch);
  std::vector<float> identity(256, 0);
  for (size_t i = 0; i < 16; ++i) identity[i * 17] = 1;
  image[0] = write_tensor(launch.tensors[0], identity);
  image[1] = write_tensor(launch.tensors[1], std::vector<float>(256, 3));
  run_functional(launch, toy_machine(), image);
  EXPECT_EQ(read_tensor(launch.tensors[2], image[2]), std::vector<float>(256, 3));
  EXPECT_EQ(read_tensor(launch.tensors[0], image[0]), std::vector<float>(256, 3));
}

std::string failure_of(const Launch& launch) {
  GmImage image = make_image(launch);
  try {
    run_functional(launch, toy_machine(), image);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    return error.message();
  }
  return "";
}

TEST(FunctionalRun, RefusesWhatTheHardwareCannotDo) {
  const Product p{16, 16, 16, DType::kF16, DType::kF32};
  const auto broken = [&](size_t at, auto change) {
    Launch launch = product_launch(p);
    change(launch.templates[0].prologue[at]);
    return failure_of(launch);
  };
  EXPECT_NE(broken(0, [](Instruction& i) { i.dst.type = DType::kF32; }).find("copies f16 to f32"),
            std::string::npos);
  EXPECT_NE(broken(0, [](Instruction& i) { i.a.row = 1; }).find("rows 1+16"), std::string::npos);
  EXPECT_NE(broken(2, [](Instruction& i) { i.dst.rows = 15; }).find("moves 16 x 16"),
            std::string::npos);
  EXPECT_NE(broken(4, [](Instruction& i) { i.a.cols = 8; }).find("does not give"),
            std::string::npos);
  EXPECT_NE(broken(4, [](Instruction& i) { i.b.layout = Layout::kZz; }).find("cube unit"),
            std::string::npos);
  EXPECT_NE(broken(4, [](Instruction& i) { i.dst.type = DType::kI32; }).find("cube unit"),
            std::string::npos);
  EXPECT_NE(broken(5, [](Instruction& i) { i.a.offset = 1 << 20; }).find("needs bytes"),
            std::string::npos);
  EXPECT_NE(broken(5, [](Instruction& i) { i.a.type = DType::kI32; }).find("cannot convert"),
            std::string::npos);
  const Tile table = on_chip(Memory::kBt, Layout::kNd, DType::kF32, 15, 1);
  EXPECT_NE(broken(4, [&](Instruction& i) { i.bias = table; }).find("do not suit sums"),
            std::string::npos);
  const Tile scales = on_chip(Memory::kFb, Layout::kNd, DType::kF32, 16, 1);
  EXPECT_NE(broken(5, [&](Instruction& i) { i.b = scales; }).find("are no scales"),
            std::string::npos);
}

/// One vector operation on f32 rows in UB: operands of 1 x count.
std::vector<float> vector_result(VectorOp op, const std::vector<float>& a,
                                 const std::vector<float>& b, DType type = DType::kF32,
                                 double scalar = 0) {
  const auto count = static_cast<int64_t>(a.size());
  const int64_t bytes = (count * 4 + 31) / 32 * 32;
  const auto ub = [&](int64_t slot) {
    return on_chip(Memory::kUb, Layout::kNd, type, 1, count, slot * bytes);
  };
  Instruction work = instruction(Opcode::kVector, ub(2), ub(0), ub(1));
  work.vector_op = op;
  work.scalar = scalar;
  const Launch launch = one_core(
      {tensor("a", type, 1, count), tensor("b", type, 1, count), tensor("c", type, 1, count)},
      {instruction(Opcode::kLoad, ub(0), in_gm(0, 0, 0, 1, count, type)),
       instruction(Opcode::kLoad, ub(1), in_gm(1, 0, 0, 1, count, type)), work,
       instruction(Opcode::kStore, in_gm(2, 0, 0, 1, count, type), ub(2))},
      CoreKind::kAiv);
  GmImage image = make_image(launch);
  image[0] = write_tensor(launch.tensors[0], a);
  image[1] = write_tensor(launch.tensors[1], b);
  run_functional(launch, toy_machine(), image);
  return read_tensor(launch.tensors[2], image[2]);
}

TEST(VectorOperation, FollowsIeee) {
  const float nan = std::nanf("");
  EXPECT_EQ(vector_result(VectorOp::kMul, {0x1p-149f, 0x1p-100f}, {1, 0x1p-40f}),
            (std::vector<float>{0x1p-149f, 0x1p-140f}));
  EXPECT_TRUE(std::isnan(vector_result(VectorOp::kMul, {kInf}, {0})[0]));
  EXPECT_TRUE(std::isnan(vector_result(VectorOp::kSub, {kInf}, {kInf})[0]));
  EXPECT_EQ(vector_result(VectorOp::kDiv, {1, -1}, {0, 0}), (std::vector<float>{kInf, -kInf}));
  EXPECT_EQ(vector_result(VectorOp::kExp, {-kInf, kInf}, {0, 0}), (std::vector<float>{0, kInf}));
  for (VectorOp op : {VectorOp::kMax, VectorOp::kMin}) {
    for (float value : vector_result(op, {nan, 1, nan}, {1, nan, nan})) {
      EXPECT_TRUE(std::isnan(value));
    }
  }
  EXPECT_EQ(std::signbit(vector_result(VectorOp::kMax, {-0.0f, 0.0f}, {0.0f, -0.0f})[0]), false);
  EXPECT_EQ(std::signbit(vector_result(VectorOp::kMin, {0.0f, -0.0f}, {-0.0f, 0.0f})[0]), true);
}

TEST(VectorOperation, CopiesWholeNumbersThatF32CannotHold) {
  const DType i32 = DType::kI32;
  const Tile from = on_chip(Memory::kUb, Layout::kNd, i32, 1, 2);
  const Tile to = on_chip(Memory::kUb, Layout::kNd, i32, 1, 2, 32);
  Instruction work = instruction(Opcode::kVector, to, from);
  work.vector_op = VectorOp::kCopy;
  const Launch launch = one_core({tensor("a", i32, 1, 2), tensor("c", i32, 1, 2)},
                                 {instruction(Opcode::kLoad, from, in_gm(0, 0, 0, 1, 2, i32)), work,
                                  instruction(Opcode::kStore, in_gm(1, 0, 0, 1, 2, i32), to)},
                                 CoreKind::kAiv);
  GmImage image = make_image(launch);
  const int32_t values[] = {(1 << 24) + 1, -2147483647};
  std::memcpy(image[0].data(), values, sizeof values);
  run_functional(launch, toy_machine(), image);
  EXPECT_EQ(image[1], image[0]);
}

TEST(VectorOperation, RoundsItsResultToTheTypeInUb) {
  EXPECT_EQ(vector_result(VectorOp::kAdd, {2048, 2050, 65504}, {1, 1, 16}, DType::kF16),
            (std::vector<float>{2048, 2052, kInf}));
  EXPECT_EQ(vector_result(VectorOp::kMuls, {0x1p-24f, 3 * 0x1p-24f}, {0, 0}, DType::kF16, 0.5),
            (std::vector<float>{0, 0x1p-23f}));
  EXPECT_EQ(vector_result(VectorOp::kAdd, {256, 258}, {1, 1}, DType::kBF16),
            (std::vector<float>{256, 260}));
}

}  // namespace
}  // namespace tilewright
