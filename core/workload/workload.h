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
  std::vector<int64_t> prefix_hashes = {};
  /// Real tokens: prompt_tokens ids, or none. Where they are given, prefix_hashes are not used.
  std::vector<int32_t> prompt_ids = {};
  /// The tokens that were recorded, output_tokens ids, or none: in timing mode they are what the
  /// model says, so that drafts are accepted as they would have been.
  std::vector<int32_t> output_ids = {};
  int64_t priority = 0;  ///< of the priority policy: smaller is served first
  /// An earlier request of the same session (its index), or -1. With one, the request arrives
  /// think_ns after that one has ended, and arrival_ns says nothing.
  int64_t after = -1;
  int64_t think_ns = 0;

  bool operator==(const Request&) const = default;
};

/// Requests over time, ordered by arrival (those with `after` stand anywhere behind it); the first
/// arrives at 0.
struct Workload {
  std::string name;    ///< preset name, or the file's name without its folder
  std::string source;  ///< where it comes from: the path, or preset and seed
  std::vector<Request> requests;
  int64_t prefix_block_tokens = 0;  ///< 0: no request has prefix hashes
  /// A closed loop: at most so many requests are under way, and the next arrives when one ends or
  /// at its own arrival, whichever is later. 0: an open loop.
  int64_t concurrency = 0;
  /// What somebody who looks at the results should know of how it was read: rows left out and why,
  /// arrivals that are not stated. Whole sentences without a full stop.
  std::vector<std::string> notes = {};
};

struct TraceOptions;

/// Names of the generator's presets, sorted.
std::vector<std::string> workload_names();

/// A preset's name, generated with `seed`, or the path of a trace file (trace_reader.h). At most
/// `limit` requests; 0 means all of a file, and kDefaultRequests of a preset. Error (not found)
/// suggests the nearest name. `options` are for trace files only.
Workload load_workload(const std::string& name_or_path, int64_t limit, uint64_t seed);
Workload load_workload(const std::string& name_or_path, int64_t limit, uint64_t seed,
                       const TraceOptions& options);

/// Requests that a preset gives when nobody says how many.
inline constexpr int64_t kDefaultRequests = 1000;

/// Keeps the first `count` requests.
void limit_requests(Workload& workload, int64_t count);

/// Keeps `count` requests from the one at `offset` on (0: all of them), and counts time from the
/// first. Requests that follow one that is left out are left out too, with a note. Error (usage)
/// when nothing is left.
void slice_requests(Workload& workload, int64_t offset, int64_t count);

/// The same for requests that arrive from `from_ns` on and before `to_ns`; those of a session go
/// with its first.
void slice_window(Workload& workload, int64_t from_ns, int64_t to_ns);

/// Mean arrival rate in requests per second: gaps over the time from first to last arrival; 0 when
/// all arrive at once. Followers in sessions count no gap.
double request_rate(const Workload& workload);

/// Stretches or shrinks all gaps so that the mean rate becomes `requests_per_second` (> 0;
/// infinity: all arrive at once). Pauses in sessions stay. Error (usage) when the rate is not
/// positive, or when all requests already arrive at once, so that there is no gap to scale.
void scale_rate(Workload& workload, double requests_per_second);

}  // namespace tilewright
