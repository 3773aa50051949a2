#include <fmt/format.h>

#include <algorithm>

#include "simulator/timing.h"

namespace tilewright {

namespace {

struct PipeName {
  CoreKind kind;
  Pipe pipe;
  const char* name;
};

constexpr PipeName kPipeNames[] = {
    {CoreKind::kAic, Pipe::kCube, "aic_cube"}, {CoreKind::kAic, Pipe::kMte1, "aic_mte1"},
    {CoreKind::kAic, Pipe::kMte2, "aic_mte2"}, {CoreKind::kAic, Pipe::kFixp, "aic_fixpipe"},
    {CoreKind::kAiv, Pipe::kVec, "aiv_vec"},   {CoreKind::kAiv, Pipe::kMte2, "aiv_mte2"},
    {CoreKind::kAiv, Pipe::kMte3, "aiv_mte3"},
};

/// Sums over the cores of one kind that ran something.
struct KindSums {
  int64_t cores = 0;
  int64_t load_bytes = 0;
  int64_t store_bytes = 0;
  int64_t flops = 0;
};

KindSums sums_of(const TimingResult& result, CoreKind kind) {
  KindSums sums;
  for (const CoreCounters& core : result.cores) {
    const bool ran = std::any_of(core.instructions.begin(), core.instructions.end(),
                                 [](int64_t count) { return count > 0; });
    if (core.kind != kind || !ran) continue;
    ++sums.cores;
    sums.load_bytes += core.load_bytes;
    sums.store_bytes += core.store_bytes;
    sums.flops += core.flops;
  }
  return sums;
}

}  // namespace

std::vector<std::pair<std::string, double>> profiler_counters(const TimingResult& result,
                                                              const Machine& machine) {
  std::vector<std::pair<std::string, double>> counters;
  const auto cycles = [](int64_t ticks) {
    return static_cast<double>(ticks) / static_cast<double>(kTicksPerCycle);
  };
  const KindSums aic = sums_of(result, CoreKind::kAic);
  const KindSums aiv = sums_of(result, CoreKind::kAiv);
  for (const auto& [kind, sums, prefix] :
       {std::tuple(CoreKind::kAic, aic, "aic"), std::tuple(CoreKind::kAiv, aiv, "aiv")}) {
    if (sums.cores == 0) continue;
    counters.emplace_back(fmt::format("{}_cores", prefix), static_cast<double>(sums.cores));
    counters.emplace_back(fmt::format("{}_total_cycles", prefix),
                          cycles(result.ticks) * static_cast<double>(sums.cores));
    for (const PipeName& pipe : kPipeNames) {
      if (pipe.kind != kind) continue;
      int64_t busy = 0;
      for (const CoreCounters& core : result.cores) {
        if (core.kind == kind) busy += core.busy_ticks[static_cast<size_t>(pipe.pipe)];
      }
      const double mean = cycles(busy) / static_cast<double>(sums.cores);
      counters.emplace_back(fmt::format("{}_time(us)", pipe.name), mean / machine.cores.clock_mhz);
      counters.emplace_back(fmt::format("{}_ratio", pipe.name), mean / cycles(result.ticks));
    }
  }
  if (aic.cores > 0) {
    counters.emplace_back("GM_to_L1_datas(KB)", static_cast<double>(aic.load_bytes) / 1024);
    counters.emplace_back("L0C_to_GM_datas(KB)", static_cast<double>(aic.store_bytes) / 1024);
    counters.emplace_back("aic_cube_fops", static_cast<double>(aic.flops));
  }
  if (aiv.cores > 0) {
    counters.emplace_back("GM_to_UB_datas(KB)", static_cast<double>(aiv.load_bytes) / 1024);
    counters.emplace_back("UB_to_GM_datas(KB)", static_cast<double>(aiv.store_bytes) / 1024);
    counters.emplace_back("aiv_vec_fops", static_cast<double>(aiv.flops));
  }
  const MemoryCounters& memory = result.memory;
  counters.emplace_back("l2_read_bytes", static_cast<double>(memory.l2_read_bytes));
  counters.emplace_back("l2_write_bytes", static_cast<double>(memory.l2_write_bytes));
  counters.emplace_back("l2_read_hit_rate(%)", memory.l2_read_bytes == 0
                                                   ? 0.0
                                                   : 100.0 *
                                                         static_cast<double>(memory.l2_hit_bytes) /
                                                         static_cast<double>(memory.l2_read_bytes));
  counters.emplace_back("main_mem_read_bytes", static_cast<double>(memory.hbm_read_bytes));
  counters.emplace_back("main_mem_write_bytes", static_cast<double>(memory.hbm_write_bytes));
  if (result.chips > 1) {
    counters.emplace_back("link_bytes", static_cast<double>(memory.link_bytes));
  }
  return counters;
}

}  // namespace tilewright
