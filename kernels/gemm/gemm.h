#pragma once

#include "kernels/kernel.h"

namespace tilewright {

/// SmoothGEMM (XY-Serve, section on virtual padding): C[m,n] = A[m,k] x B[k,n] and an epilogue
/// (gemm_shape.h). On-chip buffers are sized in whole tiles, loads and stores touch real rows and
/// columns only, so any m, n, k runs without padding in memory. One task is one tile of C, or with
/// split-K a part of its depth: a ring of K chunks in L1, a ring of K steps in L0, sums in L0C,
/// drained by the fixpipe, which scales, rectifies and converts; the rest of an epilogue runs on
/// the vector cores.
///
/// B is row-major ("nd") or in the fractal format ("nz": contiguous bursts; k and n padded to whole
/// fractals in memory, since weights are laid out offline). Types f16, bf16 and f32, with C of any
/// of them; and i8, with C in i32, or dequantised in f16, bf16, f32 or i8.
class GemmKernel : public Kernel {
 public:
  std::string name() const override { return "gemm"; }
  std::string summary() const override;
  int revision() const override { return 3; }
  std::vector<SizeInfo> sizes() const override;
  std::vector<std::string> epilogues() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  std::vector<RealPart> real_parts(const Problem& problem, const Launch& launch) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;
};

/// The GEMMs of a layer of experts in one launch: rows of A stand expert by expert
/// (rows_of_experts() says how many each has: a table that the host knows), B holds the experts'
/// matrices one below the other. Experts may be empty.
class GroupedGemmKernel : public GemmKernel {
 public:
  std::string name() const override { return "grouped_gemm"; }
  std::string summary() const override;
  std::vector<SizeInfo> sizes() const override;
  Problem problem(const ProblemRequest& request) const override;
};

/// The plain baseline: one fixed tile (128 x 256, K chunks of 256), and m padded in memory to whole
/// tiles, so that pad rows are loaded, multiplied and stored. No epilogue.
class GemmPaddedKernel : public GemmKernel {
 public:
  std::string name() const override { return "gemm_padded"; }
  std::string summary() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
};

/// First-order estimate of a config's time in us by its traffic and operations (docs/model.md,
/// "First-order estimate"): the slowest of cube, L1 to L0, GM to L1 and HBM, waves counted whole,
/// with one miss latency for each K chunk that its wave is the first to load. It decides what to
/// try first, and is never reported as a measurement.
double gemm_estimate_us(const Problem& problem, const Config& config, const Machine& machine);

}  // namespace tilewright
