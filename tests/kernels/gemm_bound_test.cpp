#include "kernels/gemm/gemm_bound.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/random.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

Problem gemm(int64_t m, int64_t n, int64_t k, const std::string& dtype, const std::string& layout) {
  ProblemRequest request;
  request.sizes = {{"m", m}, {"n", n}, {"k", k}};
  request.dtype = dtype;
  request.layout = layout;
  return find_kernel("gemm").problem(request);
}

/// Parts of K that the space lets several cores work on.
int64_t most_parts(const Space& space) {
  for (const Parameter& parameter : space.parameters()) {
    if (parameter.name == "split_k") return parameter.values.back();
  }
  return 1;
}

/// Simulates a few configs of each of so many random problems, and returns the largest share of its
/// time that a bound explains.
double tightest_of(int problems, uint64_t seed) {
  Random random(seed);
  const char* machines[] = {"ascend-910b2", "ascend-910b4", "ascend-910b1:datasheet"};
  const char* dtypes[] = {"f16", "f16", "f32", "i8"};
  double tightest = 0;
  for (int round = 0; round < problems; ++round) {
    const Machine machine = load_machine(machines[random.below(3)]);
    // Sizes spread evenly by their logarithm.
    const auto size = [&](double most) {
      return static_cast<int64_t>(std::exp(random.uniform() * std::log(most)));
    };
    const std::string layout = random.below(2) == 0 ? "nd" : "nz";
    int64_t n = size(2000), k = size(2000);
    if (layout == "nz") n = (n + 31) / 32 * 32, k = (k + 15) / 16 * 16;
    const Problem problem = gemm(size(1000), n, k, dtypes[random.below(4)], layout);
    const Space space = find_kernel("gemm").space(problem, machine);
    const std::vector<Config> configs = space.enumerate();
    if (configs.empty()) continue;
    const GemmBound bound = gemm_bound(problem, machine, most_parts(space));
    for (int i = 0; i < 4; ++i) {
      const Config& config = configs[random.below(configs.size())];
      const Launch launch = find_kernel("gemm").build(problem, config, machine);
      const double us = machine.us_of_ticks(time_detailed(launch, machine).ticks);
      EXPECT_LE(bound.bound_us, us) << machine.name << ": " << problem.text() << " "
                                    << config.text() << ", by " << name_of(bound.limit);
      tightest = std::max(tightest, bound.bound_us / us);
    }
  }
  return tightest;
}

TEST(GemmBound, IsBelowConfigsOfRandomProblems) {
  EXPECT_GT(tightest_of(10, 5), 0.5);
}

TEST(GemmBound, SlowIsBelowConfigsOfManyRandomProblems) {
  EXPECT_GT(tightest_of(300, 6), 0.9);
}

TEST(GemmBound, IsNoLessThanEachOfItsLimits) {
  const Machine machine = load_machine("ascend-910b2");
  for (int64_t m : {1, 16, 300, 4096}) {
    const GemmBound bound = gemm_bound(gemm(m, 4096, 1024, "f16", "nz"), machine);
    for (double limit : bound.limit_us) EXPECT_LE(limit, bound.bound_us);
  }
}

TEST(GemmBound, IsWhatOneLimitAllowsByHand) {
  const Machine machine = load_machine("ascend-910b2");
  // 16 rows: the weights once over HBM, 33.7 MB at 1600 GB/s, behind the start of a launch.
  const GemmBound few = gemm_bound(gemm(16, 4096, 4096, "f16", "nz"), machine);
  EXPECT_EQ(few.limit, GemmLimit::kHbm);
  const double bytes = 2.0 * 4096 * (4096 + 16);
  const double start = 2 + 2000 / 1800.0;
  const double latencies = (729 + 100 + 164) / 1800.0;
  EXPECT_NEAR(few.bound_us, start + bytes / 1.6e6 + latencies, 0.01);
  // Compute: 256^3 fractal steps on 24 cores.
  const GemmBound large = gemm_bound(gemm(4096, 4096, 4096, "f16", "nz"), machine);
  const double compute = 256.0 * 256 * 256 / 24 / 1800;
  EXPECT_NEAR(large.limit_us[0], start + compute + latencies, 0.01);
}

}  // namespace
}  // namespace tilewright
