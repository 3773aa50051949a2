#include "kernels/vector/top_k.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/base/error.h"
#include "core/base/random.h"
#include "kernels/vector/top_k_launch.h"

namespace tilewright {

namespace {

constexpr int64_t kMostK = 64;

/// Maxima of all blocks of a row stay in UB.
constexpr int64_t kMostColumns = int64_t{1} << 18;

/// What `sample` draws by.
struct RowParams {
  double inverse_temperature = 1;
  double nucleus = 1;
  double uniform = 0;
  size_t k = 1;
};

/// Cumulative exponentials of the logits in descending order, and how far they may be off.
struct Cumulative {
  std::vector<double> sums;
  double error = 0;
};

Cumulative cumulative_of(std::span<const double> logits, double inverse_temperature) {
  const double unit = rounding_unit(DType::kF32);
  const double lowest = -largest_finite(DType::kF32);
  const auto scaled = [&](double logit) { return std::max(lowest, logit * inverse_temperature); };
  const double most = scaled(logits.front());
  Cumulative result;
  double sum = 0;
  for (const double logit : logits) {
    const double term = std::exp(scaled(logit) - most);
    // The scaled logits and their difference round once each.
    const double moved = std::abs(scaled(logit)) + std::abs(most) + most - scaled(logit) + 4;
    if (term > 0) result.error += term * std::expm1(moved * unit);
    sum += term;
    result.sums.push_back(sum);
  }
  result.error += sum * sum_error(kMostK + 8);
  return result;
}

/// Position of the first sum that `reaches` the target; the last one when none does.
template <typename Reaches>
size_t first_that(std::span<const double> sums, Reaches reaches) {
  const auto found = std::find_if(sums.begin(), sums.end(), reaches);
  return std::min(static_cast<size_t>(found - sums.begin()), sums.size() - 1);
}

/// Positions that sampling may draw, the exact one first: where a cumulative sum is as near to its
/// target as the sums may be off, both neighbours are as right.
std::vector<size_t> drawn_positions(const Cumulative& cumulative, const RowParams& params) {
  const std::span<const double> all = cumulative.sums;
  const std::span<const double> own = all.first(params.k);
  const double margin = 4 * cumulative.error;
  const auto last_at = [&](double move) {
    const double target = params.nucleus * own.back() + move;
    return first_that(own, [&](double sum) { return sum >= target; });
  };
  const auto token_at = [&](size_t last, double move) {
    const double target = params.uniform * own[last] + move;
    return first_that(own.first(last + 1), [&](double sum) { return sum > target; });
  };
  std::vector<size_t> positions = {token_at(last_at(0), 0)};
  for (size_t last = last_at(-margin); last <= last_at(margin); ++last) {
    for (size_t at = token_at(last, -margin); at <= token_at(last, margin); ++at) {
      positions.push_back(at);
    }
  }
  return positions;
}

}  // namespace

std::string TopKKernel::summary() const {
  return "the k largest of each row and their columns, largest first";
}

std::string SampleKernel::summary() const {
  return "draws a token from each row of logits: temperature, top-k, top-p";
}

std::vector<SizeInfo> TopKKernel::sizes() const {
  return {{"rows", "rows (sequences)"},
          {"cols", "columns (vocabulary)"},
          {"k", "largest logits found in a row", 20}};
}

void TopKKernel::check_sizes(const Problem& problem) const {
  const int64_t cols = problem.size("cols");
  const int64_t k = problem.size("k");
  if (k > kMostK || k > cols || cols > kMostColumns) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} finds k of at most {} columns, k at most {} and not more than "
                            "cols; got cols={}, k={}",
                            name(), kMostColumns, kMostK, cols, k));
  }
}

int64_t TopKKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                             const Machine& machine) const {
  return top_k_ub_bytes(problem, tile, machine);
}

Launch TopKKernel::build(const Problem& problem, const Config& config,
                         const Machine& machine) const {
  return build_top_k_launch(problem, tile_of(problem, config), machine, false);
}

Launch SampleKernel::build(const Problem& problem, const Config& config,
                           const Machine& machine) const {
  return build_top_k_launch(problem, tile_of(problem, config), machine, true);
}

void TopKKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                             GmImage& image) const {
  fill_tensor(launch, kTopLogits, -10, 10, values, image);
}

void SampleKernel::fill_inputs(const Problem& problem, const Launch& launch,
                               const InputValues& values, GmImage& image) const {
  TopKKernel::fill_inputs(problem, launch, values, image);
  const Tensor& params = launch.tensors[kTopParams];
  std::vector<float> filled(static_cast<size_t>(params.rows * params.cols));
  const auto k = static_cast<uint64_t>(problem.size("k"));
  for (int64_t r = 0; r < params.rows; ++r) {
    // A stream for each request, as a server's counters give it.
    Random random(mix_bits(values.seed, static_cast<uint64_t>(r)));
    float* row = filled.data() + r * params.cols;
    row[kInverseTemperature * kParamStride] = static_cast<float>(0.5 + 1.5 * random.uniform());
    row[kNucleus * kParamStride] = static_cast<float>(0.5 + 0.5 * random.uniform());
    row[kUniformNumber * kParamStride] = static_cast<float>(0.999 * random.uniform());
    row[kRowK * kParamStride] = static_cast<float>(1 + random.below(k));
  }
  image[kTopParams] = write_tensor(params, filled);
}

std::vector<ExpectedTensor> TopKKernel::reference(const Problem& problem, const Launch& launch,
                                                  const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const int64_t k = problem.size("k");
  const std::vector<float> logits = read_tensor(launch.tensors[kTopLogits], inputs[kTopLogits]);
  ExpectedTensor value{kTopValue, rows, k, {}, 0, 0};
  ExpectedTensor id{kTopId, rows, k, {}, 0, 0};
  std::vector<int64_t> order(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits.data() + r * cols;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t x, int64_t y) {
      return row[x] > row[y] || (row[x] == row[y] && x < y);
    });
    for (int64_t i = 0; i < k; ++i) {
      const int64_t column = order[static_cast<size_t>(i)];
      value.values.push_back(static_cast<double>(row[column]));
      id.values.push_back(static_cast<double>(column));
    }
  }
  return {value, id};
}

std::vector<ExpectedTensor> SampleKernel::reference(const Problem& problem, const Launch& launch,
                                                    const GmImage& inputs) const {
  std::vector<ExpectedTensor> expected = TopKKernel::reference(problem, launch, inputs);
  const int64_t rows = problem.size("rows");
  const auto k = static_cast<size_t>(problem.size("k"));
  const std::vector<float> params = read_tensor(launch.tensors[kTopParams], inputs[kTopParams]);
  ExpectedTensor token{kTopToken, rows, 1, {}, 0, 0};
  for (int64_t r = 0; r < rows; ++r) {
    const auto param = [&](SampleParam which) {
      return static_cast<double>(
          params[static_cast<size_t>((r * kSampleParams + which) * kParamStride)]);
    };
    const RowParams row = {param(kInverseTemperature), param(kNucleus), param(kUniformNumber),
                           static_cast<size_t>(param(kRowK))};
    const auto first = static_cast<size_t>(r) * k;
    const std::span<const double> logits = std::span(expected[0].values).subspan(first, k);
    std::vector<double> ids;
    for (const size_t at : drawn_positions(cumulative_of(logits, row.inverse_temperature), row)) {
      ids.push_back(expected[1].values[first + at]);
    }
    token.values.push_back(ids.front());
    token.also[static_cast<size_t>(r)] = std::move(ids);
  }
  expected.push_back(std::move(token));
  return expected;
}

}  // namespace tilewright
