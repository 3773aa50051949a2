#include "core/serving/arrival_queue.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

ArrivalQueue::ArrivalQueue(const Workload& workload)
    : workload_(workload), is_closed_(workload.concurrency > 0) {
  const int64_t count = std::ssize(workload.requests);
  first_follower_.assign(static_cast<size_t>(count) + 1, 0);
  for (int64_t i = 0; i < count; ++i) {
    const Request& request = workload.requests[static_cast<size_t>(i)];
    if (request.after >= i || request.after < -1) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: request {} follows request {}, which is not before it",
                              workload.source, i, request.after));
    }
    if (request.arrival_ns < 0 || request.think_ns < 0) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: request {} arrives at a negative time", workload.source, i));
    }
    if (request.after < 0) {
      ready_.emplace(request.arrival_ns, i);
    } else {
      ++first_follower_[static_cast<size_t>(request.after) + 1];
    }
  }
  for (size_t i = 1; i < first_follower_.size(); ++i) first_follower_[i] += first_follower_[i - 1];
  followers_.resize(first_follower_.back());
  std::vector<size_t> next(first_follower_.begin(), first_follower_.end());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t after = workload.requests[static_cast<size_t>(i)].after;
    if (after >= 0) followers_[next[static_cast<size_t>(after)]++] = i;
  }
  for (int64_t i = 0; i < std::min(workload.concurrency, count); ++i) places_.push(0);
}

int64_t ArrivalQueue::next_ns() const {
  if (ready_.empty() || (is_closed_ && places_.empty())) return kNever;
  return is_closed_ ? std::max(ready_.top().first, places_.top()) : ready_.top().first;
}

std::optional<Arrival> ArrivalQueue::take(int64_t now_ns) {
  const int64_t at_ns = next_ns();
  if (at_ns == kNever || at_ns > now_ns) return std::nullopt;
  const Arrival arrival = {ready_.top().second, at_ns};
  ready_.pop();
  if (is_closed_) places_.pop();
  return arrival;
}

void ArrivalQueue::end(int64_t request, int64_t now_ns) {
  if (is_closed_) places_.push(now_ns);
  const auto index = static_cast<size_t>(request);
  for (size_t i = first_follower_[index]; i < first_follower_[index + 1]; ++i) {
    const int64_t follower = followers_[i];
    ready_.emplace(now_ns + workload_.requests[static_cast<size_t>(follower)].think_ns, follower);
  }
}

}  // namespace tilewright
