#include "simulator/fabric.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

FabricLinks::FabricLinks(const Fabric& fabric, double clock_mhz)
    : routes_(fabric), chips_(static_cast<size_t>(fabric.chips)), latencies_(chips_ * chips_) {
  for (const FabricLink& link : routes_.links()) {
    const double rate = link.gb_per_s * fabric.efficiency * 1e3 / clock_mhz;
    for (int way = 0; way < 2; ++way) ports_.emplace_back(rate, std::vector<double>{rate});
  }
  for (int64_t from = 0; from < fabric.chips; ++from) {
    for (int64_t to = 0; to < fabric.chips; ++to) {
      int64_t& latency = latencies_[static_cast<size_t>(from) * chips_ + static_cast<size_t>(to)];
      for (const Routes::Way way : routes_.between(from, to)) {
        latency += to_ticks(routes_.links()[static_cast<size_t>(way / 2)].latency_us * clock_mhz);
      }
    }
  }
}

int FabricLinks::start(int from, int to, int64_t bytes, int32_t id, int64_t now) {
  const std::vector<Routes::Way>& ways = routes_.between(from, to);
  for (const Routes::Way way : ways) ports_[static_cast<size_t>(way)].start(0, bytes, id, now);
  return static_cast<int>(ways.size());
}

int64_t FabricLinks::next_end() const {
  int64_t next = SharedPort::kNever;
  for (const SharedPort& port : ports_) next = std::min(next, port.next_end());
  return next;
}

int32_t FabricLinks::finish_next() {
  const auto next = std::min_element(
      ports_.begin(), ports_.end(),
      [](const SharedPort& a, const SharedPort& b) { return a.next_end() < b.next_end(); });
  return next->finish_next();
}

bool FabricLinks::kept_to_rate() const {
  return std::all_of(ports_.begin(), ports_.end(),
                     [](const SharedPort& port) { return port.kept_to_rate(); });
}

ChipMemories::ChipMemories(const Launch& launch, const Machine& machine)
    : launch_(launch),
      links_(chip_count(launch) > 1 ? machine.fabric : Fabric{}, machine.cores.clock_mhz),
      outer_(static_cast<size_t>(chip_count(launch))) {
  memories_.reserve(outer_.size());
  for (size_t chip = 0; chip < outer_.size(); ++chip) {
    memories_.emplace_back(launch, machine, static_cast<int>(chip));
  }
}

int32_t ChipMemories::request_from(int chip, const GmAccess& access, MemoryClient client,
                                   int64_t now) {
  if (free_transfers_.empty()) {
    free_transfers_.push_back(static_cast<int32_t>(transfers_.size()));
    transfers_.emplace_back();
  }
  const int32_t id = free_transfers_.back();
  free_transfers_.pop_back();
  const Tensor& tensor = launch_.tensors[static_cast<size_t>(access.tensor)];
  Transfer& transfer = transfers_[static_cast<size_t>(id)];
  transfer = {};
  transfer.from = chip;
  transfer.to = tensor.chip;
  transfer.client = client;
  transfer.requested = now;
  const auto at = static_cast<size_t>(tensor.chip);
  transfer.inner = memories_[at].request(access, client, now);
  transfer.bytes = memories_[at].bytes_of_transfer(transfer.inner);
  std::vector<int32_t>& outer = outer_[at];
  if (static_cast<size_t>(transfer.inner) >= outer.size()) {
    outer.resize(static_cast<size_t>(transfer.inner) + 1);
  }
  outer[static_cast<size_t>(transfer.inner)] = id;
  if (chip != tensor.chip) link_bytes_ += transfer.bytes;
  return id;
}

void ChipMemories::start_stream(int32_t id, int64_t now) {
  Transfer& transfer = transfers_[static_cast<size_t>(id)];
  memories_[static_cast<size_t>(transfer.to)].stream(transfer.inner, now);
  transfer.begin = now;
  if (transfer.from == transfer.to) return;
  const bool write = is_write(transfer.client);
  transfer.parts = 1 + links_.start(write ? transfer.from : transfer.to,
                                    write ? transfer.to : transfer.from, transfer.bytes, id, now);
}

int64_t ChipMemories::next_of_all() const {
  int64_t next = links_.next_end();
  for (const MemorySystem& memory : memories_) next = std::min(next, memory.next_event());
  return next;
}

MemorySystem::Done ChipMemories::end_part(int32_t id) {
  Transfer& transfer = transfers_[static_cast<size_t>(id)];
  if (transfer.parts > 0 && --transfer.parts > 0) return {};
  MemorySystem::Done done = transfer.done;
  done.transfer = id;
  if (transfer.from != transfer.to) {
    const bool write = is_write(transfer.client);
    const int64_t fixed = memories_[static_cast<size_t>(transfer.to)].fixed_ticks(transfer.client);
    const int64_t there = links_.latency(transfer.from, transfer.to);
    const int64_t back = links_.latency(transfer.to, transfer.from);
    const int64_t through = std::max(done.end - fixed, transfer.links_end) + fixed;
    const int64_t left = std::max<int64_t>(0, transfer.requested + there + back - transfer.begin);
    const int64_t end = through + (write ? 0 : left);
    if (write) last_arrival_ = std::max(last_arrival_, end + there);
    done.link_ticks = end - done.end;
    done.end = end;
  }
  free_transfers_.push_back(id);
  return done;
}

MemorySystem::Done ChipMemories::process_next() {
  const auto first = std::min_element(
      memories_.begin(), memories_.end(),
      [](const MemorySystem& a, const MemorySystem& b) { return a.next_event() < b.next_event(); });
  const int64_t on_links = links_.next_end();
  if (on_links < first->next_event()) {
    const int32_t id = links_.finish_next();
    transfers_[static_cast<size_t>(id)].links_end = on_links;
    return end_part(id);
  }
  const MemorySystem::Done done = first->process();
  if (done.transfer < 0) return done;
  const auto chip = static_cast<size_t>(first - memories_.begin());
  const int32_t id = outer_[chip][static_cast<size_t>(done.transfer)];
  transfers_[static_cast<size_t>(id)].done = done;
  return end_part(id);
}

MemoryCounters ChipMemories::counters() const {
  MemoryCounters sum;
  for (const MemorySystem& memory : memories_) {
    const MemoryCounters& one = memory.counters();
    sum.l2_read_bytes += one.l2_read_bytes;
    sum.l2_hit_bytes += one.l2_hit_bytes;
    sum.l2_write_bytes += one.l2_write_bytes;
    sum.hbm_read_bytes += one.hbm_read_bytes;
    sum.hbm_write_bytes += one.hbm_write_bytes;
  }
  sum.link_bytes = link_bytes_;
  return sum;
}

void ChipMemories::check_conservation() const {
  for (const MemorySystem& memory : memories_) memory.check_conservation();
  TW_CHECK(links_.kept_to_rate(), "links keep to their rate");
}

}  // namespace tilewright
