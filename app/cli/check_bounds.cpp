#include "app/cli/check_bounds.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// Memory that --check may use for the tensors and the reference.
constexpr int64_t kMaxCheckBytes = int64_t{4} << 30;

/// The reference holds three numbers of 4 to 8 bytes for each element.
constexpr double kReferenceBytes = 16;

void refuse_above_limit(double bytes) {
  if (bytes <= static_cast<double>(kMaxCheckBytes)) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("--check of this shape needs about {} of memory, the limit is {}; check "
                          "a smaller one",
                          format_bytes(bytes), format_bytes(static_cast<double>(kMaxCheckBytes))));
}

}  // namespace

/// By the matrices of a GEMM, at 1 byte an element and without padding; other kernels pass.
void refuse_huge_check(const Problem& problem) {
  std::map<std::string, double> sizes;
  for (const auto& [name, value] : problem.sizes) sizes[name] = static_cast<double>(value);
  if (!sizes.contains("m") || !sizes.contains("n") || !sizes.contains("k")) return;
  const double m = sizes["m"];
  const double n = sizes["n"];
  const double k = sizes["k"];
  refuse_above_limit((1 + kReferenceBytes) * (m * k + k * n + m * n));
}

/// The functional run holds every tensor.
void refuse_huge_check(const Launch& launch) {
  double bytes = 0;
  for (const Tensor& tensor : launch.tensors) {
    bytes += static_cast<double>(tensor.bytes()) +
             kReferenceBytes * static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
  }
  refuse_above_limit(bytes);
}

}  // namespace tilewright
