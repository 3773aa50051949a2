#pragma once

#include <string>
#include <vector>

#include "core/machine/machine.h"

namespace tilewright {

/// A published figure of a library or of a kernel tuned by hand, beside what a kernel of ours takes
/// for it.
struct PublishedFigure {
  std::string baseline;  ///< kernel
  std::string what;      ///< shape, and what was measured
  double measured = 0;
  double simulated = 0;  ///< with what the measured figure holds beyond the kernel
  std::string unit;      ///< "us", or "1" for shares
  bool at_most = false;  ///< `measured` is an upper bound

  /// simulated / measured - 1; 0 below an upper bound.
  double error() const { return at_most && simulated <= measured ? 0 : simulated / measured - 1; }
};

/// gemm_library beside measured GEMMs with the defaults of CATLASS, and kernel gemm beside what
/// other tiles were measured to take for the same problems. Only those whose hardware `machine`
/// says to stand for (Machine::measured_as).
std::vector<PublishedFigure> gemm_library_agreement(const Machine& machine);

/// attention_library beside torch-npu's attention, as pto-isa measured it (one head, no mask), and
/// beside what the paper of XY-Serve says of it on llama-2-7b: MFU of a square causal prefill, of
/// one behind a reused prefix, of a chunk, and the largest MBU of verification. MFU counts
/// operations that the mask hides. Only where `machine` says to stand for the hardware.
std::vector<PublishedFigure> attention_library_agreement(const Machine& machine);

}  // namespace tilewright
