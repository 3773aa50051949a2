#include "kernels/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxSize = INT32_MAX;
constexpr int64_t kMaxProduct = int64_t{1} << 40;

double allowed_error(const ExpectedTensor& expected, size_t element) {
  const double own = expected.errors.empty() ? 0 : expected.errors[element];
  return expected.absolute + expected.relative * std::abs(expected.values[element]) + own;
}

/// Whether both are no number, or would be if the type had one.
bool is_same_nan(DType type, double have, double want) {
  const bool is_whole = type == DType::kI8 || type == DType::kI32;
  return std::isnan(want) && (is_whole || std::isnan(have));
}

/// Whether an infinite result is one that the type could not hold.
bool overflows(DType type, double have, double want, double allowed) {
  return std::isinf(have) && std::signbit(have) == std::signbit(want) &&
         std::abs(want) + allowed > largest_finite(type);
}

bool is_alternative(const ExpectedTensor& expected, size_t element, double have) {
  const auto also = expected.also.find(element);
  return also != expected.also.end() &&
         std::find(also->second.begin(), also->second.end(), have) != also->second.end();
}

/// Compares one tensor with what it should hold.
void compare(const Launch& launch, const GmImage& image, const ExpectedTensor& expected,
             CheckResult& result) {
  const Tensor& tensor = launch.tensors[static_cast<size_t>(expected.tensor)];
  const std::vector<float> got = read_tensor(tensor, image[static_cast<size_t>(expected.tensor)]);
  for (int64_t r = 0; r < expected.rows; ++r) {
    for (int64_t c = 0; c < expected.cols; ++c) {
      const double want = expected.values[static_cast<size_t>(r * expected.cols + c)];
      const double have = got[static_cast<size_t>(r * tensor.cols + c)];
      const double error = std::abs(have - want);
      const double allowed = allowed_error(expected, static_cast<size_t>(r * expected.cols + c));
      ++result.elements;
      const bool good = is_same_nan(tensor.type, have, want) || error <= allowed || have == want ||
                        overflows(tensor.type, have, want, allowed) ||
                        is_alternative(expected, static_cast<size_t>(r * expected.cols + c), have);
      if (!good && result.first_failure.empty()) {
        result.first_failure =
            fmt::format("tensor {}[{},{}]: got {:.9g}, expected {:.9g} +- {:.3g}", tensor.name, r,
                        c, have, want, allowed);
      }
      if (!std::isfinite(error)) continue;
      result.max_abs_err = std::max(result.max_abs_err, error);
      if (std::abs(want) >= allowed && want != 0) {
        result.max_rel_err = std::max(result.max_rel_err, error / std::abs(want));
      }
    }
  }
}

}  // namespace

int64_t idle_value(const SizeInfo& size) {
  return size.fallback.value_or(size.min);
}

namespace {

using NamedSizes = std::vector<std::pair<std::string, int64_t>>;

/// The value that a request gives a size, or its fallback.
std::optional<int64_t> asked(const ProblemRequest& request, const SizeInfo& size) {
  const auto given = request.sizes.find(size.name);
  return given == request.sizes.end() ? size.fallback : given->second;
}

bool is_idle(const SizeInfo& size, const std::vector<SizeInfo>& infos,
             const ProblemRequest& request) {
  const auto counted = std::ranges::find(infos, size.of, &SizeInfo::name);
  return counted != infos.end() && asked(request, *counted) == 0;
}

/// The one value of a size that means nothing.
int64_t read_idle(const SizeInfo& size, const ProblemRequest& request) {
  const int64_t value = idle_value(size);
  const auto given = request.sizes.find(size.name);
  if (given != request.sizes.end() && given->second != value) {
    throw Error(ErrorKind::kUsage,
                fmt::format("size {}={} means nothing where {}=0: leave it out, or give {}=N",
                            size.name, given->second, size.of, size.of));
  }
  return value;
}

int64_t read_size(const Kernel& kernel, const SizeInfo& size, const ProblemRequest& request) {
  const std::optional<int64_t> value = asked(request, size);
  if (!value) {
    throw Error(ErrorKind::kUsage,
                fmt::format("kernel {} needs the size {} ({}); give --shape {}=N", kernel.name(),
                            size.name, size.meaning, size.name));
  }
  if (*value < size.min || *value > kMaxSize) {
    throw Error(ErrorKind::kUsage, fmt::format("size {}={} is outside {} to {}", size.name, *value,
                                               size.min, kMaxSize));
  }
  return *value;
}

/// Tensors are products of two sizes: they must stay addressable.
void check_products(const NamedSizes& sizes) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    for (size_t j = i + 1; j < sizes.size(); ++j) {
      if (sizes[i].second > kMaxProduct / std::max<int64_t>(1, sizes[j].second)) {
        throw Error(ErrorKind::kUsage,
                    fmt::format("sizes {}={} and {}={} make a tensor of more than 2^40 elements",
                                sizes[i].first, sizes[i].second, sizes[j].first, sizes[j].second));
      }
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, int64_t>> read_sizes(const Kernel& kernel,
                                                        const ProblemRequest& request) {
  const std::vector<SizeInfo> infos = kernel.sizes();
  std::vector<std::string> names;
  for (const SizeInfo& info : infos) names.push_back(info.name);
  for (const auto& [name, value] : request.sizes) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("kernel {} has no size '{}'{} (its sizes: {})", kernel.name(),
                              printable(name), did_you_mean(name, names), join(names, ", ")));
    }
  }
  NamedSizes sizes;
  for (const SizeInfo& info : infos) {
    sizes.emplace_back(info.name, is_idle(info, infos, request) ? read_idle(info, request)
                                                                : read_size(kernel, info, request));
  }
  check_products(sizes);
  return sizes;
}

double Kernel::work(const Problem& problem) const {
  double product = 1;
  for (const auto& [size_name, value] : problem.sizes)
    product *= static_cast<double>(std::max<int64_t>(1, value));
  return product;
}

CheckResult check_kernel(const Kernel& kernel, const Problem& problem, const Config& config,
                         const Machine& machine, const InputValues& values) {
  const Launch launch = kernel.build(problem, config, machine);
  GmImage image = make_image(launch);
  kernel.fill_inputs(problem, launch, values, image);
  const std::vector<ExpectedTensor> expected = kernel.reference(problem, launch, image);
  run_functional(launch, machine, image);
  CheckResult result;
  for (const ExpectedTensor& tensor : expected) compare(launch, image, tensor, result);
  result.ok = result.first_failure.empty();
  return result;
}

const Kernel& find_kernel(std::string_view name) {
  std::vector<std::string> names;
  for (const Kernel* kernel : all_kernels()) {
    if (kernel->name() == name) return *kernel;
    names.push_back(kernel->name());
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("unknown kernel '{}'{} (known: {})", printable(name),
                          did_you_mean(name, names), join(names, ", ")));
}

}  // namespace tilewright
