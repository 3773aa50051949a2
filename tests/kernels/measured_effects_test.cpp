// Effects that others measured on this chip, with the sizes that they published.

#include <gtest/gtest.h>

#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

struct Outcome {
  double us = 0;
  std::map<std::string, double> counters;
};

Outcome run(const Machine& machine, const std::string& kernel_name, const ProblemRequest& request,
            const std::string& config) {
  const Kernel& kernel = find_kernel(kernel_name);
  const Problem problem = kernel.problem(request);
  const Launch launch = kernel.build(
      problem, complete_config(kernel, problem, machine, parse_config(config)), machine);
  const TimingResult timing = time_detailed(launch, machine);
  const auto counters = profiler_counters(timing, machine);
  return {machine.us_of_ticks(timing.ticks), {counters.begin(), counters.end()}};
}

ProblemRequest gemm(int64_t m, int64_t n, int64_t k) {
  return {.sizes = {{"m", m}, {"n", n}, {"k", k}}, .dtype = "f16", .layout = "nd"};
}

Machine chip(int64_t cores) {
  Machine machine = load_machine("ascend-910b2");
  machine.cores.aic = cores;
  return machine;
}

/// What the simulated time lacks to the measured one, which holds a launch of 12,905 cycles.
double boundary_us(const Machine& machine) {
  return (12905 - machine.launch.dispatch_cycles) / machine.cores.clock_mhz -
         machine.launch.launch_us;
}

TEST(MeasuredEffects, SquareGemmsTakeTheirMeasuredTime) {
  struct Fact {
    int64_t size;
    double us, cube, mte1, mte2;
  };
  const Machine machine = chip(24);
  for (const Fact& fact :
       {Fact{1536, 38.8, 0.545, 0.422, 0.722}, Fact{6144, 1506, 0.867, 0.681, 0.952}}) {
    ProblemRequest request = gemm(fact.size, fact.size, fact.size);
    request.out_dtype = "f32";
    const Outcome square =
        run(machine, "gemm", request,
            "tile_m=128,tile_n=256,tile_k=256,tile_k0=64,l1_buffers=2,core_rows=4");
    const double us = square.us + boundary_us(machine);
    const double share = square.us / us;
    EXPECT_NEAR(us / fact.us, 1, 0.10) << fact.size;
    EXPECT_NEAR(square.counters.at("aic_cube_ratio") * share, fact.cube, 0.06) << fact.size;
    EXPECT_NEAR(square.counters.at("aic_mte1_ratio") * share, fact.mte1, 0.06) << fact.size;
    EXPECT_NEAR(square.counters.at("aic_mte2_ratio") * share, fact.mte2, 0.06) << fact.size;
  }
}

TEST(MeasuredEffects, ATileTurnedRoundSavesAWave) {
  // 72.5 us with 24 tiles of 128 x 256 on 20 cores, 48.6 us with 20 of 256 x 128.
  const Machine machine = chip(20);
  const double wide = run(machine, "gemm", gemm(1024, 576, 6144), "tile_m=128,tile_n=256").us;
  const double tall = run(machine, "gemm", gemm(1024, 576, 6144), "tile_m=256,tile_n=128").us;
  EXPECT_NEAR((tall - wide) / -23.9, 1, 1.0 / 3);
  EXPECT_NEAR((wide + boundary_us(machine)) / 72.5, 1, 0.10);
  EXPECT_NEAR((tall + boundary_us(machine)) / 48.6, 1, 0.10);
}

TEST(MeasuredEffects, LargeTransfersMoveMoreThanSmallOnes) {
  // An addition on 8 vector cores: tiles of 4 KB, two at a time, reach 19 GB/s a core, tiles of 40
  // KB, of which UB holds one of each tensor, 44 to 51. Two tiles at a time take 960 us, one 1378.
  Machine machine = chip(4);
  const ProblemRequest add = {
      .sizes = {{"rows", 512}, {"cols", 10240}, {"reads", 2}}, .dtype = "f16", .layout = "nd"};
  const double small = run(machine, "elementwise", add, "tile_rows=1,tile_cols=2048,buffers=2").us;
  const double single = run(machine, "elementwise", add, "tile_rows=1,tile_cols=2048,buffers=1").us;
  const double large = run(machine, "elementwise", add, "tile_rows=2,tile_cols=16384,buffers=1").us;
  EXPECT_NEAR(small / large / 2.5, 1, 1.0 / 3);
  EXPECT_NEAR((1 - small / single) / (1 - 960.0 / 1378), 1, 1.0 / 3);
}

TEST(MeasuredEffects, AMiddlingSquareHitsL2WithoutASwizzle) {
  const Outcome square = run(chip(24), "gemm", gemm(4096, 4096, 4096), "swizzle=0");
  EXPECT_NEAR(square.counters.at("l2_read_hit_rate(%)"), 97.9, 10);
}

TEST(MeasuredEffects, SlowSwizzleBringsALargeSquareBackIntoL2) {
  const Machine machine = chip(24);
  const ProblemRequest large = gemm(16384, 16384, 16384);
  const Outcome plain = run(machine, "gemm", large, "swizzle=0");
  const Outcome swizzled = run(machine, "gemm", large, "swizzle=8");
  EXPECT_NEAR(plain.counters.at("l2_read_hit_rate(%)"), 30.9, 10);
  EXPECT_NEAR(swizzled.counters.at("l2_read_hit_rate(%)"), 93.7, 10);
  // With double buffers the guide's kernel reaches half of the library's rate, and 90 % swizzled.
  EXPECT_GT(plain.us / swizzled.us, 2.0 / 3 * 90 / 50);
}

// Deep rings and short steps: the queue of moves is full while loads are requested ahead.
TEST(GemmTiming, DeepRingsWithShortStepsRun) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& gemm = find_kernel("gemm");
  const Problem problem = gemm.problem({{{"m", 64}, {"n", 37888}, {"k", 3584}}, "bf16", "nz", ""});
  const auto time = [&](const char* text) {
    const Config config = complete_config(gemm, problem, machine, parse_config(text));
    return time_detailed(gemm.build(problem, config, machine), machine).ticks;
  };
  const int64_t shallow = time("tile_m=64,tile_n=192,tile_k=256,tile_k0=16,l1_buffers=2");
  EXPECT_LE(time("tile_m=64,tile_n=192,tile_k=256,tile_k0=16,l1_buffers=4"), shallow * 11 / 10);
}

}  // namespace
}  // namespace tilewright
