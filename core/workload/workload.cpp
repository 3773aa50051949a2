#include "core/workload/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/workload/generator.h"
#include "core/workload/session_generator.h"
#include "core/workload/trace_reader.h"

namespace tilewright {

namespace {

/// Keeps the requests that are `wanted` (by index) and do not follow one that is left out.
void keep_requests(Workload& workload, const std::string& what,
                   const std::function<bool(int64_t)>& wanted) {
  std::vector<Request>& requests = workload.requests;
  std::vector<int64_t> places(requests.size(), -1);  // in the slice
  std::vector<Request> kept;
  int64_t orphans = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    if (!wanted(static_cast<int64_t>(i))) continue;
    Request& request = requests[i];
    if (request.after >= 0) {
      request.after = places[static_cast<size_t>(request.after)];
      if (request.after < 0) {
        ++orphans;
        continue;
      }
    }
    places[i] = static_cast<int64_t>(kept.size());
    kept.push_back(std::move(request));
  }
  if (kept.empty()) {
    throw Error(ErrorKind::kUsage, fmt::format("{} has no request {}", workload.source, what));
  }
  const int64_t first_ns = kept.front().arrival_ns;
  for (Request& request : kept) request.arrival_ns -= first_ns;
  requests = std::move(kept);
  if (orphans == 0) return;
  workload.notes.push_back(
      fmt::format("requests of sessions that begin outside the slice were left out: {}",
                  format_count(orphans)));
}

}  // namespace

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const GeneratorPreset& preset : generator_presets()) names.emplace_back(preset.name);
  for (const SessionPreset& preset : session_presets()) names.emplace_back(preset.name);
  std::sort(names.begin(), names.end());
  return names;
}

Workload load_workload(const std::string& name_or_path, int64_t limit, uint64_t seed) {
  return load_workload(name_or_path, limit, seed, TraceOptions{});
}

Workload load_workload(const std::string& name_or_path, int64_t limit, uint64_t seed,
                       const TraceOptions& options) {
  if (limit < 0) {
    throw Error(ErrorKind::kUsage, fmt::format("the number of requests is {}, below 0", limit));
  }
  const int64_t count = limit > 0 ? limit : kDefaultRequests;
  for (const GeneratorPreset& preset : generator_presets()) {
    if (preset.name == name_or_path) return generate_workload(preset, count, seed);
  }
  for (const SessionPreset& preset : session_presets()) {
    if (preset.name == name_or_path) return generate_sessions(preset, count, seed);
  }
  std::error_code ignored;
  if (!std::filesystem::exists(name_or_path, ignored)) {
    const std::vector<std::string> names = workload_names();
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("workload '{}' is neither a preset nor a trace file{}; presets are {}",
                    printable(name_or_path), did_you_mean(name_or_path, names), join(names, ", ")));
  }
  Workload workload = read_workload(name_or_path, options);
  if (limit > 0) limit_requests(workload, limit);
  return workload;
}

void limit_requests(Workload& workload, int64_t count) {
  TW_CHECK(count >= 0, "a number of requests is not negative");
  if (static_cast<size_t>(count) < workload.requests.size()) {
    workload.requests.resize(static_cast<size_t>(count));
  }
}

void slice_requests(Workload& workload, int64_t offset, int64_t count) {
  if (offset < 0 || count < 0) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a slice from request {} of {} requests is below 0", offset, count));
  }
  const auto size = static_cast<int64_t>(workload.requests.size());
  const int64_t end = count == 0 || count > size - offset ? size : offset + count;
  keep_requests(workload, fmt::format("from request {} on", offset),
                [&](int64_t index) { return index >= offset && index < end; });
}

void slice_window(Workload& workload, int64_t from_ns, int64_t to_ns) {
  const std::string what = fmt::format("from {:g} to {:g} s", static_cast<double>(from_ns) * 1e-9,
                                       static_cast<double>(to_ns) * 1e-9);
  keep_requests(workload, what, [&](int64_t index) {
    const Request& request = workload.requests[static_cast<size_t>(index)];
    return request.after >= 0 || (request.arrival_ns >= from_ns && request.arrival_ns < to_ns);
  });
}

double request_rate(const Workload& workload) {
  if (workload.requests.empty() || workload.requests.back().arrival_ns == 0) return 0;
  const auto starts = std::ranges::count_if(
      workload.requests, [](const Request& request) { return request.after < 0; });
  const auto gaps = static_cast<double>(starts - 1);
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
