#include "simulator/memory.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxSectors = 1 << 26;

/// Class of a client on its port: loads and stores have a port each, with two classes.
int class_of(MemoryClient client) {
  return static_cast<int>(client) % 2;
}

/// Little's law: a core with so many bytes under way cannot have more of them arrive a cycle.
double outstanding_rate(const Machine& machine) {
  if (machine.hbm.read_latency_cycles <= 0) return hbm_bytes_per_cycle(machine);
  return std::min(
      hbm_bytes_per_cycle(machine),
      static_cast<double>(machine.mte2.outstanding_bytes) / machine.hbm.read_latency_cycles);
}

// Classes of flows on the HBM port.
constexpr int kHbmRead = 0;
constexpr int kHbmWrite = 1;

}  // namespace

bool is_write(MemoryClient client) {
  return client == MemoryClient::kFixpipeStore || client == MemoryClient::kUbStore;
}

double hbm_bytes_per_cycle(const Machine& machine) {
  return machine.hbm.gb_per_s * 1e3 / machine.cores.clock_mhz;
}

int64_t to_ticks(double cycles) {
  return std::llround(cycles * static_cast<double>(kTicksPerCycle));
}

std::vector<SectorGrid> sector_grids(const Launch& launch) {
  std::vector<SectorGrid> grids;
  for (const Tensor& tensor : launch.tensors) {
    grids.push_back({tensor.sector_rows, tensor.sector_cols, 0, 0});
  }
  return grids;
}

MemorySystem::MemorySystem(const Launch& launch, const Machine& machine,
                           std::vector<SectorGrid> grids, int chip)
    : launch_(launch),
      machine_(machine),
      read_port_(machine.l2.read_bytes_per_cycle,
                 {machine.mte2.l1_bytes_per_cycle, machine.mte2.ub_bytes_per_cycle}),
      write_port_(machine.l2.write_bytes_per_cycle,
                  {machine.fixpipe.bytes_per_cycle, machine.mte3.bytes_per_cycle}),
      hbm_port_(hbm_bytes_per_cycle(machine),
                {outstanding_rate(machine), hbm_bytes_per_cycle(machine)}),
      latency_(to_ticks(machine.hbm.read_latency_cycles)),
      same_address_(to_ticks(machine.l2.same_address_cycles)),
      fixed_{to_ticks(machine.mte2.fixed_cycles), to_ticks(machine.mte2.fixed_cycles), 0,
             to_ticks(machine.mte3.fixed_cycles)} {
  int64_t count = 0;
  for (size_t t = 0; t < launch.tensors.size(); ++t) {
    const Tensor& tensor = launch.tensors[t];
    const SectorGrid& grid = grids[t];
    const int64_t columns = ceil_div(tensor.cols + grid.cut_cols, grid.cols);
    const int64_t rows = ceil_div(tensor.rows + grid.cut_rows, grid.rows);
    tensors_.push_back({count, columns, grid});
    if (tensor.chip == chip) count += columns * rows;
    if (count > kMaxSectors) {
      throw Error(ErrorKind::kFailed, "launch " + launch.name +
                                          ": its tensors have more than 2^26 "
                                          "L2 sectors; larger tiles would do");
    }
  }
  sectors_.resize(static_cast<size_t>(count));
  warm_up(chip);
}

void MemorySystem::warm_up(int chip) {
  struct Walk {
    std::vector<std::pair<int32_t, Part>> sectors;  // in the order of the walk
    bool dirty = false;
  };
  std::vector<Walk> walks;
  size_t steps = 0;
  for (size_t t = 0; t < launch_.tensors.size(); ++t) {
    const Tensor& tensor = launch_.tensors[t];
    if (!tensor.warm || tensor.chip != chip) continue;
    std::vector<std::pair<int32_t, Part>> in_place;
    for_each_sector({static_cast<int>(t), 0, 0, tensor.rows, tensor.cols},
                    [&](int32_t id, const Part& part) { in_place.emplace_back(id, part); });
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
        const auto [id, part] = walk.sectors[i];
        const int32_t bytes = part.bytes();
        while (oldest_ >= 0 && used_bytes_ + bytes > machine_.l2.capacity_bytes) remove_oldest();
        insert(id, part, 0);
        sectors_[static_cast<size_t>(id)].dirty = walk.dirty;
      }
    }
  }
}

int64_t burst_bytes(const Tensor& tensor, int64_t rows, int64_t cols) {
  const int64_t width = bytes_of(tensor.type);
  if (tensor.layout == Layout::kZn) {
    // Fractal columns of 32 bytes, each contiguous over the tensor's rows.
    return rows == tensor.rows ? rows * cols * width : rows * 32;
  }
  return cols == tensor.cols ? rows * cols * width : cols * width;
}

int64_t burst_bytes(const Tensor& tensor, const GmAccess& access) {
  const bool one = access.count == 1;
  return burst_bytes(tensor, one ? access.rows : access.each_rows,
                     one ? access.cols : access.each_cols);
}

int64_t stream_bytes(const Machine& machine, const Tensor& tensor, const GmAccess& access) {
  const int64_t width = bytes_of(tensor.type);
  const int64_t bytes = access.rows * access.cols * width;
  const int64_t burst = burst_bytes(tensor, access);
  // Pieces shorter than the smallest one that the memory handles cost as much as that.
  const bool short_pieces = burst < machine.l2.piece_bytes;
  const int64_t whole = short_pieces ? ceil_div(bytes, burst) * machine.l2.piece_bytes : bytes;
  if (tensor.layout == Layout::kZn) return whole;  // fractals are aligned
  const int64_t start = (access.row * tensor.cols + access.col) * width;
  const int64_t pitch = burst < bytes ? tensor.cols * width : 0;
  // From misaligned_rate at 32 B, the least alignment, each doubling gains as much.
  const auto doublings = [](int64_t address) {
    return std::max(0, std::countr_zero(static_cast<uint64_t>(address)) - 5);
  };
  const int full = doublings(machine.l2.align_bytes);
  const int reached = (start | pitch) == 0 ? full : std::min(full, doublings(start | pitch));
  if (reached == full) return whole;
  const double lost = (1 - machine.l2.misaligned_rate) * (full - reached) / full;
  return std::llround(static_cast<double>(whole) / (1 - lost));
}

int64_t MemorySystem::stream_bytes(const GmAccess& access) const {
  return tilewright::stream_bytes(machine_, launch_.tensors[static_cast<size_t>(access.tensor)],
                                  access);
}

template <typename Visit>
void MemorySystem::for_each_sector(const GmAccess& access, Visit visit) const {
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  const TensorInfo& info = tensors_[static_cast<size_t>(access.tensor)];
  const SectorGrid& grid = info.grid;
  const auto width = static_cast<int32_t>(bytes_of(tensor.type));
  const int64_t first_row = access.row + grid.cut_rows;
  const int64_t first_col = access.col + grid.cut_cols;
  const int64_t last_row = first_row + access.rows;
  const int64_t last_col = first_col + access.cols;
  // Sizes fit 32 bits, whose division is much faster.
  const auto quotient = [](int64_t a, int64_t b) {
    return int64_t{static_cast<uint32_t>(a) / static_cast<uint32_t>(b)};
  };
  const int64_t first_c = quotient(first_col, grid.cols);
  for (int64_t r = quotient(first_row, grid.rows); r * grid.rows < last_row; ++r) {
    const int64_t top = std::max(first_row, r * grid.rows);
    const int64_t bottom = std::min(last_row, (r + 1) * grid.rows);
    for (int64_t c = first_c; c * grid.cols < last_col; ++c) {
      const int64_t left = std::max(first_col, c * grid.cols);
      const int64_t right = std::min(last_col, (c + 1) * grid.cols);
      visit(static_cast<int32_t>(info.first_sector + r * info.sector_columns + c),
            Part{static_cast<int32_t>(top), static_cast<int32_t>(left),
                 static_cast<int32_t>(bottom), static_cast<int32_t>(right), width});
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
  start_hbm(new_flow(), victim.bytes, now);
}

MemorySystem::Part MemorySystem::Part::with(const Part& other) const {
  return {std::min(top, other.top), std::min(left, other.left), std::max(bottom, other.bottom),
          std::max(right, other.right), width};
}

int32_t MemorySystem::Part::shared_bytes(const Part& other) const {
  const int32_t rows = std::min(bottom, other.bottom) - std::max(top, other.top);
  const int32_t cols = std::min(right, other.right) - std::max(left, other.left);
  return rows > 0 && cols > 0 ? rows * cols * width : 0;
}

void MemorySystem::make_room(int32_t bytes, int64_t now) {
  while (oldest_ >= 0 && used_bytes_ + bytes > machine_.l2.capacity_bytes) evict(now);
}

/// The sector is the newest, so that it makes no room for itself unless L2 holds nothing else.
void MemorySystem::extend(int32_t id, const Part& part, int32_t missing, int64_t now) {
  make_room(missing, now);
  Sector& sector = sectors_[static_cast<size_t>(id)];
  if (!sector.present) return insert(id, part, now);
  sector.part = sector.part.with(part);
  sector.bytes += missing;
  used_bytes_ += missing;
}

void MemorySystem::insert(int32_t id, const Part& part, int64_t now) {
  const int32_t bytes = part.bytes();
  make_room(bytes, now);
  Sector& sector = sectors_[static_cast<size_t>(id)];
  sector.newer = -1;
  sector.older = newest_;
  sector.flow = -1;
  sector.present = true;
  sector.dirty = false;
  sector.bytes = bytes;
  sector.part = part;
  sector.ready = 0;
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

int64_t MemorySystem::hbm_bytes(const GmAccess& access, int64_t missing) const {
  const int64_t burst = burst_bytes(launch_.tensors[static_cast<size_t>(access.tensor)], access);
  const double overhead =
      machine_.hbm.burst_overhead_bytes / static_cast<double>(std::max<int64_t>(1, burst));
  return missing + std::llround(static_cast<double>(missing) * overhead);
}

void MemorySystem::start_hbm(int32_t flow, int64_t bytes, int64_t now) {
  const bool read = !flows_[static_cast<size_t>(flow)].transfers.empty();
  hbm_port_.start(read ? kHbmRead : kHbmWrite, bytes, flow, now);
}

int64_t MemorySystem::alone(const GmAccess& access, MemoryClient client) const {
  const SharedPort& port = is_write(client) ? write_port_ : read_port_;
  return port.alone(class_of(client), stream_bytes(access));
}

int32_t MemorySystem::read_sector(int32_t id, const Part& part, int32_t transfer, int32_t flow,
                                  int64_t now) {
  Sector& sector = sectors_[static_cast<size_t>(id)];
  Transfer& reader = transfers_[static_cast<size_t>(transfer)];
  const int32_t bytes = part.bytes();
  if (!sector.present) {
    insert(id, part, now);
    sector.flow = flow;
    flows_[static_cast<size_t>(flow)].sectors.push_back(id);
    return bytes;
  }
  touch(id);
  const int32_t there = sector.part.holds(part) ? bytes : sector.part.shared_bytes(part);
  counters_.l2_hit_bytes += there;
  if (there == 0) {
    // Nothing to wait for but what the flow brings.
  } else if (sector.flow < 0) {
    reader.ready = std::max(reader.ready, sector.ready);
  } else if (sector.flow != flow) {
    std::vector<int32_t>& waiting = flows_[static_cast<size_t>(sector.flow)].transfers;
    if (waiting.empty() || waiting.back() != transfer) {
      waiting.push_back(transfer);
      ++reader.waiting;
    }
  }
  if (there == bytes) return 0;
  // Whoever reads any of it from now on waits for this flow.
  extend(id, part, bytes - there, now);
  if (sector.flow != flow) {
    sector.flow = flow;
    flows_[static_cast<size_t>(flow)].sectors.push_back(id);
  }
  return bytes - there;
}

void MemorySystem::write_access(const GmAccess& access, int64_t now) {
  for_each_sector(access, [&](int32_t sector, const Part& part) {
    const Sector& written = sectors_[static_cast<size_t>(sector)];
    if (written.present) {
      touch(sector);
      if (!written.part.holds(part)) {
        extend(sector, part, part.bytes() - written.part.shared_bytes(part), now);
      }
    } else {
      insert(sector, part, now);
    }
    sectors_[static_cast<size_t>(sector)].dirty = true;
  });
}

void MemorySystem::read_access(const GmAccess& access, int32_t transfer, int64_t now, int64_t lead,
                               int64_t hidden) {
  const int32_t id = new_flow();
  int64_t missing = 0;
  int64_t sectors = 0;
  int64_t late = 0;  // sectors whose bytes are not in L2 yet
  for_each_sector(access, [&](int32_t sector, const Part& part) {
    if (sectors++ == 0) transfers_[static_cast<size_t>(transfer)].first_sector = sector;
    missing += read_sector(sector, part, transfer, id, now);
    const Sector& read = sectors_[static_cast<size_t>(sector)];
    if (read.flow >= 0 || read.ready > now) ++late;
  });
  if (missing == 0) {
    free_flows_.push_back(id);
    return;
  }
  counters_.hbm_read_bytes += missing;
  HbmFlow& flow = flows_[static_cast<size_t>(id)];
  Transfer& reader = transfers_[static_cast<size_t>(transfer)];
  flow.reader = transfer;
  flow.serial = 0;
  if (access.count > 1) {
    // One after another: those that hit stream while nothing comes from HBM, and each that is late
    // waits for what the transfer before it does not hide of the latency.
    const int64_t waits = access.count * late / sectors;
    const int64_t streamed = reader.stream_bytes * (access.count - waits) / access.count;
    flow.serial = read_port_.alone(class_of(reader.client), streamed) + access.count * lead +
                  waits * std::max<int64_t>(0, latency_ - hidden) - latency_;
    reader.brought = flow.sectors;
  }
  flow.transfers.push_back(transfer);
  ++reader.waiting;
  start_hbm(id, hbm_bytes(access, missing), now);
}

int32_t MemorySystem::request(const GmAccess& access, MemoryClient client, int64_t now,
                              int64_t lead, int64_t hidden) {
  if (free_transfers_.empty()) {
    free_transfers_.push_back(static_cast<int32_t>(transfers_.size()));
    transfers_.emplace_back();
  }
  const int32_t id = free_transfers_.back();
  free_transfers_.pop_back();
  Transfer& transfer = transfers_[static_cast<size_t>(id)];
  const bool write = is_write(client);
  transfer.client = client;
  transfer.write = write;
  transfer.waiting = 1;
  transfer.ready = transfer.own_ready = transfer.conflict = 0;
  transfer.fixed = fixed_[static_cast<size_t>(client)] * access.count;
  transfer.bytes = access.rows * access.cols *
                   bytes_of(launch_.tensors[static_cast<size_t>(access.tensor)].type);
  transfer.stream_bytes = stream_bytes(access);
  transfer.count = access.count;
  transfer.first_sector = -1;
  transfer.brought.clear();
  if (write) {
    counters_.l2_write_bytes += transfer.bytes;
    write_access(access, now);
  } else {
    counters_.l2_read_bytes += transfer.bytes;
    read_access(access, id, now, lead, hidden);
  }
  return id;
}

void MemorySystem::stream(int32_t transfer, int64_t now) {
  Transfer& moving = transfers_[static_cast<size_t>(transfer)];
  moving.begin = now;
  if (moving.first_sector >= 0) {
    // Those that stand for several meet as often.
    int32_t& readers = sectors_[static_cast<size_t>(moving.first_sector)].readers;
    moving.conflict = moving.count * same_address_ * readers++;
  }
  SharedPort& port = moving.write ? write_port_ : read_port_;
  port.start(class_of(moving.client), moving.stream_bytes, transfer, now);
}

int64_t MemorySystem::next_event() const {
  if (!resolved_.empty()) return INT64_MIN;  // already happened: deliver before anything else
  return std::min({read_port_.next_end(), write_port_.next_end(), hbm_port_.next_end()});
}

MemorySystem::Done MemorySystem::finish_part(int32_t transfer) {
  Transfer& moving = transfers_[static_cast<size_t>(transfer)];
  if (--moving.waiting > 0) return {};
  const SharedPort& port = moving.write ? write_port_ : read_port_;
  const int64_t alone = port.alone(class_of(moving.client), moving.stream_bytes);
  Done done;
  done.transfer = transfer;
  done.l2_ticks = std::max<int64_t>(0, moving.stream_end - moving.begin - alone);
  done.hbm_ticks =
      std::max<int64_t>(0, std::max(moving.ready, moving.own_ready) - moving.stream_end);
  done.conflict_ticks = moving.conflict;
  done.end = moving.stream_end + done.hbm_ticks + moving.conflict + moving.fixed;
  if (moving.first_sector >= 0) --sectors_[static_cast<size_t>(moving.first_sector)].readers;
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
  finish_flow(hbm_port_.finish_next(), now);
  return {};
}

void MemorySystem::finish_flow(int32_t id, int64_t now) {
  HbmFlow& flow = flows_[static_cast<size_t>(id)];
  const int64_t ready = now + latency_ + flow.serial;
  for (int32_t brought : flow.sectors) {
    Sector& sector = sectors_[static_cast<size_t>(brought)];
    if (sector.flow != id) continue;  // evicted meanwhile
    sector.flow = -1;
    sector.ready = ready;
  }
  for (auto waiting = flow.transfers.rbegin(); waiting != flow.transfers.rend(); ++waiting) {
    Transfer& reader = transfers_[static_cast<size_t>(*waiting)];
    int64_t& arrival = *waiting == flow.reader ? reader.own_ready : reader.ready;
    arrival = std::max(arrival, ready);
    resolved_.push_back(*waiting);
  }
  flow.sectors.clear();
  flow.transfers.clear();
  flow.serial = 0;
  flow.reader = -1;
  free_flows_.push_back(id);
}

void MemorySystem::check_conservation() const {
  TW_CHECK(counters_.l2_hit_bytes + counters_.hbm_read_bytes == counters_.l2_read_bytes,
           "bytes read hit L2 or come from HBM");
  TW_CHECK(read_port_.kept_to_rate(), "L2 reads keep to their rate");
  TW_CHECK(write_port_.kept_to_rate(), "L2 writes keep to their rate");
  TW_CHECK(hbm_port_.kept_to_rate(), "HBM keeps to its rate");
}

}  // namespace tilewright
