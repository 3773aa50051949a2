#pragma once

#include <string>
#include <vector>

#include "core/machine/machine.h"

namespace tilewright {

/// A published figure of a library or of a kernel tuned by hand, beside what the baseline of the
/// same name takes for it.
struct Agreement {
  std::string baseline;  ///< kernel
  std::string what;      ///< shape, and what was measured
  double measured = 0;
  double simulated = 0;  ///< with what the measured figure holds beyond the kernel
  std::string unit;      ///< "us", or "1" for shares

  /// simulated / measured - 1.
  double error() const { return simulated / measured - 1; }
};

/// gemm_library beside the measured GEMMs that a library's tile could reach: kernels
/// of pto-isa and CATLASS whose block the library ships. Only those whose hardware `machine` says
/// to stand for (Machine::measured_as).
std::vector<Agreement> gemm_library_agreement(const Machine& machine);

}  // namespace tilewright
