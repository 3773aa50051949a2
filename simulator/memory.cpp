#include "simulator/memory.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxSectors = 1 << 26;

bool is_write(MemoryClient client) {
  return client == MemoryClient::kFixpipeStore || client == MemoryClient::kUbStore;
}

/// Class of a client on its port: loads and stores have a port each, with two classes.
int class_of(MemoryClient client) {
  return static_cast<int>(client) % 2;
}

}  // namespace

double hbm_bytes_per_cycle(const Machine& machine) {
  return machine.hbm.gb_per_s * 1e3 / machine.cores.clock_mhz;
}

int64_t to_ticks(double cycles) {
  return std::llround(cycles * static_cast<double>(kTicksPerCycle));
}

MemorySystem::MemorySystem(const Launch& launch, const Machine& machine)
    : launch_(launch),
      machine_(machine),
      read_port_(machine.l2.read_bytes_per_cycle,
                 {machine.mte2.l1_bytes_per_cycle, machine.mte2.ub_bytes_per_cycle}),
      write_port_(machine.l2.write_bytes_per_cycle,
                  {machine.fixpipe.bytes_per_cycle, machine.mte3.bytes_per_cycle}),
      hbm_port_(hbm_bytes_per_cycle(machine), {hbm_bytes_per_cycle(machine)}),
      latency_(to_ticks(machine.hbm.read_latency_cycles)),
      fixed_{to_ticks(machine.mte2.fixed_cycles), to_ticks(machine.mte2.fixed_cycles), 0,
             to_ticks(machine.mte3.fixed_cycles)} {
  int64_t count = 0;
  for (const Tensor& tensor : launch.tensors) {
    const int64_t columns = (tensor.cols + tensor.sector_cols - 1) / tensor.sector_cols;
    const int64_t rows = (tensor.rows + tensor.sector_rows - 1) / tensor.sector_rows;
    tensors_.push_back({count, columns});
    count += columns * rows;
    if (count > kMaxSectors) {
      throw Error(ErrorKind::kFailed, "launch " + launch.name +
                                          ": its tensors have more than 2^26 "
                                          "L2 sectors; larger tiles would do");
    }
  }
  sectors_.resize(static_cast<size_t>(count));
  warm_up();
}

void MemorySystem::warm_up() {
  struct Walk {
    std::vector<std::pair<int32_t, int32_t>> sectors;  // sector, bytes, in the order of the walk
    bool dirty = false;
  };
  std::vector<Walk> walks;
  size_t steps = 0;
  for (size_t t = 0; t < launch_.tensors.size(); ++t) {
    const Tensor& tensor = launch_.tensors[t];
    if (!tensor.warm) continue;
    std::vector<std::pair<int32_t, int32_t>> in_place;
    for_each_sector({static_cast<int>(t), 0, 0, tensor.rows, tensor.cols},
                    [&](int32_t id, int32_t bytes) { in_place.emplace_back(id, bytes); });
    Walk walk{{}, tensor.dirty};
    const auto parts =
        std::clamp<size_t>(static_cast<size_t>(tensor.warm_parts), 1, in_place.size());
    const auto begin_of = [&](size_t part) { return in_place.size() * part / parts; };
    for (size_t i = 0; walk.sectors.size() < in_place.size(); ++i) {
      for (size_t part = 0; part < parts; ++part) {
        if (begin_of(part) + i < begin_of(part + 1))
          walk.sectors.push_back(in_place[begin_of(part) + i]);
      }
    }
    steps = std::max(steps, walk.sectors.size());
    walks.push_back(std::move(walk));
  }
  for (size_t step = 0; step < steps; ++step) {
    for (const Walk& walk : walks) {
      const size_t count = walk.sectors.size();
      for (size_t i = count * step / steps; i < count * (step + 1) / steps; ++i) {
        const auto [id, bytes] = walk.sectors[i];
        while (oldest_ >= 0 && used_bytes_ + bytes > machine_.l2.capacity_bytes) remove_oldest();
        insert(id, bytes, 0);
        sectors_[static_cast<size_t>(id)].dirty = walk.dirty;
      }
    }
  }
}

int64_t MemorySystem::burst_bytes(const GmAccess& access) const {
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  const int64_t width = bytes_of(tensor.type);
  if (tensor.layout == Layout::kZn) {
    // Fractal columns of 32 bytes, each contiguous over the tensor's rows.
    const bool whole = access.rows == tensor.rows;
    return whole ? access.rows * access.cols * width : access.rows * 32;
  }
  return access.cols == tensor.cols ? access.rows * access.cols * width : access.cols * width;
}

template <typename Visit>
void MemorySystem::for_each_sector(const GmAccess& access, Visit visit) const {
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  const TensorInfo& info = tensors_[static_cast<size_t>(access.tensor)];
  const int64_t width = bytes_of(tensor.type);
  const int64_t last_row = access.row + access.rows;
  const int64_t last_col = access.col + access.cols;
  for (int64_t r = access.row / tensor.sector_rows; r * tensor.sector_rows < last_row; ++r) {
    const int64_t top = std::max(access.row, r * tensor.sector_rows);
    const int64_t bottom = std::min(last_row, (r + 1) * tensor.sector_rows);
    for (int64_t c = access.col / tensor.sector_cols; c * tensor.sector_cols < last_col; ++c) {
      const int64_t left = std::max(access.col, c * tensor.sector_cols);
      const int64_t right = std::min(last_col, (c + 1) * tensor.sector_cols);
      visit(static_cast<int32_t>(info.first_sector + r * info.sector_columns + c),
            static_cast<int32_t>((bottom - top) * (right - left) * width));
    }
  }
}

void MemorySystem::unlink(int32_t id) {
  Sector& sector = sectors_[static_cast<size_t>(id)];
  (sector.newer >= 0 ? sectors_[static_cast<size_t>(sector.newer)].older : newest_) = sector.older;
  (sector.older >= 0 ? sectors_[static_cast<size_t>(sector.older)].newer : oldest_) = sector.newer;
}

void MemorySystem::touch(int32_t id) {
  if (newest_ == id) return;
  unlink(id);
  Sector& sector = sectors_[static_cast<size_t>(id)];
  sector.newer = -1;
  sector.older = newest_;
  (newest_ >= 0 ? sectors_[static_cast<size_t>(newest_)].newer : oldest_) = id;
  newest_ = id;
}

MemorySystem::Sector MemorySystem::remove_oldest() {
  const int32_t id = oldest_;
  Sector& victim = sectors_[static_cast<size_t>(id)];
  unlink(id);
  used_bytes_ -= victim.bytes;
  const Sector removed = victim;
  victim.present = false;
  victim.dirty = false;
  victim.flow = -1;
  return removed;
}

void MemorySystem::evict(int64_t now) {
  const Sector victim = remove_oldest();
  if (!victim.dirty) return;
  counters_.hbm_write_bytes += victim.bytes;
  start_hbm(new_flow(), victim.bytes, victim.bytes, now);
}

void MemorySystem::insert(int32_t id, int32_t bytes, int64_t now) {
  while (oldest_ >= 0 && used_bytes_ + bytes > machine_.l2.capacity_bytes) evict(now);
  Sector& sector = sectors_[static_cast<size_t>(id)];
  sector = {-1, newest_, -1, true, false, bytes, 0};
  (newest_ >= 0 ? sectors_[static_cast<size_t>(newest_)].newer : oldest_) = id;
  newest_ = id;
  used_bytes_ += bytes;
}

int32_t MemorySystem::new_flow() {
  if (free_flows_.empty()) {
    flows_.emplace_back();
    return static_cast<int32_t>(flows_.size()) - 1;
  }
  const int32_t id = free_flows_.back();
  free_flows_.pop_back();
  return id;
}

void MemorySystem::start_hbm(int32_t flow, int64_t bytes, int64_t burst, int64_t now) {
  const double overhead =
      machine_.hbm.burst_overhead_bytes / static_cast<double>(std::max<int64_t>(1, burst));
  const int64_t effective = bytes + std::llround(static_cast<double>(bytes) * overhead);
  hbm_port_.start(0, effective, flow, now);
}

void MemorySystem::read_sector(int32_t id, int32_t bytes, int32_t transfer, int32_t flow,
                               int64_t now, int64_t& missing) {
  Sector& sector = sectors_[static_cast<size_t>(id)];
  Transfer& reader = transfers_[static_cast<size_t>(transfer)];
  if (!sector.present) {
    insert(id, bytes, now);
    sector.flow = flow;
    flows_[static_cast<size_t>(flow)].sectors.push_back(id);
    missing += bytes;
    return;
  }
  touch(id);
  counters_.l2_hit_bytes += bytes;
  if (sector.flow < 0) {
    reader.ready = std::max(reader.ready, sector.ready);
  } else if (sector.flow != flow) {
    std::vector<int32_t>& waiting = flows_[static_cast<size_t>(sector.flow)].transfers;
    if (waiting.empty() || waiting.back() != transfer) {
      waiting.push_back(transfer);
      ++reader.waiting;
    }
  }
}

int32_t MemorySystem::request(const GmAccess& access, MemoryClient client, int64_t now) {
  if (free_transfers_.empty()) {
    free_transfers_.push_back(static_cast<int32_t>(transfers_.size()));
    transfers_.emplace_back();
  }
  const int32_t id = free_transfers_.back();
  free_transfers_.pop_back();
  const int64_t bytes = access.rows * access.cols *
                        bytes_of(launch_.tensors[static_cast<size_t>(access.tensor)].type);
  transfers_[static_cast<size_t>(id)] = {client, bytes, 0, 0, 0, 1, is_write(client)};
  if (is_write(client)) {
    counters_.l2_write_bytes += bytes;
    for_each_sector(access, [&](int32_t sector, int32_t part) {
      if (sectors_[static_cast<size_t>(sector)].present) {
        touch(sector);
      } else {
        insert(sector, part, now);
      }
      sectors_[static_cast<size_t>(sector)].dirty = true;
    });
    return id;
  }
  counters_.l2_read_bytes += bytes;
  const int32_t flow = new_flow();
  int64_t missing = 0;
  for_each_sector(access, [&](int32_t sector, int32_t part) {
    read_sector(sector, part, id, flow, now, missing);
  });
  if (missing > 0) {
    counters_.hbm_read_bytes += missing;
    flows_[static_cast<size_t>(flow)].transfers.push_back(id);
    ++transfers_[static_cast<size_t>(id)].waiting;
    start_hbm(flow, missing, burst_bytes(access), now);
  } else {
    free_flows_.push_back(flow);
  }
  return id;
}

void MemorySystem::stream(int32_t transfer, int64_t now) {
  Transfer& moving = transfers_[static_cast<size_t>(transfer)];
  moving.begin = now;
  SharedPort& port = moving.write ? write_port_ : read_port_;
  port.start(class_of(moving.client), moving.bytes, transfer, now);
}

int64_t MemorySystem::next_event() const {
  if (!resolved_.empty()) return INT64_MIN;  // already happened: deliver before anything else
  return std::min({read_port_.next_end(), write_port_.next_end(), hbm_port_.next_end()});
}

MemorySystem::Done MemorySystem::finish_part(int32_t transfer) {
  Transfer& moving = transfers_[static_cast<size_t>(transfer)];
  if (--moving.waiting > 0) return {};
  const SharedPort& port = moving.write ? write_port_ : read_port_;
  const int64_t alone = port.alone(class_of(moving.client), moving.bytes);
  Done done;
  done.transfer = transfer;
  done.l2_ticks = std::max<int64_t>(0, moving.stream_end - moving.begin - alone);
  done.hbm_ticks = std::max<int64_t>(0, moving.ready - moving.stream_end);
  done.end = moving.stream_end + done.hbm_ticks + fixed_[static_cast<size_t>(moving.client)];
  free_transfers_.push_back(transfer);
  return done;
}

MemorySystem::Done MemorySystem::process() {
  if (!resolved_.empty()) {
    const int32_t transfer = resolved_.back();
    resolved_.pop_back();
    return finish_part(transfer);
  }
  const int64_t now = next_event();
  for (SharedPort* port : {&read_port_, &write_port_}) {
    if (port->next_end() != now) continue;
    const int32_t transfer = port->finish_next();
    transfers_[static_cast<size_t>(transfer)].stream_end = now;
    return finish_part(transfer);
  }
  const int32_t id = hbm_port_.finish_next();
  HbmFlow& flow = flows_[static_cast<size_t>(id)];
  for (int32_t sector : flow.sectors) {
    if (sectors_[static_cast<size_t>(sector)].flow != id) continue;  // evicted meanwhile
    sectors_[static_cast<size_t>(sector)].flow = -1;
    sectors_[static_cast<size_t>(sector)].ready = now + latency_;
  }
  for (auto waiting = flow.transfers.rbegin(); waiting != flow.transfers.rend(); ++waiting) {
    Transfer& reader = transfers_[static_cast<size_t>(*waiting)];
    reader.ready = std::max(reader.ready, now + latency_);
    resolved_.push_back(*waiting);
  }
  flow.sectors.clear();
  flow.transfers.clear();
  free_flows_.push_back(id);
  return {};
}

}  // namespace tilewright
