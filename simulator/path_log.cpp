#include "simulator/path_log.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

PathLog::PathLog(int64_t launch_ticks, size_t capacity) : capacity_(capacity) {
  records_.reserve(capacity);
  parts_.reserve(capacity / 2);
  records_.push_back({launch_ticks, launch_ticks, 0, -1, 0, 0});
  bases_.emplace_back();
  bases_[0][Cause::launch().id()] = launch_ticks;
}

void PathLog::end(int32_t record, int64_t time, const Parts& parts) {
  Record& ended = records_[static_cast<size_t>(record)];
  ended.end = time;
  if (parts.l2 == 0 && parts.hbm == 0 && parts.conflict == 0 && parts.link == 0) return;
  ended.parts = static_cast<int32_t>(parts_.size());
  parts_.push_back(parts);
}

void PathLog::add_own(const Record& record, Ticks& ticks) const {
  Parts parts;
  if (record.parts >= 0) parts = parts_[static_cast<size_t>(record.parts)];
  ticks[Cause::l2().id()] += parts.l2;
  ticks[Cause::hbm().id()] += parts.hbm;
  ticks[Cause::conflict().id()] += parts.conflict;
  ticks[Cause::link().id()] += parts.link;
  ticks[Cause::busy(static_cast<Pipe>(record.pipe)).id()] +=
      record.end - record.start - parts.l2 - parts.hbm - parts.conflict - parts.link;
}

void PathLog::add_gap(const Record& record, Ticks& ticks) const {
  ticks[record.gap] += record.start - time_of(record.from);
}

PathLog::Ticks PathLog::path_to(Moment moment) const {
  Ticks ticks{};
  while (!is_base(record_of(moment))) {
    const Record& record = records_[static_cast<size_t>(record_of(moment))];
    if (moment % 2 == 0) add_own(record, ticks);
    add_gap(record, ticks);
    moment = record.from;
  }
  const Ticks& base = bases_[static_cast<size_t>(record_of(moment))];
  for (size_t i = 0; i < ticks.size(); ++i) ticks[i] += base[i];
  return ticks;
}

std::vector<int32_t> PathLog::compact(std::span<Moment* const> live,
                                      std::span<int32_t* const> open) {
  // A record that has not ended goes on as a new one whose predecessor is its own start.
  std::vector<Moment> wanted;
  for (const Moment* moment : live) wanted.push_back(*moment);
  for (const int32_t* record : open) wanted.push_back(start_of(*record));
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());

  // Backwards: how often each record is needed, by a wanted moment or by a successor on a path to
  // one. A predecessor is older than its successor.
  needed_.assign(records_.size(), 0);
  for (Moment moment : wanted) ++needed_[static_cast<size_t>(record_of(moment))];
  for (size_t r = records_.size(); r-- > bases_.size();) {
    if (needed_[r] > 0) ++needed_[static_cast<size_t>(record_of(records_[r].from))];
  }
  // Forwards: the paths to the starts of those records. One that is needed once hands its sums on,
  // so that only branches are copied.
  place_.assign(records_.size(), -1);
  starts_.clear();
  const auto path = [&](Moment moment) {
    const auto record = static_cast<size_t>(record_of(moment));
    Ticks ticks = starts_[static_cast<size_t>(place_[record])];
    if (moment % 2 == 0 && !is_base(record_of(moment))) add_own(records_[record], ticks);
    return ticks;
  };
  for (size_t r = 0; r < records_.size(); ++r) {
    if (needed_[r] == 0) continue;
    const Record& record = records_[r];
    const auto before = static_cast<size_t>(record_of(record.from));
    if (r < bases_.size()) {
      place_[r] = static_cast<int32_t>(starts_.size());
      starts_.push_back(bases_[r]);
      continue;
    }
    if (needed_[before] == 1) {
      place_[r] = place_[before];
      Ticks& ticks = starts_[static_cast<size_t>(place_[r])];
      if (record.from % 2 == 0 && !is_base(record_of(record.from))) {
        add_own(records_[before], ticks);
      }
      add_gap(record, ticks);
      continue;
    }
    Ticks ticks = path(record.from);
    add_gap(record, ticks);
    place_[r] = static_cast<int32_t>(starts_.size());
    starts_.push_back(ticks);
  }

  old_records_.clear();
  std::vector<Record>& records = old_records_;
  std::vector<Ticks> bases;
  std::vector<int32_t> old_numbers;
  for (Moment moment : wanted) {
    const int64_t time = time_of(moment);
    records.push_back({time, time, 0, -1, 0, 0});
    bases.push_back(path(moment));
    old_numbers.push_back(record_of(moment));
  }
  const auto renumbered = [&](Moment moment) {
    const auto found = std::lower_bound(wanted.begin(), wanted.end(), moment);
    return end_of(static_cast<int32_t>(found - wanted.begin()));
  };
  for (Moment* moment : live) *moment = renumbered(*moment);
  for (int32_t* record : open) {
    Record moved = records_[static_cast<size_t>(*record)];
    moved.from = renumbered(start_of(*record));
    old_numbers.push_back(*record);
    *record = static_cast<int32_t>(records.size());
    records.push_back(moved);
  }
  // What is still of interest may be more than half of the log on a very wide machine.
  capacity_ = std::max(capacity_, records.size() * 4);
  records.reserve(capacity_);
  std::swap(records_, old_records_);
  bases_ = std::move(bases);
  parts_.clear();
  return old_numbers;
}

}  // namespace tilewright
