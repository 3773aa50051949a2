#include "app/cli/work_estimate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>

#include "app/cli/clock.h"
#include "app/cli/progress.h"
#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

// Rates of docs/performance.md, "How long a run takes".
constexpr double kDetailedPerSecond = 10e6;  ///< instructions
constexpr double kComposedSpeedup = 4.6;
constexpr double kHazardsPerSecond = 0.38e6;  ///< instructions
constexpr double kFunctionalPerSecond = 1e6;  ///< instructions
// Of a check: multiply-adds of the reference in f64, those of attention with exponentials and pages
// between, and elements of tensors, which are filled, converted and compared.
constexpr double kProductsPerSecond = 2.5e9;
constexpr double kAttentionPerSecond = 0.4e9;
constexpr double kElementsPerSecond = 40e6;

/// The reference holds three numbers of 4 to 8 bytes for each element.
constexpr double kReferenceBytes = 16;

double reference_seconds(const Kernel& kernel, const Problem& problem) {
  return kernel.work(problem) / (problem.mask.empty() ? kProductsPerSecond : kAttentionPerSecond);
}

}  // namespace

double most_bytes() {
  const double pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / 2;
}

WorkEstimate estimate_timing(const Launch& launch, const Machine& machine, Fidelity fidelity) {
  const bool is_composed = resolve(fidelity, launch, machine) == Fidelity::kComposed;
  const double rate = kDetailedPerSecond * (is_composed ? kComposedSpeedup : 1);
  return {static_cast<double>(launch.instruction_count()) / rate, 0};
}

WorkEstimate estimate_hazards(const Launch& launch) {
  return {static_cast<double>(launch.instruction_count()) / kHazardsPerSecond, 0};
}

WorkEstimate estimate_check(const Kernel& kernel, const Problem& problem, const Launch& launch) {
  WorkEstimate estimate{reference_seconds(kernel, problem), 0};
  estimate.seconds += static_cast<double>(launch.instruction_count()) / kFunctionalPerSecond;
  for (const Tensor& tensor : launch.tensors) {
    const double elements = static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
    estimate.seconds += elements / kElementsPerSecond;
    estimate.bytes += static_cast<double>(tensor.bytes()) + kReferenceBytes * elements;
  }
  return estimate;
}

WorkEstimate estimate_check(const Kernel& kernel, const Problem& problem) {
  WorkEstimate estimate{reference_seconds(kernel, problem), 0};
  std::map<std::string, double> sizes;
  for (const auto& [name, value] : problem.sizes) sizes[name] = static_cast<double>(value);
  if (!sizes.contains("m") || !sizes.contains("n") || !sizes.contains("k")) return estimate;
  const double elements =
      sizes["m"] * sizes["k"] + sizes["k"] * sizes["n"] + sizes["m"] * sizes["n"];
  estimate.bytes = (1 + kReferenceBytes) * elements;  // at 1 byte an element, without padding
  return estimate;
}

void refuse_huge(const WorkEstimate& estimate, std::string_view what) {
  if (estimate.bytes > most_bytes()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} of this shape needs about {} of memory, half of this computer's is "
                            "{}; take a smaller one, or give --yes",
                            what, format_bytes(estimate.bytes), format_bytes(most_bytes())));
  }
  if (estimate.seconds > kMostSeconds) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("{} of this shape takes about {}, the limit is {}; take a smaller one, "
                    "or give --yes",
                    what, format_duration(estimate.seconds), format_duration(kMostSeconds)));
  }
}

std::string format_duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{} h", format_decimals(seconds / 3600, 1));
}

WorkNotice::WorkNotice(const Context& context, const WorkEstimate& estimate, std::string what) {
  if (estimate.seconds <= kNotedSeconds) return;
  context.note(
      fmt::format("{}: takes about {}; Ctrl-C ends it", what, format_duration(estimate.seconds)));
  thread_ = std::jthread([this, &context, seconds = estimate.seconds,
                          what = std::move(what)](const std::stop_token& stop) {
    Progress progress(context.console().err(), context.globals().quiet);
    const double started = wall_seconds();
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, stop, std::chrono::milliseconds(500), [] { return false; })) {
      if (stop.stop_requested()) return;
      progress.update([&] {
        return fmt::format("{}: {} of about {}", what, format_duration(wall_seconds() - started),
                           format_duration(seconds));
      });
    }
  });
}

}  // namespace tilewright
