// The first-order time of launches under the estimates of advice.

#include "tuner/advice/launch_estimate.h"

#include <gtest/gtest.h>

#include "kernels/kernel.h"
#include "simulator/cost.h"
#include "simulator/timing.h"
#include "tests/simulator/toy.h"
#include "tests/tuner/advised.h"
#include "tuner/advice/launch_traffic.h"

namespace tilewright {
namespace {

Launch launch_of(const AdvisedRequest& request, const Machine& machine) {
  const Kernel& kernel = find_kernel(request.kernel);
  const Problem problem = request.problem();
  return kernel.build(
      problem, complete_config(kernel, problem, machine, parse_config(request.config)), machine);
}

TEST(LaunchEstimate, OfOneCoreWithoutMissesIsItsTime) {
  const Machine machine = toy_machine();
  for (const int slots : {1, 2, 3}) {
    for (const int tiles : {1, 5, 40}) {
      const Launch launch = copy_launch(tiles, slots);
      EXPECT_EQ(estimate_ticks(launch, machine), time_detailed(launch, machine).ticks)
          << slots << " slots, " << tiles << " tiles";
    }
  }
}

TEST(LaunchEstimate, IsNoLessThanHbmNeeds) {
  Machine machine = toy_machine();
  machine.hbm.gb_per_s = 8;  // 8 B/cycle for 8 cores of 32
  const Launch launch = copy_launch(40, 3, 8, false);
  const int64_t bytes = launch.tensors[0].bytes();
  EXPECT_GE(estimate_ticks(launch, machine), launch_ticks_of(machine) + bytes / 8 * kTicksPerCycle);
  const double real = static_cast<double>(time_detailed(launch, machine).ticks);
  EXPECT_NEAR(static_cast<double>(estimate_ticks(launch, machine)) / real, 1, 0.1);
}

TEST(LaunchEstimate, OfAnEmptyLaunchIsTheLaunchItself) {
  const Machine machine = load_machine("ascend-910b2");
  EXPECT_EQ(estimate_ticks({}, machine), launch_ticks_of(machine));
}

TEST(LaunchEstimate, IsNearDetailedForEveryKernel) {
  const Machine machine = load_machine("ascend-910b2");
  const AdvisedRequest requests[] = {
      {"gemm", {{"m", 500}, {"n", 2000}, {"k", 1000}}},
      {"gemm", {{"m", 16}, {"n", 4096}, {"k", 1024}}, "", "nz"},
      {"gemm_padded", {{"m", 300}, {"n", 1000}, {"k", 2000}}},
      {"attention", {{"tokens", 256}, {"heads", 8}, {"kv_heads", 2}}},
      {"attention", {{"sequences", 8}, {"tokens", 1}, {"context", 1000}, {"heads", 8}}},
      {"rms_norm", {{"rows", 1000}, {"cols", 4096}}},
      {"silu_mul", {{"rows", 300}, {"cols", 4096}}},
      {"rope", {{"rows", 200}, {"heads", 8}, {"kv_heads", 2}}},
      {"argmax", {{"rows", 64}, {"cols", 32000}}},
  };
  for (const AdvisedRequest& request : requests) {
    const Launch launch = launch_of(request, machine);
    const double real = static_cast<double>(time_detailed(launch, machine).ticks);
    const double estimate = static_cast<double>(estimate_ticks(launch, machine));
    EXPECT_NEAR(estimate / real, 1, 0.3) << request.text();
  }
}

TEST(LaunchTraffic, MissesOnceWhatL2Keeps) {
  const Machine machine = load_machine("ascend-910b2");
  // 4 x 24 tiles, dealt row by row: each of 24 cores has a tile column, and one of each row.
  const Launch launch =
      launch_of({"gemm", {{"m", 512}, {"n", 6144}, {"k", 1024}}, "swizzle=0"}, machine);
  ASSERT_EQ(launch.cores.size(), 24u);
  const LaunchTraffic traffic = traffic_of(launch, machine);
  for (const auto& core : traffic.misses) {
    ASSERT_EQ(core.size(), 4u);
    // Load 0 is A, new in every step; load 1 is B, which stays.
    EXPECT_EQ(core[0], 3u);
    for (size_t task = 1; task < core.size(); ++task) EXPECT_EQ(core[task], 1u);
  }
  EXPECT_EQ(traffic.sharers[0][0], 24);
  EXPECT_EQ(traffic.sharers[0][1], 1);
  EXPECT_EQ(traffic.hbm_bytes,
            static_cast<double>(launch.tensors[0].bytes() + launch.tensors[1].bytes()));
}

TEST(LaunchTraffic, MissesAgainWhatASmallL2HasDropped) {
  Machine machine = load_machine("ascend-910b2");
  machine.l2.capacity_bytes = 4 << 20;
  const Launch launch =
      launch_of({"gemm", {{"m", 512}, {"n", 6144}, {"k", 1024}}, "swizzle=0"}, machine);
  const LaunchTraffic traffic = traffic_of(launch, machine);
  for (const auto& core : traffic.misses) {
    for (const uint64_t misses : core) EXPECT_EQ(misses, 3u);
  }
  EXPECT_EQ(traffic.hbm_bytes,
            static_cast<double>(launch.tensors[0].bytes() + 4 * launch.tensors[1].bytes()));
}

}  // namespace
}  // namespace tilewright
