#include "tuner/xyserve/agreement.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

struct MeasuredGemm {
  const char* hardware;
  const char* source;
  int64_t m, n, k;
  const char* layout;
  const char* out_dtype;
  double us;
};

// Published by the pto-isa project and in the documents of CATLASS (docs/xyserve.md).
constexpr MeasuredGemm kMeasured[] = {
    {"Ascend A3 die, 24 cube cores (dav-2201)", "pto-isa", 1536, 1536, 1536, "nd", "f32", 38.8},
    {"Ascend A3 die, 24 cube cores (dav-2201)", "pto-isa", 6144, 6144, 6144, "nd", "f32", 1506},
    {"Ascend 910B2, 20 AIC", "CATLASS, 256 x 128", 1024, 576, 6144, "nd", "f16", 48.6},
    {"Ascend 910B2, 20 AIC", "CATLASS, default tile", 20, 6144, 16384, "nz", "f16", 181.4},
    {"Ascend 910B2, 20 AIC", "CATLASS, default tile", 20, 6144, 16384, "nd", "f16", 252.4},
};

Agreement compared(const MeasuredGemm& point, const MeasuredAs& hardware, Machine machine) {
  if (hardware.cores > 0) machine.cores.aic = hardware.cores;
  const Kernel& kernel = find_kernel("gemm_library");
  ProblemRequest request;
  request.sizes = {{"m", point.m}, {"n", point.n}, {"k", point.k}};
  request.dtype = "f16";
  request.layout = point.layout;
  request.out_dtype = point.out_dtype;
  const Problem problem = kernel.problem(request);
  const Launch launch = kernel.build(problem, kernel.default_config(problem, machine), machine);
  const double us = machine.us_of_ticks(time_detailed(launch, machine).ticks);
  return {kernel.name(),
          fmt::format("m={} n={} k={} {}, {} cores ({})", point.m, point.n, point.k, point.layout,
                      machine.cores.aic, point.source),
          point.us, us + hardware.boundary_us, "us"};
}

}  // namespace

std::vector<Agreement> gemm_library_agreement(const Machine& machine) {
  std::vector<Agreement> list;
  for (const MeasuredGemm& point : kMeasured) {
    const auto hardware =
        std::ranges::find(machine.measured_as, point.hardware, &MeasuredAs::hardware);
    if (hardware == machine.measured_as.end()) continue;
    list.push_back(compared(point, *hardware, machine));
  }
  return list;
}

}  // namespace tilewright
