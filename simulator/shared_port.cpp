#include "simulator/shared_port.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

constexpr int64_t kRateUnit = 1024;
constexpr int64_t kClockUnit = int64_t{1} << 20;
/// Ended flows that a class keeps before it closes the gap.
constexpr size_t kSlack = 64;

int64_t to_rate(double bytes_per_cycle) {
  return std::max<int64_t>(1, std::llround(bytes_per_cycle * static_cast<double>(kRateUnit)));
}

}  // namespace

SharedPort::SharedPort(double total, const std::vector<double>& caps)
    : total_(to_rate(total)), share_(total_) {
  for (double cap : caps) classes_.push_back({to_rate(cap), 0, 0, {}});
}

int64_t SharedPort::alone(int flow_class, int64_t bytes) const {
  const int64_t fastest = std::min(classes_[static_cast<size_t>(flow_class)].cap, total_);
  return ceil_div(bytes * kClockUnit, fastest);
}

bool SharedPort::kept_to_rate() const {
  const auto rate = static_cast<double>(std::max(total_, most_active_));
  const double most = rate * static_cast<double>(now_) / static_cast<double>(kClockUnit);
  return static_cast<double>(served_) <= most * (1 + 1e-3) + 1;
}

void SharedPort::advance(int64_t now) {
  if (now == now_) return;
  TW_CHECK(now > now_, "memory events come in the order of time");
  for (Class& c : classes_) {
    if (!c.idle()) c.clock += (now - now_) * rate(c);
  }
  now_ = now;
}

void SharedPort::count_flow(int change) {
  active_ += change;
  most_active_ = std::max(most_active_, active_);
  share_ = std::max<int64_t>(1, total_ / std::max<int64_t>(1, active_));
  stale_ = true;
}

void SharedPort::find_next() const {
  stale_ = false;
  next_end_ = kNever;
  for (size_t i = 0; i < classes_.size(); ++i) {
    const Class& c = classes_[i];
    if (c.idle()) continue;
    const int64_t left = std::max<int64_t>(0, c.flows[c.first].end_clock - c.clock);
    const int64_t end = now_ + ceil_div(left, rate(c));
    if (end < next_end_) {
      next_end_ = end;
      next_class_ = i;
    }
  }
}

void SharedPort::start(int flow_class, int64_t bytes, int32_t id, int64_t now) {
  advance(now);
  Class& c = classes_[static_cast<size_t>(flow_class)];
  if (c.idle()) {
    c.clock = 0;
    c.first = 0;
    c.flows.clear();
  }
  // Most flows end after all that are there.
  const Flow flow{c.clock + bytes * kClockUnit, bytes, id};
  auto place = c.flows.end();
  const auto first = c.flows.begin() + static_cast<ptrdiff_t>(c.first);
  while (place != first && (place - 1)->end_clock > flow.end_clock) --place;
  c.flows.insert(place, flow);
  count_flow(1);
}

int32_t SharedPort::finish_next() {
  const int64_t end = next_end();
  advance(end);
  Class& c = classes_[next_class_];
  const Flow& flow = c.flows[c.first++];
  served_ += flow.bytes;
  const int32_t id = flow.id;
  if (c.first == kSlack) {
    c.flows.erase(c.flows.begin(), c.flows.begin() + static_cast<ptrdiff_t>(kSlack));
    c.first = 0;
  }
  count_flow(-1);
  return id;
}

}  // namespace tilewright
