#include "simulator/shared_port.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

constexpr int64_t kRateUnit = 1024;
constexpr int64_t kClockUnit = int64_t{1} << 20;

int64_t to_rate(double bytes_per_cycle) {
  return std::max<int64_t>(1, std::llround(bytes_per_cycle * static_cast<double>(kRateUnit)));
}

}  // namespace

SharedPort::SharedPort(double total, const std::vector<double>& caps) : total_(to_rate(total)) {
  for (double cap : caps) classes_.push_back({to_rate(cap), 0, {}});
}

int64_t SharedPort::rate(const Class& c) const {
  return std::min(c.cap, std::max<int64_t>(1, total_ / std::max<int64_t>(1, active_)));
}

int64_t SharedPort::alone(int flow_class, int64_t bytes) const {
  const int64_t fastest = std::min(classes_[static_cast<size_t>(flow_class)].cap, total_);
  return ceil_div(bytes * kClockUnit, fastest);
}

void SharedPort::advance(int64_t now) {
  TW_CHECK(now >= now_, "memory events come in the order of time");
  for (Class& c : classes_) {
    if (!c.flows.empty()) c.clock += (now - now_) * rate(c);
  }
  now_ = now;
}

void SharedPort::find_next() {
  next_end_ = kNever;
  for (size_t i = 0; i < classes_.size(); ++i) {
    const Class& c = classes_[i];
    if (c.flows.empty()) continue;
    const int64_t left = std::max<int64_t>(0, c.flows.front().end_clock - c.clock);
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
  if (c.flows.empty()) c.clock = 0;
  c.flows.push_back({c.clock + bytes * kClockUnit, sequence_++, id});
  std::push_heap(c.flows.begin(), c.flows.end(), later);
  ++active_;
  find_next();
}

int32_t SharedPort::finish_next() {
  advance(next_end_);
  Class& c = classes_[next_class_];
  std::pop_heap(c.flows.begin(), c.flows.end(), later);
  const int32_t id = c.flows.back().id;
  c.flows.pop_back();
  --active_;
  find_next();
  return id;
}

}  // namespace tilewright
