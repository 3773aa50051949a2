#include <gtest/gtest.h>

#include "kernels/kernel.h"
#include "simulator/memory.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

struct Case {
  const char* kernel;
  std::map<std::string, int64_t> sizes;
};

const Case kLong[] = {
    {"rms_norm", {{"rows", 60}, {"cols", 32771}}},
    {"add_rms_norm", {{"rows", 60}, {"cols", 40000}}},
    {"silu_mul", {{"rows", 60}, {"cols", 18944}}},
    {"gather", {{"rows", 60}, {"cols", 18944}, {"vocab", 152064}}},
    {"rope", {{"rows", 300}, {"heads", 72}, {"kv_heads", 8}, {"dim", 128}}},
    {"argmax", {{"rows", 60}, {"cols", 152064}}},
};

Problem problem_of(const Case& c, const std::string& dtype) {
  return find_kernel(c.kernel).problem({c.sizes, dtype, "", ""});
}

/// Cycles without launch, over those that HBM needs for the bytes read and written.
double bandwidth_ratio(const Case& c, const char* dtype) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel(c.kernel);
  const Problem problem = problem_of(c, dtype);
  const TimingResult result = time_detailed(
      kernel.build(problem, kernel.default_config(problem, machine), machine), machine);
  double bytes = 0;
  for (const CoreCounters& core : result.cores) {
    bytes += static_cast<double>(core.load_bytes + core.store_bytes);
  }
  const double launch =
      machine.launch.launch_us * machine.cores.clock_mhz + machine.launch.dispatch_cycles;
  const double cycles = static_cast<double>(result.ticks) / kTicksPerCycle - launch;
  EXPECT_GE(bytes, 4e6) << problem.text();
  return cycles / (bytes / hbm_bytes_per_cycle(machine));
}

TEST(VectorSpeed, DefaultsStreamNearTheHbmRate) {
  struct Target {
    Case problem;
    const char* dtype;
    double ratio;
  };
  // Traffic is reads and writes; writes that stay in L2 let a ratio fall below 1.
  const Target targets[] = {
      {{"rms_norm", {{"rows", 512}, {"cols", 4096}}}, "f16", 1.25},
      {{"rms_norm", {{"rows", 256}, {"cols", 4096}}}, "f32", 1.25},
      {{"rms_norm", {{"rows", 2048}, {"cols", 32768}}}, "f16", 1.25},
      {{"add_rms_norm", {{"rows", 256}, {"cols", 4096}}}, "f16", 1.25},
      {{"add_rms_norm", {{"rows", 4096}, {"cols", 3584}}}, "bf16", 1.25},
      {{"silu_mul", {{"rows", 256}, {"cols", 18944}}}, "f16", 1.25},
      {{"silu_mul", {{"rows", 4096}, {"cols", 2368}}}, "bf16", 1.25},
      {{"gather", {{"rows", 4096}, {"cols", 4096}, {"vocab", 152064}}}, "f16", 1.25},
      {{"rope", {{"rows", 4096}, {"heads", 32}, {"kv_heads", 4}, {"dim", 128}}}, "f16", 1.25},
      {{"argmax", {{"rows", 64}, {"cols", 152064}}}, "f32", 1.25},
      // The reductions of halves, which cost as many cycles as those of f32, are the limit.
      {{"argmax", {{"rows", 256}, {"cols", 152064}}}, "f16", 1.6},
  };
  for (const Target& target : targets) {
    const double ratio = bandwidth_ratio(target.problem, target.dtype);
    EXPECT_LE(ratio, target.ratio) << target.problem.kernel << " " << target.dtype;
    EXPECT_GT(ratio, 0.5) << target.problem.kernel << ": faster than reading once";
  }
}

TEST(VectorSpeed, DoubleBufferingHelps) {
  const Machine machine = load_machine("ascend-910b2");
  for (const Case& c : kLong) {
    const Kernel& kernel = find_kernel(c.kernel);
    const Problem problem = problem_of(c, "f16");
    const auto ticks = [&](int64_t buffers) {
      const Config config = complete_config(kernel, problem, machine,
                                            Config{{{"tile_rows", 1}, {"buffers", buffers}}});
      return time_detailed(kernel.build(problem, config, machine), machine).ticks;
    };
    EXPECT_LT(ticks(2), ticks(1)) << problem.text();
  }
}

}  // namespace
}  // namespace tilewright
