#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/workload/workload.h"

namespace tilewright {

/// Published statistics of a length distribution, in tokens.
struct LengthStatistics {
  double min = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double max = 0;
  double mean = 0;
};

/// A kind of traffic, stated by the statistics of a public trace of it, or chosen (then the source
/// says so).
struct GeneratorPreset {
  std::string_view name;
  std::string_view source;  ///< the trace and its licence
  LengthStatistics prompt;
  LengthStatistics output;
  double requests_per_second = 0;
  double gap_cv = 0;  ///< coefficient of variation of the gaps between arrivals; 1 is Poisson
};

/// `chat`, `code` and `long-context` (production traces), `sharegpt`, and `prefill-heavy` and
/// `decode-heavy`, in this order.
std::span<const GeneratorPreset> generator_presets();

/// A distribution with the quantiles and the mean of `statistics`. Between neighbouring quantiles
/// (0, a) and (1, b) of a segment the value is a + (b - a) * t^s, with the one exponent s for which
/// the mean comes out: a segment then contributes a + (b - a) / (s + 1) times its probability.
class LengthDistribution {
 public:
  /// The mean must lie strictly between the smallest and the largest that these quantiles allow.
  explicit LengthDistribution(const LengthStatistics& statistics);

  /// The length at `quantile` in [0, 1], rounded, at least 1.
  int64_t at(double quantile) const;

 private:
  std::array<double, 5> knots_;
  double exponent_ = 1;
};

/// `count` (>= 1) requests: prompt and output lengths drawn independently, gaps from a gamma
/// distribution with the preset's CV, rescaled so that the mean rate is the preset's exactly (as
/// vLLM's benchmark does). The same arguments give the same requests on every platform.
Workload generate_workload(const GeneratorPreset& preset, int64_t count, uint64_t seed);

}  // namespace tilewright
