#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// How the host sends ops to the chip, times in ns.
struct HostCosts {
  int64_t op_ns = 0;     ///< for one op
  int64_t graph_ns = 0;  ///< for a captured graph of any number of ops
};

/// Ops that the host sends and the chip executes one after another, `repeat` times over. The chip
/// begins with an op when it has finished the one before and the host has sent it:
///
///   end(i) = max(end(i - 1), host + (i + 1) h) + d(i)
///
/// with durations d and h ns of the host for each op. One round of k ops maps (host, end) to
/// (host + k h, max(end + sum of d, host + lead)), lead = max over j of ((j + 1) h + d(j) + ... +
/// d(k - 1)), so any number of rounds has a closed form.
struct HostedOps {
  int64_t repeat = 1;
  int64_t ops = 0;    ///< k
  int64_t op_ns = 0;  ///< h
  int64_t fixed = 0;  ///< sum of d without attention
  bool attends = false;
  int64_t lead_before = INT64_MIN / 4;  ///< lead over ops up to attention, without its time
  int64_t lead_behind = INT64_MIN / 4;  ///< lead over the ops behind it

  /// Durations in order; `attention` is the place of that op, whose duration counts as 0; -1: none.
  HostedOps(std::span<const int64_t> durations, int64_t attention, int64_t repeat, int64_t op_ns);
};

/// Where host and chip stand.
struct HostedTime {
  int64_t host = 0;  ///< the host has sent all ops so far
  int64_t end = 0;   ///< the chip has finished them
};

/// After the ops, when attention takes `attention_ns`.
HostedTime after(const HostedOps& ops, HostedTime time, int64_t attention_ns);

/// Tokens of the graphs that are captured: `wanted` (empty: 1, 2, 4, and multiples of 8 up to 512),
/// ascending and without repetition, thinned out evenly when a graph for each of `layers` layers
/// and one more exceeds `limit` (vllm-ascend).
std::vector<int64_t> capture_sizes(std::vector<int64_t> wanted, int64_t layers, int64_t limit);

/// The smallest size that holds `tokens`; 0: none does, so that the step is sent op by op.
int64_t bucket_of(std::span<const int64_t> sizes, int64_t tokens);

}  // namespace tilewright
