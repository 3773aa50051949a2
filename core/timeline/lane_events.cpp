#include "core/timeline/lane_events.h"

#include <algorithm>
#include <unordered_map>

#include "core/base/error.h"

namespace tilewright {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
/// Events in a piece of time, when they come evenly: 4 to 8.
constexpr size_t kEventsPerBucket = 4;

}  // namespace

void LaneEvents::add(const TimelineEvent& event, int setter) {
  const size_t position = starts_.size();
  TW_CHECK(event.end >= event.start, "an event ends after its start");
  TW_CHECK(position == 0 || event.start >= end(size() - 1), "events of a lane never overlap");
  TW_CHECK(position == 0 || event.id > id(size() - 1), "a lane runs its events in order");
  TW_CHECK(event.predecessor < event.id, "an event waits for an earlier one");
  starts_.push_back(event.start);
  busy_before_.push_back(busy_before_.back() + event.end - event.start);
  ids_.push_back(static_cast<uint32_t>(event.id));
  predecessors_.push_back(event.predecessor < 0 ? kNone : static_cast<uint32_t>(event.predecessor));
  kinds_.push_back(EventKind(event.name, event.reason, event.flag, setter).bits());
  tasks_.push_back(event.task);
  iterations_.push_back(event.iteration);
  bytes_.add(position, event.bytes);
  flops_.add(position, event.flops);
  l2_ticks_.add(position, event.l2_ticks);
  hbm_ticks_.add(position, event.hbm_ticks);
  conflict_ticks_.add(position, event.conflict_ticks);
  link_ticks_.add(position, event.link_ticks);
}

void LaneEvents::finish() {
  starts_.shrink_to_fit();
  busy_before_.shrink_to_fit();
  ids_.shrink_to_fit();
  predecessors_.shrink_to_fit();
  kinds_.shrink_to_fit();
  tasks_.shrink_to_fit();
  iterations_.shrink_to_fit();
  for (SumColumn* sums :
       {&bytes_, &flops_, &l2_ticks_, &hbm_ticks_, &conflict_ticks_, &link_ticks_}) {
    sums->shrink();
  }
  build_buckets();
  count_kinds();
}

void LaneEvents::build_buckets() {
  if (starts_.empty()) return;
  const auto range = static_cast<uint64_t>(starts_.back() - starts_.front());
  const uint64_t pieces = starts_.size() / kEventsPerBucket + 1;
  bucket_shift_ = 0;
  while (range >> bucket_shift_ >= pieces) ++bucket_shift_;
  const size_t count = (range >> bucket_shift_) + 1;
  buckets_.reserve(count + 1);
  uint32_t position = 0;
  for (size_t piece = 0; piece < count; ++piece) {
    const int64_t from = starts_.front() + static_cast<int64_t>(piece << bucket_shift_);
    while (starts_[position] < from) ++position;
    buckets_.push_back(position);
  }
  buckets_.push_back(static_cast<uint32_t>(starts_.size()));
}

void LaneEvents::count_kinds() {
  std::unordered_map<uint32_t, int64_t> counts;
  for (uint32_t kind : kinds_) ++counts[kind];
  kind_counts_.reserve(counts.size());
  for (const auto& [kind, count] : counts) {
    kind_counts_.push_back({EventKind::of_bits(kind), count});
  }
  std::ranges::sort(kind_counts_, {}, [](const KindCount& entry) { return entry.kind.bits(); });
}

TimelineEvent LaneEvents::event(int64_t p) const {
  const auto i = static_cast<size_t>(p);
  TimelineEvent event;
  event.id = id(p);
  event.start = start(p);
  event.end = end(p);
  event.reason = kind(p).reason();
  event.flag = kind(p).flag();
  event.predecessor = predecessors_[i] == kNone ? -1 : int64_t{predecessors_[i]};
  event.name = kind(p).name();
  event.task = tasks_[i];
  event.iteration = iterations_[i];
  event.bytes = bytes_.at(p);
  event.flops = flops_.at(p);
  event.l2_ticks = l2_ticks_.at(p);
  event.hbm_ticks = hbm_ticks_.at(p);
  event.conflict_ticks = conflict_ticks_.at(p);
  event.link_ticks = link_ticks_.at(p);
  return event;
}

int64_t LaneEvents::first_from(int64_t tick) const {
  if (starts_.empty() || tick <= starts_.front()) return 0;
  if (tick > starts_.back()) return size();
  const auto piece = static_cast<size_t>((tick - starts_.front()) >> bucket_shift_);
  const auto first = starts_.begin() + buckets_[piece];
  const auto last = starts_.begin() + buckets_[piece + 1];
  return std::lower_bound(first, last, tick) - starts_.begin();
}

LaneEvents::Border LaneEvents::border(int64_t tick) const {
  Border border{tick, first_from(tick), 0, false};
  border.busy = busy_before_[static_cast<size_t>(border.position)];
  if (border.position > 0) {
    const int64_t left = end(border.position - 1) - tick;
    border.inside = left > 0;
    if (border.inside) border.busy -= left;
  }
  return border;
}

double LaneEvents::bytes_before(const Border& border) const {
  auto bytes = static_cast<double>(bytes_.sum(0, border.position));
  if (border.inside) {
    const int64_t running = border.position - 1;
    bytes -= static_cast<double>(bytes_.at(running)) *
             static_cast<double>(end(running) - border.tick) /
             static_cast<double>(duration(running));
  }
  return bytes;
}

size_t LaneEvents::memory_bytes() const {
  size_t bytes = (starts_.capacity() + busy_before_.capacity()) * sizeof(int64_t);
  for (const auto* column : {&ids_, &predecessors_, &kinds_, &buckets_}) {
    bytes += column->capacity() * sizeof(uint32_t);
  }
  bytes += (tasks_.capacity() + iterations_.capacity()) * sizeof(int32_t);
  for (const SumColumn* sums :
       {&bytes_, &flops_, &l2_ticks_, &hbm_ticks_, &conflict_ticks_, &link_ticks_}) {
    bytes += sums->memory_bytes();
  }
  return bytes + kind_counts_.capacity() * sizeof(KindCount);
}

}  // namespace tilewright
