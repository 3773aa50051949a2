#include "tuner/xyserve/agreement.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/kernel.h"
#include "simulator/timing.h"
#include "tuner/xyserve/attention_experiment.h"

namespace tilewright {

namespace {

/// A tile that was measured beside the library's, with the depth of its steps in L0; none: that of
/// the library.
struct MeasuredTile {
  int64_t rows = 0, columns = 0, step = 0;
};

struct MeasuredGemm {
  const char* hardware;
  const char* source;
  int64_t m, n, k;
  const char* layout;
  const char* out_dtype;
  double us;
  MeasuredTile tile = {};
};

constexpr const char* kDie = "Ascend A3 die, 24 cube cores (dav-2201)";
constexpr const char* kTwentyCores = "Ascend 910B2, 20 AIC";
constexpr const char* kDefault = "CATLASS, default tile";

// Published by the pto-isa project, whose tile is CATLASS's default, and in the documents of
// CATLASS (docs/xyserve.md): defaults, and what another tile takes for the same problem.
constexpr MeasuredGemm kMeasured[] = {
    {kDie, "pto-isa", 1536, 1536, 1536, "nd", "f32", 38.8},
    {kDie, "pto-isa", 6144, 6144, 6144, "nd", "f32", 1506},
    {kTwentyCores, kDefault, 1024, 576, 6144, "nd", "f16", 72.5},
    {kTwentyCores, kDefault, 256, 512, 1024, "nd", "f16", 19.38},
    {kTwentyCores, kDefault, 20, 6144, 16384, "nz", "f16", 181.4},
    {kTwentyCores, kDefault, 20, 6144, 16384, "nd", "f16", 238.8},
    {kTwentyCores, "CATLASS", 1024, 576, 6144, "nd", "f16", 48.6, {256, 128, 64}},
    {kTwentyCores, "CATLASS", 20, 6144, 16384, "nz", "f16", 139.6, {32, 320, 32}},
};

void set(Config& config, std::string_view name, int64_t value) {
  std::ranges::find(config.values, name, &std::pair<std::string, int64_t>::first)->second = value;
}

PublishedFigure compared(const MeasuredGemm& point, const MeasuredAs& hardware, Machine machine) {
  if (hardware.cores > 0) machine.cores.aic = hardware.cores;
  const Kernel& library = find_kernel("gemm_library");
  const Kernel& kernel = point.tile.rows > 0 ? find_kernel("gemm") : library;
  ProblemRequest request;
  request.sizes = {{"m", point.m}, {"n", point.n}, {"k", point.k}};
  request.dtype = "f16";
  request.layout = point.layout;
  request.out_dtype = point.out_dtype;
  Config config = library.default_config(library.problem(request), machine);
  std::string source = point.source;
  if (point.tile.rows > 0) {
    set(config, "tile_m", point.tile.rows);
    set(config, "tile_n", point.tile.columns);
    set(config, "tile_k0", point.tile.step);
    source += fmt::format(", tile {} x {}", point.tile.rows, point.tile.columns);
  }
  const Launch launch = kernel.build(kernel.problem(request), config, machine);
  const double us = machine.us_of_ticks(time_detailed(launch, machine).ticks);
  return {kernel.name(),
          fmt::format("m={} n={} k={} {}, {} cores ({})", point.m, point.n, point.k, point.layout,
                      machine.cores.aic, source),
          point.us, us + hardware.boundary_us, "us"};
}

struct MeasuredAttention {
  int64_t length;
  double us;
};

// torch-npu on "Ascend 910B2", head size 128, one head, no mask (pto-isa).
constexpr const char* kAttentionHardware = "Ascend 910B2";
/// A profiler's time of a kernel on all cores holds this much beyond the kernel ("head overhead",
/// documents of CATLASS).
constexpr double kHeadUs = 20;
constexpr MeasuredAttention kMeasuredAttention[] = {{1024, 58.5}, {4096, 118.3}, {16384, 1118.5}};
/// A framework's call takes the host this long whatever the device does: "dispatch floor included",
/// says the table. It is read off its shortest row, which therefore tells nothing of the kernel.
constexpr double kDispatchFloorUs = 58.5;

struct MeasuredMfu {
  const char* what;
  int64_t tokens;
  int64_t context;
  double mfu;
};

constexpr MeasuredMfu kMeasuredMfu[] = {
    {"llama-2-7b, 4096 tokens, MFU", 4096, 0, 0.53},
    {"llama-2-7b, 1024 reused of 4096, MFU", 3072, 1024, 0.47},
    {"llama-2-7b, chunk of 1024 up to 4096, MFU", 1024, 3072, 0.30},
};
constexpr double kMostVerifyMbu = 0.30;

double largest_verify_mbu(const AttentionShape& shape, const Machine& machine) {
  double largest = 0;
  for (const auto& [sequences, drafts] : {std::pair<size_t, int64_t>(4, 31), {8, 15}}) {
    for (const int64_t context : {128, 1024, 4096}) {
      const std::vector<AttentionSequence> batch(sequences,
                                                 {drafts + 1, context, AttentionMask::kTree});
      // Its keys and values have to stand in one piece first.
      const double us =
          library_attention_us(shape, batch, machine) + concat_us(shape, batch, machine) + kHeadUs;
      largest = std::max(largest, kv_bytes(shape, batch) / us / (machine.hbm.gb_per_s * 1e3));
    }
  }
  return largest;
}

}  // namespace

std::vector<PublishedFigure> attention_library_agreement(const Machine& machine) {
  if (std::ranges::find(machine.measured_as, kAttentionHardware, &MeasuredAs::hardware) ==
      machine.measured_as.end()) {
    return {};
  }
  const std::string baseline(kAttentionLibrary);
  std::vector<PublishedFigure> list;
  const AttentionShape one{DType::kF16, 1, 1, 128, 128};
  for (const MeasuredAttention& point : kMeasuredAttention) {
    const double us = library_attention_us(one, {{point.length, 0, AttentionMask::kNone}}, machine);
    list.push_back({baseline, fmt::format("{} x {}, one head, no mask", point.length, point.length),
                    point.us, std::max(kDispatchFloorUs, us + kHeadUs), "us"});
  }
  const AttentionShape llama = rank_attention("llama-2-7b", 1);
  for (const MeasuredMfu& point : kMeasuredMfu) {
    const std::vector<AttentionSequence> batch = {{point.tokens, point.context}};
    const double us = library_attention_us(llama, batch, machine) + kHeadUs;
    const double mfu = unmasked_flops(llama, batch) / (us * 1e-6) / machine.peak_flops(llama.type);
    list.push_back({baseline, point.what, point.mfu, mfu, "1"});
  }
  list.push_back({baseline, "llama-2-7b, concat and verify, largest MBU", kMostVerifyMbu,
                  largest_verify_mbu(llama, machine), "1", true});
  return list;
}

std::vector<PublishedFigure> gemm_library_agreement(const Machine& machine) {
  std::vector<PublishedFigure> list;
  for (const MeasuredGemm& point : kMeasured) {
    const auto hardware =
        std::ranges::find(machine.measured_as, point.hardware, &MeasuredAs::hardware);
    if (hardware == machine.measured_as.end()) continue;
    list.push_back(compared(point, *hardware, machine));
  }
  return list;
}

}  // namespace tilewright
