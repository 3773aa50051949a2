#pragma once

#include <cstdint>
#include <string_view>

#include "core/workload/workload.h"

namespace tilewright {

/// When requests come. Followers of a session (Request::after) come when they come; the process
/// places those that begin one.
enum class ArrivalProcess {
  kRecorded,  ///< as the workload says; with a rate, scaled to it
  kAtOnce,    ///< all at 0
  kConstant,  ///< equal gaps of 1 / rate
  kGamma,     ///< gamma gaps of mean 1 / rate
  kSessions,  ///< users who each send their next request after an answer and a pause
};

/// How a rate goes from its start to its end over the requests.
enum class Ramp { kNone, kLinear, kExponential };

struct ArrivalOptions {
  ArrivalProcess process = ArrivalProcess::kRecorded;
  double rate = 0;          ///< requests per second; 0: that of the recording
  double burstiness = 1;    ///< shape of the gamma distribution: 1 is Poisson, less comes in bursts
  Ramp ramp = Ramp::kNone;  ///< otherwise from `rate` to `end_rate`
  double end_rate = 0;
  int64_t concurrency = 0;  ///< most requests under way (Workload::concurrency); 0: no limit
  int64_t users = 0;        ///< of kSessions
  int64_t think_ns = 0;     ///< of kSessions: pause between an answer and the next request

  bool operator==(const ArrivalOptions&) const = default;
};

/// A process with its options:
///   recorded[:rate=R]               at-once                     constant:rate=R
///   poisson:rate=R                  gamma:rate=R,burstiness=B   closed:concurrency=N
///   sessions:users=N[,think=500ms]
/// R is requests per second, or FROM..TO for a rate that rises (or falls) over the requests, with
/// ramp=linear (the default) or exponential. Each but sessions takes concurrency=N too. `closed` is
/// a closed loop: all requests are there from the start, and the next begins when one ends. Error
/// (usage) for unknown names (suggesting the nearest), and for what is missing or out of range.
ArrivalOptions parse_arrivals(std::string_view text);

/// Gives a workload other arrivals; the same arguments give the same ones everywhere.
///
/// Random gaps are drawn, one before each request, and rescaled so that all of them together last
/// n / rate, as in vLLM's benchmark; then time is counted from the first request. With a ramp the
/// i-th of n gaps belongs to the rate at i / (n - 1) of the way, and nothing is rescaled.
/// Error (usage) when the workload would last longer than kMaxArrivalNs, when a recording without
/// gaps is to be scaled, or when a workload that has sessions is to get others.
void apply_arrivals(Workload& workload, const ArrivalOptions& options, uint64_t seed);

}  // namespace tilewright
