#include <gtest/gtest.h>

#include <set>
#include <span>

#include "kernels/kernel.h"
#include "simulator/cost.h"
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

/// Bytes of the inputs read and outputs written, each once. Of a table or cache, the rows touched;
/// what a kernel keeps for itself between its stages does not count.
double needed_bytes(const Problem& problem, const Launch& launch) {
  const std::set<std::string> touched_by_row = {"table", "k", "v"};
  double bytes = 0;
  for (const Tensor& tensor : launch.tensors) {
    if (tensor.name == "maximum" || tensor.name == "place") continue;
    const bool by_row = touched_by_row.contains(tensor.name);
    const int64_t rows = by_row ? problem.size("rows") : tensor.rows;
    bytes += static_cast<double>(rows * tensor.cols * bytes_of(tensor.type));
  }
  return bytes;
}

/// Cycles without launch of the default config, completed from `config`, over those that HBM needs
/// for the bytes.
double bandwidth_ratio(const Case& c, const char* dtype, const char* config) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel(c.kernel);
  const Problem problem = problem_of(c, dtype);
  const Config complete = complete_config(kernel, problem, machine, parse_config(config));
  const Launch launch = kernel.build(problem, complete, machine);
  const double bytes = needed_bytes(problem, launch);
  EXPECT_GE(bytes, 4e6) << problem.text();
  const double cycles =
      static_cast<double>(time_detailed(launch, machine).ticks - launch_ticks_of(machine)) /
      kTicksPerCycle;
  return cycles / (bytes / hbm_bytes_per_cycle(machine));
}

struct Target {
  Case problem;
  const char* dtype;
  double ratio;
  const char* config = "";  ///< where the default is not the one
};

void expect_ratios(std::span<const Target> targets) {
  for (const Target& target : targets) {
    const double ratio = bandwidth_ratio(target.problem, target.dtype, target.config);
    EXPECT_LE(ratio, target.ratio) << target.problem.kernel << " " << target.dtype;
    EXPECT_GT(ratio, 0.4) << target.problem.kernel << ": faster than reading once";
  }
}

// Traffic is reads and writes; writes that stay in L2 let a ratio fall below 1.
TEST(VectorSpeed, DefaultsStreamWithinTenPercentOfTheHbmRate) {
  const Target targets[] = {
      {{"rms_norm", {{"rows", 128}, {"cols", 4096}}}, "f32", 1.1},
      {{"rms_norm", {{"rows", 4096}, {"cols", 4096}}}, "f16", 1.1},
      {{"add_rms_norm", {{"rows", 4096}, {"cols", 3584}}}, "bf16", 1.1},
      {{"layer_norm", {{"rows", 2048}, {"cols", 4096}}}, "f32", 1.1},
      {{"add_layer_norm", {{"rows", 4096}, {"cols", 4096}}}, "f16", 1.1},
      {{"silu_mul", {{"rows", 4096}, {"cols", 2368}}}, "bf16", 1.1},
      {{"gelu", {{"rows", 2048}, {"cols", 4096}}}, "f32", 1.1},
      {{"softmax", {{"rows", 4096}, {"cols", 4096}}}, "f16", 1.1},
      {{"softmax", {{"rows", 2048}, {"cols", 4096}}}, "f32", 1.1},
      {{"cast", {{"rows", 256}, {"cols", 4096}}}, "f32", 1.1},
      {{"cast", {{"rows", 2048}, {"cols", 4096}}}, "f16", 1.1},
      {{"quantize", {{"rows", 4096}, {"cols", 4096}}}, "f16", 1.1},
      {{"quantize", {{"rows", 4096}, {"cols", 4096}}}, "bf16", 1.1},
      {{"quantize_channels", {{"rows", 4096}, {"cols", 4096}}}, "f16", 1.1},
      {{"gather", {{"rows", 256}, {"cols", 4096}, {"vocab", 152064}}}, "f16", 1.1},
      {{"gather", {{"rows", 4096}, {"cols", 4096}, {"vocab", 152064}}}, "f16", 1.1},
      {{"kv_write", {{"rows", 4096}, {"kv_heads", 8}, {"dim", 128}}}, "f16", 1.1},
      {{"unpermute", {{"rows", 4096}, {"cols", 4096}, {"k", 2}}}, "f16", 1.1},
      {{"rope", {{"rows", 4096}, {"heads", 32}, {"kv_heads", 4}, {"dim", 128}}}, "f16", 1.1},
      {{"rope", {{"rows", 4096}, {"heads", 40}, {"kv_heads", 8}, {"dim", 128}}}, "bf16", 1.1},
      {{"elementwise", {{"rows", 256}, {"cols", 4096}}}, "f16", 1.1},
      {{"argmax", {{"rows", 256}, {"cols", 152064}}}, "f16", 1.1},
      {{"argmax", {{"rows", 256}, {"cols", 152064}}}, "bf16", 1.1},
      {{"argmax", {{"rows", 64}, {"cols", 152064}}},
       "f32",
       1.1,
       "tile_rows=2,tile_cols=6144,buffers=3"},
  };
  expect_ratios(targets);
}

// Of little work the first load's latency (1450 cycles of 4712 at 4.2 MB) and the last store show:
// these overlap the rest.
TEST(VectorSpeed, DefaultsStreamWithinTenPercentFromFourMegabytesOn) {
  const Target targets[] = {
      {{"rms_norm", {{"rows", 129}, {"cols", 4096}}}, "f32", 1.1},
      {{"softmax", {{"rows", 129}, {"cols", 4096}}}, "f32", 1.1},
      {{"add_rms_norm", {{"rows", 129}, {"cols", 4096}}}, "f16", 1.1},
      {{"gelu", {{"rows", 48}, {"cols", 11008}}}, "f32", 1.1},
      {{"cast", {{"rows", 171}, {"cols", 4096}}}, "f16", 1.1},
      {{"gather", {{"rows", 257}, {"cols", 4096}, {"vocab", 152064}}}, "f16", 1.1},
      {{"gather", {{"rows", 129}, {"cols", 4096}, {"vocab", 152064}}}, "f32", 1.1},
      {{"kv_write", {{"rows", 513}, {"kv_heads", 8}, {"dim", 128}}}, "f16", 1.1},
      {{"kv_write", {{"rows", 257}, {"kv_heads", 8}, {"dim", 128}}}, "f32", 1.1},
      {{"rope", {{"rows", 114}, {"heads", 32}, {"kv_heads", 4}, {"dim", 128}}}, "f32", 1.1},
      {{"elementwise", {{"rows", 257}, {"cols", 4096}}}, "f16", 1.1},
      {{"elementwise", {{"rows", 129}, {"cols", 4096}}}, "f32", 1.1},
      {{"rms_norm", {{"rows", 3907}, {"cols", 4096}}}, "f16", 1.1},
      {{"rms_norm", {{"rows", 489}, {"cols", 32768}}}, "f16", 1.1},
      {{"add_rms_norm", {{"rows", 1954}, {"cols", 4096}}}, "f16", 1.1},
      {{"add_layer_norm", {{"rows", 1954}, {"cols", 4096}}}, "f16", 1.1},
      {{"silu_mul", {{"rows", 969}, {"cols", 11008}}}, "f16", 1.1},
      {{"gelu", {{"rows", 1454}, {"cols", 11008}}}, "f16", 1.1},
      {{"quantize", {{"rows", 5209}, {"cols", 4096}}}, "f16", 1.1},
      {{"quantize_channels", {{"rows", 5209}, {"cols", 4096}}}, "f16", 1.1},
      {{"layer_norm", {{"rows", 3907}, {"cols", 4096}}}, "f16", 1.1},
      {{"quantize_channels", {{"rows", 2605}, {"cols", 4096}}}, "f32", 1.1},
      {{"argmax", {{"rows", 211}, {"cols", 152064}}}, "f16", 1.1},
  };
  expect_ratios(targets);
}

// Work that nothing overlaps at 4 MB: docs/performance.md states the bound of each from the
// machine's numbers. argmax reads only, waits for a barrier and reads its pieces' maxima back.
TEST(VectorSpeed, LittleWorkTakesItsLatencyAndItsVectorWork) {
  const Target targets[] = {
      {{"rms_norm", {{"rows", 257}, {"cols", 4096}}}, "f16", 1.21},
      {{"layer_norm", {{"rows", 257}, {"cols", 4096}}}, "f16", 1.63},
      {{"layer_norm", {{"rows", 129}, {"cols", 4096}}}, "f32", 1.26},
      {{"add_layer_norm", {{"rows", 129}, {"cols", 4096}}}, "f16", 1.29},
      {{"softmax", {{"rows", 257}, {"cols", 4096}}}, "f16", 1.31},
      {{"silu_mul", {{"rows", 64}, {"cols", 11008}}}, "f16", 1.36},
      {{"gelu", {{"rows", 96}, {"cols", 11008}}}, "f16", 1.38},
      {{"quantize", {{"rows", 342}, {"cols", 4096}}}, "f16", 1.18},
      {{"quantize_channels", {{"rows", 342}, {"cols", 4096}}}, "f16", 1.31},
      {{"unpermute", {{"rows", 171}, {"cols", 4096}, {"k", 2}}}, "f16", 1.85},
      {{"rope", {{"rows", 228}, {"heads", 32}, {"kv_heads", 4}, {"dim", 128}}}, "f16", 1.16},
      {{"argmax", {{"rows", 14}, {"cols", 152064}}}, "f16", 1.75},
      {{"argmax", {{"rows", 7}, {"cols", 152064}}}, "f32", 1.64},
  };
  expect_ratios(targets);
}

// What keeps these from it at any size: softmax of rows that are cut computes its exponentials
// twice, and 106 rows give some cores three and others two; top_k and sample load every row twice,
// and MTE2 is the busiest pipe; moe_route sorts every row at 78 cycles a repeat.
TEST(VectorSpeed, OthersAreAsFarFromTheHbmRateAsTheirWorkKeepsThem) {
  const Target targets[] = {
      {{"softmax", {{"rows", 96}, {"cols", 152064}}}, "f16", 1.25},
      {{"softmax", {{"rows", 106}, {"cols", 152064}}}, "f16", 1.7},
      {{"top_k", {{"rows", 96}, {"cols", 152064}}}, "f16", 1.8},
      {{"sample", {{"rows", 96}, {"cols", 152064}}}, "f16", 1.8},
      {{"moe_route", {{"rows", 16384}, {"experts", 64}, {"k", 6}}}, "f32", 17},
  };
  expect_ratios(targets);
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
