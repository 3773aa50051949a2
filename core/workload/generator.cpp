#include "core/workload/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

constexpr std::array<double, 5> kQuantiles = {0, 0.5, 0.9, 0.99, 1};
constexpr int64_t kMaxGenerated = 20'000'000;

constexpr double kPaperRate = 4;

/// Lengths that are uniform from 0.8 to 1.2 of their mean.
constexpr LengthStatistics uniform_about(double mean) {
  return {.min = 0.8 * mean,
          .p50 = mean,
          .p90 = 1.16 * mean,
          .p99 = 1.196 * mean,
          .max = 1.2 * mean,
          .mean = mean};
}

/// Mean, p50, p90, p99, max, rate and CV of a trace are those of the whole of it, min that of
/// its first half.
constexpr GeneratorPreset kPresets[] = {
    {.name = "chat",
     .source =
         "statistics of Azure LLM inference trace 2023, conversation (Patel et al., Splitwise, "
         "ISCA 2024; CC-BY 4.0)",
     .prompt = {.min = 2, .p50 = 1020, .p90 = 2734, .p99 = 4142, .max = 14050, .mean = 1155},
     .output = {.min = 7, .p50 = 129, .p90 = 424, .p99 = 601, .max = 1000, .mean = 211},
     .requests_per_second = 5.53,
     .gap_cv = 1.09},
    {.name = "code",
     .source = "statistics of Azure LLM inference trace 2023, code (Patel et al., Splitwise, ISCA "
               "2024; CC-BY 4.0)",
     .prompt = {.min = 6, .p50 = 1469, .p90 = 5188, .p99 = 7436, .max = 7437, .mean = 2048},
     .output = {.min = 6, .p50 = 13, .p90 = 55, .p99 = 251, .max = 1899, .mean = 28},
     .requests_per_second = 2.57,
     .gap_cv = 13.2},
    // The trace states arrivals on a grid of 3 s, so its gaps tell nothing; Poisson is assumed.
    {.name = "long-context",
     .source = "statistics of Mooncake's conversation trace (Qin et al., FAST 2025; Apache-2.0)",
     .prompt = {.min = 891, .p50 = 6909, .p90 = 27367, .p99 = 85400, .max = 126195, .mean = 12035},
     .output = {.min = 1, .p50 = 350, .p90 = 597, .p99 = 1119, .max = 2000, .mean = 343},
     .requests_per_second = 3.40,
     .gap_cv = 1},
    // Lengths only; the rate is the lowest at which the paper of XY-Serve measures with ShareGPT.
    {.name = "sharegpt",
     .source = "statistics of ShareGPT's conversations as filtered for Sarathi-Serve (8k tokens of "
               "Llama 2's tokenizer; Agrawal et al., OSDI 2024; Apache-2.0); Poisson arrivals",
     .prompt = {.min = 1, .p50 = 1730, .p90 = 5696, .p99 = 7434, .max = 8141, .mean = 2340},
     .output = {.min = 2, .p50 = 415, .p90 = 834, .p99 = 998, .max = 1024, .mean = 439},
     .requests_per_second = kPaperRate,
     .gap_cv = 1},
    // vLLM's Sonnet benchmark states one length of prompt and one of output (550 and 150 unless
    // told otherwise); the paper of XY-Serve makes it prefill-heavy and decode-heavy without saying
    // how long. Lengths here are uniform within 20 % of a mean, sixteen to one and one to four.
    {.name = "prefill-heavy",
     .source = "chosen: Sonnet-like, uniform lengths within 20 %, prompt 2000, output 125; Poisson "
               "arrivals",
     .prompt = uniform_about(2000),
     .output = uniform_about(125),
     .requests_per_second = kPaperRate,
     .gap_cv = 1},
    {.name = "decode-heavy",
     .source = "chosen: Sonnet-like, uniform lengths within 20 %, prompt 250, output 1000; Poisson "
               "arrivals",
     .prompt = uniform_about(250),
     .output = uniform_about(1000),
     .requests_per_second = kPaperRate,
     .gap_cv = 1},
};

/// Arrival times of `count` requests, the first at 0.
std::vector<int64_t> arrivals(const GeneratorPreset& preset, int64_t count, Random& random) {
  const double shape = 1 / (preset.gap_cv * preset.gap_cv);
  std::vector<double> times = {0};
  for (int64_t i = 1; i < count; ++i) times.push_back(times.back() + random.gamma(shape));
  const double span_ns = static_cast<double>(count - 1) / preset.requests_per_second * 1e9;
  // A few very bursty gaps may all be too small for a double: then everything arrives at once.
  const double last = times.back() > 0 ? times.back() : 1;
  std::vector<int64_t> rounded;
  rounded.reserve(times.size());
  for (double time : times) rounded.push_back(std::llround(time / last * span_ns));
  return rounded;
}

}  // namespace

std::span<const GeneratorPreset> generator_presets() {
  return kPresets;
}

LengthDistribution::LengthDistribution(const LengthStatistics& statistics)
    : knots_{statistics.min, statistics.p50, statistics.p90, statistics.p99, statistics.max} {
  TW_CHECK(std::is_sorted(knots_.begin(), knots_.end()), "quantiles ascend");
  double lower_sum = 0;
  double width_sum = 0;
  for (size_t i = 0; i + 1 < knots_.size(); ++i) {
    const double probability = kQuantiles[i + 1] - kQuantiles[i];
    lower_sum += probability * knots_[i];
    width_sum += probability * (knots_[i + 1] - knots_[i]);
  }
  const double share = (statistics.mean - lower_sum) / width_sum;
  TW_CHECK(share > 0 && share < 1, "the mean is within what the quantiles allow");
  exponent_ = 1 / share - 1;
}

int64_t LengthDistribution::at(double quantile) const {
  size_t segment = 0;
  while (segment + 2 < knots_.size() && quantile >= kQuantiles[segment + 1]) ++segment;
  const double t =
      (quantile - kQuantiles[segment]) / (kQuantiles[segment + 1] - kQuantiles[segment]);
  const double low = knots_[segment];
  const double value = low + (knots_[segment + 1] - low) * std::pow(t, exponent_);
  return std::max<int64_t>(1, std::llround(value));
}

Workload generate_workload(const GeneratorPreset& preset, int64_t count, uint64_t seed) {
  if (count < 1 || count > kMaxGenerated) {
    throw Error(ErrorKind::kUsage,
                fmt::format("cannot generate {} requests; from 1 to {} are possible", count,
                            kMaxGenerated));
  }
  const LengthDistribution prompts(preset.prompt);
  const LengthDistribution outputs(preset.output);
  // Separate streams, so that lengths do not depend on how many numbers a gap takes.
  Random lengths(mix_bits(seed, 0));
  Random gaps(mix_bits(seed, 1));
  Workload workload;
  workload.name = preset.name;
  workload.source = fmt::format("generated: preset {}, seed {}", preset.name, seed);
  for (int64_t arrival_ns : arrivals(preset, count, gaps)) {
    Request request;
    request.arrival_ns = arrival_ns;
    request.prompt_tokens = prompts.at(lengths.uniform());
    request.output_tokens = outputs.at(lengths.uniform());
    workload.requests.push_back(std::move(request));
  }
  return workload;
}

}  // namespace tilewright
