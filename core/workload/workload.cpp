#include "core/workload/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/workload/generator.h"
#include "core/workload/trace_reader.h"

namespace tilewright {

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const GeneratorPreset& preset : generator_presets()) names.emplace_back(preset.name);
  std::sort(names.begin(), names.end());
  return names;
}

Workload load_workload(const std::string& name_or_path, int64_t limit, uint64_t seed) {
  if (limit < 0) {
    throw Error(ErrorKind::kUsage, fmt::format("the number of requests is {}, below 0", limit));
  }
  for (const GeneratorPreset& preset : generator_presets()) {
    if (preset.name == name_or_path) {
      return generate_workload(preset, limit > 0 ? limit : kDefaultRequests, seed);
    }
  }
  std::error_code ignored;
  if (!std::filesystem::exists(name_or_path, ignored)) {
    const std::vector<std::string> names = workload_names();
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("workload '{}' is neither a preset nor a trace file{}; presets are {}",
                    printable(name_or_path), did_you_mean(name_or_path, names), join(names, ", ")));
  }
  Workload workload = read_workload(name_or_path);
  if (limit > 0) limit_requests(workload, limit);
  return workload;
}

void limit_requests(Workload& workload, int64_t count) {
  TW_CHECK(count >= 0, "a number of requests is not negative");
  if (static_cast<size_t>(count) < workload.requests.size()) {
    workload.requests.resize(static_cast<size_t>(count));
  }
}

double request_rate(const Workload& workload) {
  if (workload.requests.empty() || workload.requests.back().arrival_ns == 0) return 0;
  const auto gaps = static_cast<double>(workload.requests.size() - 1);
  return gaps / (static_cast<double>(workload.requests.back().arrival_ns) * 1e-9);
}

void scale_rate(Workload& workload, double requests_per_second) {
  if (!(requests_per_second > 0)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a rate of {} requests/s is not above 0", requests_per_second));
  }
  if (std::isinf(requests_per_second)) {
    for (Request& request : workload.requests) request.arrival_ns = 0;
    return;
  }
  if (workload.requests.size() < 2) return;
  const double rate = request_rate(workload);
  if (rate == 0) {
    throw Error(ErrorKind::kUsage,
                fmt::format("all requests of {} arrive at once; there are no gaps to scale to {} "
                            "requests/s",
                            workload.source, requests_per_second));
  }
  const double factor = rate / requests_per_second;
  if (!(static_cast<double>(workload.requests.back().arrival_ns) * factor <
        static_cast<double>(kMaxArrivalNs))) {
    throw Error(ErrorKind::kUsage,
                fmt::format("at {} requests/s the workload would last longer than {} days",
                            requests_per_second, kMaxArrivalNs / 86'400'000'000'000));
  }
  for (Request& request : workload.requests) {
    request.arrival_ns = std::llround(static_cast<double>(request.arrival_ns) * factor);
  }
}

}  // namespace tilewright
