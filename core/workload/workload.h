#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tilewright {

/// One request of a workload.
struct Request {
  int64_t arrival_ns = 0;     ///< after the first request of the workload
  int64_t prompt_tokens = 0;  ///< >= 1
  int64_t output_tokens = 0;  ///< >= 1; known beforehand, as every trace is a recording
  /// One id for each block of Workload::prefix_block_tokens prompt tokens (the last block may be
  /// partial). Equal ids at the same place mean an equal prompt up to there. May be empty.
  std::vector<int64_t> prefix_hashes;

  bool operator==(const Request&) const = default;
};

/// Requests over time, ordered by arrival; the first arrives at 0.
struct Workload {
  std::string name;    ///< preset name, or the file's name without its folder
  std::string source;  ///< where it comes from: the path, or preset and seed
  std::vector<Request> requests;
  int64_t prefix_block_tokens = 0;  ///< 0: no request has prefix hashes
};

/// Names of the generator's presets, sorted.
std::vector<std::string> workload_names();

/// A preset's name, generated with `seed`, or the path of a trace file (trace_reader.h). At most
/// `limit` requests; 0 means all of a file, and kDefaultRequests of a preset. Error (not found)
/// suggests the nearest name.
Workload load_workload(const std::string& name_or_path, int64_t limit, uint64_t seed);

/// Requests that a preset gives when nobody says how many.
inline constexpr int64_t kDefaultRequests = 1000;

/// Keeps the first `count` requests.
void limit_requests(Workload& workload, int64_t count);

/// Mean arrival rate in requests per second: gaps over the time from first to last arrival; 0 when
/// all arrive at once.
double request_rate(const Workload& workload);

/// Stretches or shrinks all gaps so that the mean rate becomes `requests_per_second` (> 0;
/// infinity: all arrive at once). Error (usage) when the rate is not positive, or when all requests
/// already arrive at once, so that there is no gap to scale.
void scale_rate(Workload& workload, double requests_per_second);

}  // namespace tilewright
