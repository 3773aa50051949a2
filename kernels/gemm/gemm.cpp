#include "kernels/gemm/gemm.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/gemm/gemm_launch.h"
#include "kernels/gemm/gemm_reference.h"
#include "kernels/gemm/gemm_shape.h"
#include "kernels/gemm/gemm_space.h"

namespace tilewright {

namespace {

constexpr int64_t kMostElements = int64_t{1} << 40;

/// C's type: what was asked for, or the operands' own; with i8 i32, or f16 dequantised.
DType out_type(DType type, const Epilogue& epilogue, const std::string& asked) {
  const bool raw = type == DType::kI8 && !epilogue.column_scales;
  if (asked.empty()) return raw ? DType::kI32 : type == DType::kI8 ? DType::kF16 : type;
  const DType out = parse_dtype(asked);
  const bool whole = out == DType::kI8 || out == DType::kI32;
  if (raw && out != DType::kI32) {
    throw Error(ErrorKind::kUsage,
                fmt::format("gemm of i8 stores i32, not {}; epilogue dequant scales sums to f16, "
                            "bf16, f32 or i8",
                            name_of(out)));
  }
  if (type == DType::kI8 ? !raw && out == DType::kI32 : whole) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("gemm of {} with epilogue {} stores f16, bf16{} f32, not {}", name_of(type),
                    epilogue.text(), type == DType::kI8 ? ", i8 or" : " or", name_of(out)));
  }
  return out;
}

void check_epilogue(DType type, DType out, const Epilogue& epilogue) {
  const auto refuse = [&](const char* why) {
    throw Error(ErrorKind::kUsage, fmt::format("epilogue {} {}", epilogue.text(), why));
  };
  if (type != DType::kI8 && epilogue.column_scales) refuse("scales sums of i8; give --dtype i8");
  if (out == DType::kI32 && epilogue.needs_vectors()) {
    refuse("needs sums that are scaled; add dequant to it");
  }
  if (out == DType::kI8 && epilogue.residual) refuse("cannot add a residual to i8");
}

}  // namespace

std::string GemmKernel::summary() const {
  return "C = A x B with virtual padding: any m, n, k, no padding in memory";
}

std::vector<SizeInfo> GemmKernel::sizes() const {
  return {{"m", "rows of A and C"}, {"n", "columns of B and C"}, {"k", "columns of A, rows of B"}};
}

std::vector<std::string> GemmKernel::epilogues() const {
  return epilogue_texts();
}

std::vector<RealPart> GemmKernel::real_parts(const Problem& problem, const Launch& launch) const {
  const GemmShape shape = gemm_shape(problem);
  const auto& tensors = launch.tensors;
  return {{0, tensors[0].rows, shape.m, tensors[0].cols, shape.k},
          {1, shape.stored_k(), shape.k, shape.stored_n(), shape.n},
          {2, tensors[2].rows, shape.m, tensors[2].cols, shape.n}};
}

Problem GemmKernel::problem(const ProblemRequest& request) const {
  Problem problem;
  problem.kernel = name();
  problem.sizes = read_sizes(*this, request);
  const DType type = parse_dtype(request.dtype.empty() ? "f16" : request.dtype);
  if (type == DType::kI32) {
    throw Error(ErrorKind::kUsage, "gemm multiplies f16, bf16, f32 or i8, not i32");
  }
  const Epilogue epilogue = parse_epilogue(request.epilogue);
  const DType out = out_type(type, epilogue, request.out_dtype);
  check_epilogue(type, out, epilogue);
  problem.types = {type, type, out};
  problem.epilogue = epilogue.text();
  const std::string layout = request.layout.empty() ? "nd" : request.layout;
  if (layout != "nd" && layout != "nz") {
    throw Error(ErrorKind::kUsage,
                fmt::format("unknown layout '{}' of the weights; known are nd and nz", layout));
  }
  problem.layouts = {"nd", layout, "nd"};
  return problem;
}

Space GemmKernel::space(const Problem& problem, const Machine& machine) const {
  return gemm_space(gemm_shape(problem), machine);
}

Config GemmKernel::default_config(const Problem& problem, const Machine& machine) const {
  return gemm_default(gemm_shape(problem), machine, problem.text());
}

Launch GemmKernel::build(const Problem& problem, const Config& config,
                         const Machine& machine) const {
  return build_gemm_launch(problem, config, machine, problem.size("m"));
}

void GemmKernel::fill_inputs(const Problem& problem, const Launch& launch,
                             const InputValues& values, GmImage& image) const {
  fill_gemm_inputs(problem, launch, values, image);
}

std::vector<ExpectedTensor> GemmKernel::reference(const Problem& problem, const Launch& launch,
                                                  const GmImage& inputs) const {
  return {gemm_reference(problem, launch, inputs)};
}

std::string GroupedGemmKernel::summary() const {
  return "one GEMM for each expert in one launch, with ragged and empty experts";
}

std::vector<SizeInfo> GroupedGemmKernel::sizes() const {
  return {
      {"experts", "matrices B, at most 4096"},
      {"m", "rows of A and C, of all experts"},
      {"n", "columns of B and C"},
      {"k", "columns of A, rows of B"},
      {"skew", "how uneven the experts' rows are, up to 1000: shares 1 / rank^(skew/100)", 0, 0}};
}

Problem GroupedGemmKernel::problem(const ProblemRequest& request) const {
  Problem problem = GemmKernel::problem(request);
  const int64_t experts = problem.size("experts");
  constexpr int64_t kMostExperts = 4096;
  constexpr int64_t kMostSkew = 1000;
  const int64_t skew = problem.size("skew");
  if (experts > kMostExperts) {
    throw Error(ErrorKind::kUsage,
                fmt::format("size experts={} is outside 1 to {}", experts, kMostExperts));
  }
  if (skew > kMostSkew) {
    throw Error(ErrorKind::kUsage, fmt::format("size skew={} is outside 0 to {}", skew, kMostSkew));
  }
  if (problem.size("n") * problem.size("k") > kMostElements / (2 * experts)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} matrices of {} x {} make a tensor of more than 2^40 elements",
                            experts, problem.size("k"), problem.size("n")));
  }
  // All rows are one expert's, however uneven the shares.
  return experts == 1 ? problem.with("skew", 0) : problem;
}

std::string GemmPaddedKernel::summary() const {
  return "baseline: one fixed tile, m padded in memory to whole tiles";
}

Problem GemmPaddedKernel::problem(const ProblemRequest& request) const {
  Problem problem = GemmKernel::problem(request);
  if (problem.epilogue != "none") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no epilogue '{}'; known is none", name(), problem.epilogue));
  }
  return problem;
}

Config GemmPaddedKernel::default_config(const Problem& problem, const Machine& machine) const {
  // The tile of a large problem, whatever the size of this one.
  Problem large = problem;
  for (auto& [name, value] : large.sizes) value = std::max<int64_t>(value, 256);
  return gemm_default(gemm_shape(large), machine, problem.text());
}

Space GemmPaddedKernel::space(const Problem& problem, const Machine& machine) const {
  std::vector<Parameter> parameters;
  for (const auto& [name, value] : default_config(problem, machine).values) {
    parameters.push_back({name, "fixed", {value}});
  }
  return {std::move(parameters), {}};
}

Launch GemmPaddedKernel::build(const Problem& problem, const Config& config,
                               const Machine& machine) const {
  const int64_t tile = config.at("tile_m");
  return build_gemm_launch(problem, config, machine, round_up(problem.size("m"), tile));
}

}  // namespace tilewright
