#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/serving_record.h"
#include "app/tui/serve/serve_state.h"
#include "core/serving/metrics.h"

namespace tilewright {

/// What a serving run is, beside its log.
struct ServeIdentity {
  int64_t run = 0;      ///< its number in the database; 0: not kept (yet)
  std::string command;  ///< the command line that makes it
  std::string model;
  std::string workload;
  std::string machine;      ///< its name
  std::string fingerprint;  ///< of the machine
  std::string status;       ///< as the database has it; "running" of one that is under way
  std::vector<std::pair<std::string, std::string>> knobs;  ///< of the engine, by name
  Slo slo = {};
  double peak_flops = 0;  ///< of the device, 0 where it is not known
  double peak_bytes_per_s = 0;
  int64_t kv_blocks = 0;  ///< of the device, 0 where it is not known
};

/// Where a run stands that is under way.
struct ServeProgress {
  int64_t now_ns = 0;
  int64_t finished = 0;
  int64_t requests = 0;  ///< of the workload
  int64_t running = 0;
  int64_t waiting = 0;
  bool is_paused = false;
  double wall_seconds = 0;
  double pace = 0;  ///< simulated seconds a second that were asked for; 0: as fast as possible
};

/// One part of the time of a run: means over it, and sums of what happened.
struct ServeBin {
  double tokens_per_s = 0;  ///< output
  double running = 0;       ///< requests
  double waiting = 0;
  double kv_share = 0;  ///< of the device's KV blocks
  int64_t preemptions = 0;
};

/// A run over simulated time, in bins of equal length.
struct ServeSeries {
  int64_t begin_ns = 0;
  int64_t bin_ns = 1;
  std::vector<ServeBin> bins;

  int64_t end_ns() const { return begin_ns + bin_ns * static_cast<int64_t>(bins.size()); }
};

/// A latency of the completed requests (of ITL: of the gaps between their tokens), in ms.
struct ServeLatency {
  std::string name;
  LatencySummary summary = {};
  std::optional<double> limit_ms = {};
  double kept = 0;                 ///< share of the requests within the limit
  std::vector<int64_t> histogram;  ///< from 0 to `most_ms`, in parts of equal length
  double most_ms = 0;              ///< the 99th percentile or the limit, what is more; what is
                                   ///< above counts in the last part
};

enum class RequestPhase : uint8_t {
  kWaiting,
  kPrefill,
  kDecode,
  kPreempted,  ///< waits to be computed again
  kDone,
  kRejected,
  kAborted,
};
/// "waiting", "prefill", "decode", "preempted", "done", "rejected", "aborted".
std::string_view name_of(RequestPhase phase);

/// What a request did from one time to another.
struct RequestSpan {
  enum class Kind : uint8_t { kWait, kPrefill, kDecode, kStall };  ///< kStall: preempted
  Kind kind = Kind::kWait;
  int64_t from_ns = 0;
  int64_t to_ns = 0;
};

/// A request as the table shows it; times in ms, -1 where there is none.
struct ServeRequest {
  int64_t id = 0;    ///< its place in the workload
  size_t place = 0;  ///< its place in the record
  RequestPhase phase = RequestPhase::kWaiting;
  int64_t arrival_ns = 0;
  int64_t prompt = 0;
  int64_t output = 0;  ///< tokens so far
  int64_t cached = 0;  ///< of the prompt, found in the prefix cache
  int64_t preemptions = 0;
  double ttft_ms = -1;
  double tpot_ms = -1;
  double e2el_ms = -1;  ///< of a completed one
  /// The longest time without a token: between two of them, or until the first one.
  double stall_ms = 0;
  std::vector<RequestSpan> spans = {};
};

/// The measures by which two runs are compared; 0 where there is none.
struct ServeMeasure {
  std::string_view name;
  double value = 0;
  bool more_is_better = false;
  enum class Unit : uint8_t { kPerSecond, kMs, kCount } unit = Unit::kMs;
};

/// A serving run as the screen shows it, under way or over. Made once and never changed.
struct ServeView {
  ServeIdentity identity;
  std::optional<ServeProgress> progress;  ///< of a run under way
  /// The log; of a run under way a copy of what there is of it, which leaves out requests that have
  /// not arrived and, of long runs, old ones.
  ServingRecord record;
  std::vector<int64_t> ids;  ///< of record.requests: their places in the workload, ascending
  bool is_partial = false;   ///< old requests or steps are left out
  std::string note = {};     ///< what the command would have warned of; empty: nothing

  // What follows from these.
  ServingMetrics metrics;
  ServeSeries series;
  std::vector<ServeLatency> latencies;  ///< TTFT, TPOT, ITL, E2E
  std::vector<ServeRequest> requests;   ///< in the order of ids
  /// Places in `requests` by RequestSort: sorting a million would take longer than a frame may.
  std::array<std::vector<uint32_t>, kRequestSorts> orders;
  int64_t preemptions = 0;
  int64_t end_ns = 0;  ///< of its last step, or now

  bool is_over() const { return !progress.has_value(); }
};

/// Works out what follows from identity, progress, record and ids. Error (failed) for a record that
/// no run can have left.
void complete_view(ServeView& view);

/// Throughputs, latencies, preemptions.
std::vector<ServeMeasure> measures_of(const ServeView& view);

/// Time of the steps of a record on the device: of its ops and of waiting for the host, ns.
double device_ns(const StepRecord& record);

}  // namespace tilewright
