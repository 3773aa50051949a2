#include "kernels/executor/host_timeline.h"

#include <algorithm>

namespace tilewright {

HostedOps::HostedOps(std::span<const int64_t> durations, int64_t attention, int64_t repeats,
                     int64_t host_ns)
    : repeat(repeats),
      ops(static_cast<int64_t>(durations.size())),
      op_ns(host_ns),
      attends(attention >= 0) {
  for (int64_t op = ops - 1; op >= 0; --op) {
    fixed += durations[static_cast<size_t>(op)];
    int64_t& lead = op > attention && attends ? lead_behind : lead_before;
    lead = std::max(lead, (op + 1) * op_ns + fixed);
  }
}

HostedTime after(const HostedOps& ops, HostedTime time, int64_t attention_ns) {
  if (ops.ops == 0) return time;
  const int64_t attention = ops.attends ? attention_ns : 0;
  const int64_t round = ops.fixed + attention;
  const int64_t lead = std::max(ops.lead_before + attention, ops.lead_behind);
  const int64_t host_round = ops.ops * ops.op_ns;
  const int64_t chip_bound = time.end + ops.repeat * round;
  const int64_t host_bound = time.host + lead + (ops.repeat - 1) * std::max(host_round, round);
  return {time.host + ops.repeat * host_round, std::max(chip_bound, host_bound)};
}

std::vector<int64_t> capture_sizes(std::vector<int64_t> wanted, int64_t layers, int64_t limit) {
  constexpr int64_t kLargest = 512;
  if (wanted.empty()) {
    wanted = {1, 2, 4};
    for (int64_t size = 8; size <= kLargest; size += 8) wanted.push_back(size);
  }
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  const int64_t room = std::max<int64_t>(1, limit / (layers + 1));
  const auto count = static_cast<int64_t>(wanted.size());
  if (count <= room) return wanted;
  if (room == 1) return {wanted.back()};
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < room; ++i)
    kept.push_back(wanted[static_cast<size_t>(i * (count - 1) / (room - 1))]);
  return kept;
}

int64_t bucket_of(std::span<const int64_t> sizes, int64_t tokens) {
  const auto size = std::ranges::lower_bound(sizes, tokens);
  return size == sizes.end() ? 0 : *size;
}

}  // namespace tilewright
