// GEMMs with epilogues, split-K and experts: numerics, hazards, and bytes.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/base/error.h"
#include "core/base/random.h"
#include "kernels/gemm/gemm_launch.h"
#include "kernels/gemm/gemm_shape.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

using Sizes = std::map<std::string, int64_t>;

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

Problem problem_of(Sizes sizes, const std::string& dtype, const std::string& epilogue,
                   const std::string& out = "", const std::string& layout = "nd",
                   const char* kernel = "gemm") {
  return find_kernel(kernel).problem({std::move(sizes), dtype, layout, epilogue, out});
}

void expect_right(const Problem& problem, const Config& config, const InputValues& values) {
  const Kernel& kernel = find_kernel(problem.kernel);
  const CheckResult result = check_kernel(kernel, problem, config, machine(), values);
  EXPECT_TRUE(result.ok) << problem.text() << " " << config.text() << " " << name_of(values.pattern)
                         << ": " << result.first_failure;
  const auto hazards = find_hazards(kernel.build(problem, config, machine()), machine());
  EXPECT_TRUE(hazards.empty()) << problem.text() << " " << config.text() << ": "
                               << hazards.front().message;
}

constexpr const char* kFloatEpilogues[] = {
    "none",          "bias",          "relu",          "gelu",
    "residual",      "silu_mul",      "bias+relu",     "bias+gelu",
    "bias+residual", "gelu+residual", "bias+silu_mul", "bias+silu_mul+residual"};
constexpr const char* kByteEpilogues[] = {"none",
                                          "bias",
                                          "relu",
                                          "dequant",
                                          "dequant_token",
                                          "bias+dequant",
                                          "dequant+relu",
                                          "bias+dequant_token+gelu",
                                          "dequant+residual",
                                          "bias+dequant_token+silu_mul"};

/// At minus infinity the activations' formulas are no numbers.
bool is_defined(const std::string& epilogue, InputPattern pattern) {
  const bool gates =
      epilogue.find("gelu") != std::string::npos || epilogue.find("silu") != std::string::npos;
  return !gates || pattern != InputPattern::kMinusInf;
}

TEST(GemmEpilogue, IsRightForEveryPatternOfInputs) {
  for (const InputPattern pattern : kInputPatterns) {
    for (const char* epilogue : kFloatEpilogues) {
      if (!is_defined(epilogue, pattern)) continue;
      for (const char* dtype : {"f16", "bf16", "f32"}) {
        const Problem problem = problem_of({{"m", 33}, {"n", 97}, {"k", 131}}, dtype, epilogue);
        expect_right(problem, find_kernel("gemm").default_config(problem, machine()), {3, pattern});
      }
    }
    for (const char* epilogue : kByteEpilogues) {
      if (!is_defined(epilogue, pattern)) continue;
      const Problem problem = problem_of({{"m", 33}, {"n", 97}, {"k", 131}}, "i8", epilogue);
      expect_right(problem, find_kernel("gemm").default_config(problem, machine()), {4, pattern});
    }
  }
}

TEST(GemmEpilogue, IsRightAroundTileEdges) {
  for (const int64_t m : {1, 63, 64, 65, 127}) {
    for (const int64_t n : {1, 31, 32, 33, 101}) {
      for (const char* epilogue : {"none", "bias+silu_mul+residual"}) {
        const Problem problem = problem_of({{"m", m}, {"n", n}, {"k", 257}}, "f16", epilogue, "",
                                           n % 2 == 0 ? "nd" : "nz");
        Config config = complete_config(find_kernel("gemm"), problem, machine(),
                                        parse_config(m > 32 ? "tile_m=64,tile_k=64" : "tile_k=64"));
        expect_right(problem, config, {static_cast<uint64_t>(m * n)});
      }
    }
  }
}

TEST(GemmEpilogue, IsRightForRandomProblemsAndConfigs) {
  Random random(20261122);
  for (int round = 0; round < 60; ++round) {
    const auto size = [&](uint64_t most) { return static_cast<int64_t>(1 + random.below(most)); };
    const char* const types[] = {"f16", "bf16", "f32", "i8"};
    const std::string dtype = types[random.below(4)];
    const std::string epilogue = dtype == "i8"
                                     ? kByteEpilogues[random.below(std::size(kByteEpilogues))]
                                     : kFloatEpilogues[random.below(std::size(kFloatEpilogues))];
    const bool is_grouped = random.below(3) == 0;
    Sizes sizes = {{"m", size(150)}, {"n", size(260)}, {"k", size(400)}};
    if (is_grouped) {
      sizes["experts"] = size(6);
      sizes["skew"] = size(200);
    }
    const bool is_raw = dtype == "i8" && epilogue.find("dequant") == std::string::npos;
    const char* const outs[] = {"", "f16", "bf16", "f32"};
    const Problem problem =
        problem_of(sizes, dtype, epilogue, is_raw ? "" : outs[random.below(4)],
                   random.below(2) == 0 ? "nd" : "nz", is_grouped ? "grouped_gemm" : "gemm");
    std::vector<Config> configs = find_kernel(problem.kernel).space(problem, machine()).enumerate();
    // Split-K is a small part of the space.
    if (round % 2 == 0) {
      std::vector<Config> split;
      std::copy_if(configs.begin(), configs.end(), std::back_inserter(split),
                   [](const Config& config) { return config.at("split_k") > 1; });
      if (!split.empty()) configs = std::move(split);
    }
    ASSERT_FALSE(configs.empty()) << problem.text();
    expect_right(problem, configs[random.below(configs.size())], {random.bits()});
  }
}

TEST(GemmEpilogue, RequantisesToBytesThatSaturate) {
  for (const InputPattern pattern : {InputPattern::kUniform, InputPattern::kLarge}) {
    const Problem problem =
        problem_of({{"m", 40}, {"n", 70}, {"k", 300}}, "i8", "dequant+relu", "i8");
    EXPECT_EQ(problem.text(), "gemm i8 i8 i8 nd nd nd m=40 n=70 k=300 epilogue=dequant+relu");
    expect_right(problem, find_kernel("gemm").default_config(problem, machine()), {1, pattern});
  }
}

TEST(GemmEpilogue, SplitKGivesTheSameBytesHoweverManyCoresShareIt) {
  // The order of the parts is fixed, whoever computed them.
  const Problem problem = problem_of({{"m", 50}, {"n", 200}, {"k", 700}}, "f16", "none", "f32");
  const auto result = [&](const Machine& on) {
    const Kernel& gemm = find_kernel("gemm");
    const Config config = complete_config(
        gemm, problem, on, parse_config("tile_m=32,tile_n=96,tile_k=64,tile_k0=64,split_k=4"));
    const Launch launch = gemm.build(problem, config, on);
    GmImage image = make_image(launch);
    gemm.fill_inputs(problem, launch, {5}, image);
    run_functional(launch, on, image);
    return image[2];
  };
  Machine fewer = machine();
  fewer.cores.aic = 7;
  EXPECT_EQ(result(machine()), result(fewer));
}

TEST(GemmEpilogue, RowsDoNotDependOnTheRowsBesideThem) {
  // Each row of a short problem has the same bytes as in a tall one.
  const Kernel& gemm = find_kernel("gemm");
  const auto rows = [&](int64_t m) {
    const Problem problem = problem_of({{"m", m}, {"n", 48}, {"k", 96}}, "f16", "bias");
    const Config config = complete_config(gemm, problem, machine(), parse_config("tile_m=16"));
    const Launch launch = gemm.build(problem, config, machine());
    GmImage image = make_image(launch);
    gemm.fill_inputs(problem, launch, {5}, image);
    run_functional(launch, machine(), image);
    return image[2];
  };
  const std::vector<uint8_t> tall = rows(33);
  for (int64_t m = 1; m <= 33; ++m) {
    const std::vector<uint8_t> few = rows(m);
    EXPECT_TRUE(std::equal(few.begin(), few.end(), tall.begin())) << m;
  }
}

TEST(GemmEpilogue, MovesRealRowsAloneForEveryNumberOfRows) {
  const Kernel& gemm = find_kernel("gemm");
  constexpr int64_t kN = 80, kK = 100, kTile = 32;
  for (int64_t m = 1; m <= 2 * kTile + 1; ++m) {
    const Problem problem = problem_of({{"m", m}, {"n", kN}, {"k", kK}}, "f16", "none", "", "nz");
    const Config config = complete_config(
        gemm, problem, machine(), parse_config(m > 16 ? "tile_m=32,tile_n=96" : "tile_n=96"));
    const TimingResult timed = time_detailed(gemm.build(problem, config, machine()), machine());
    const int64_t tiles = (m + config.at("tile_m") - 1) / config.at("tile_m");
    EXPECT_EQ(timed.memory.l2_read_bytes, 2 * (m * kK + tiles * kK * kN)) << m;
    EXPECT_EQ(timed.memory.l2_write_bytes, 2 * m * kN) << m;
    EXPECT_EQ(timed.memory.hbm_read_bytes, 2 * (m * kK + kK * kN)) << m;
  }
}

TEST(GemmEpilogue, OfTheFixpipeCostsNoVectorWork) {
  const Kernel& gemm = find_kernel("gemm");
  const auto has_vectors = [&](const char* dtype, const char* epilogue) {
    const Problem problem = problem_of({{"m", 64}, {"n", 64}, {"k", 64}}, dtype, epilogue);
    const Launch launch = gemm.build(problem, gemm.default_config(problem, machine()), machine());
    return std::any_of(launch.cores.begin(), launch.cores.end(),
                       [](const CoreProgram& core) { return core.kind == CoreKind::kAiv; });
  };
  for (const char* epilogue : {"none", "bias", "relu", "bias+relu"}) {
    EXPECT_FALSE(has_vectors("bf16", epilogue)) << epilogue;
  }
  EXPECT_FALSE(has_vectors("i8", "bias+dequant+relu"));
  for (const char* epilogue : {"gelu", "residual", "silu_mul"}) {
    EXPECT_TRUE(has_vectors("bf16", epilogue)) << epilogue;
  }
  EXPECT_TRUE(has_vectors("i8", "dequant_token"));
}

TEST(GemmEpilogue, IsWrittenInOneOrder) {
  EXPECT_EQ(parse_epilogue("residual+gelu+bias").text(), "bias+gelu+residual");
  EXPECT_EQ(parse_epilogue("none").text(), "none");
  EXPECT_EQ(parse_epilogue("relu+dequant_token+bias").text(), "bias+dequant_token+relu");
}

TEST(GemmEpilogue, RefusesWhatMakesNoSense) {
  const auto refused = [](const char* dtype, const char* epilogue, const char* out = "") {
    try {
      problem_of({{"m", 4}, {"n", 4}, {"k", 4}}, dtype, epilogue, out);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kUsage;
    }
    return false;
  };
  EXPECT_TRUE(refused("f16", "gelo"));
  EXPECT_TRUE(refused("f16", "gelu+relu"));
  EXPECT_TRUE(refused("f16", "bias+bias"));
  EXPECT_TRUE(refused("f16", "bias+"));
  EXPECT_TRUE(refused("f16", "dequant"));
  EXPECT_TRUE(refused("i8", "gelu"));
  EXPECT_TRUE(refused("i8", "none", "f16"));
  EXPECT_TRUE(refused("i8", "dequant", "i32"));
  EXPECT_TRUE(refused("i8", "dequant+residual", "i8"));
  EXPECT_TRUE(refused("bf16", "none", "i8"));
}

TEST(GemmEpilogue, KeepsToTheBiasTableAndTheScalesOfTheFixpipe) {
  const auto violation = [](const char* dtype, const char* epilogue, const char* config) {
    const Problem problem = problem_of({{"m", 64}, {"n", 1024}, {"k", 256}}, dtype, epilogue);
    try {
      complete_config(find_kernel("gemm"), problem, machine(), parse_config(config));
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  // 1 KiB of f32 is 256 columns; 2 KiB of 64-bit words are 256 columns, of both tiles of sums.
  EXPECT_EQ(violation("f16", "bias", "tile_m=32,tile_n=256"), "");
  EXPECT_NE(violation("f16", "bias", "tile_m=32,tile_n=512,tile_k=128,tile_k0=32").find("of BT"),
            std::string::npos);
  EXPECT_NE(
      violation("f16", "bias+silu_mul", "tile_m=32,tile_n=192,tile_k=128,tile_k0=32").find("of BT"),
      std::string::npos);
  EXPECT_NE(violation("i8", "dequant", "tile_m=32,tile_n=256,l0c_buffers=2").find("of FB"),
            std::string::npos);
}

TEST(GroupedGemm, SharesRowsOutByRank) {
  EXPECT_EQ(rows_of_experts(1, 7, 0), (std::vector<int64_t>{7}));
  EXPECT_EQ(rows_of_experts(4, 8, 0), (std::vector<int64_t>{2, 2, 2, 2}));
  for (const int64_t skew : {0, 50, 100, 1000}) {
    const std::vector<int64_t> rows = rows_of_experts(7, 100, skew);
    int64_t sum = 0;
    for (const int64_t share : rows) sum += share;
    EXPECT_EQ(sum, 100) << skew;
  }
  // Zipf's law over three experts: 6/11, 3/11 and 2/11.
  std::vector<int64_t> rows = rows_of_experts(3, 110, 100);
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows, (std::vector<int64_t>{20, 30, 60}));
}

TEST(GroupedGemm, IsRightWithEmptyAndRaggedExperts) {
  for (const char* epilogue : {"none", "silu_mul", "bias+gelu"}) {
    const Problem problem =
        problem_of({{"experts", 8}, {"m", 90}, {"n", 70}, {"k", 100}, {"skew", 300}}, "bf16",
                   epilogue, "", "nz", "grouped_gemm");
    const std::vector<int64_t> rows = rows_of_experts(8, 90, 300);
    ASSERT_NE(std::count(rows.begin(), rows.end(), 0), 0);
    ASSERT_NE(std::count(rows.begin(), rows.end(), 1), 0);
    expect_right(problem, find_kernel("grouped_gemm").default_config(problem, machine()), {2});
  }
}

TEST(GroupedGemm, ReadsTheWeightsOfWorkingExpertsAlone) {
  const Kernel& kernel = find_kernel("grouped_gemm");
  const Problem problem =
      problem_of({{"experts", 8}, {"m", 90}, {"n", 128}, {"k", 256}, {"skew", 300}}, "bf16", "none",
                 "", "nz", "grouped_gemm");
  const std::vector<int64_t> rows = rows_of_experts(8, 90, 300);
  const auto working = static_cast<int64_t>(8 - std::count(rows.begin(), rows.end(), 0));
  const TimingResult timed = time_detailed(
      kernel.build(problem, kernel.default_config(problem, machine()), machine()), machine());
  EXPECT_EQ(timed.memory.hbm_read_bytes, 2 * (90 * 256 + working * 128 * 256));
}

}  // namespace
}  // namespace tilewright
