#pragma once

#include <cstdint>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"
#include "simulator/memory.h"
#include "simulator/shared_port.h"

namespace tilewright {

/// The links between chips. Each way of a link is a port of its own, whose bandwidth the transfers
/// that pass it share fairly. A transfer goes over all links of its way at once and has passed when
/// it is through each of them; the latencies of the links add up.
class FabricLinks {
 public:
  FabricLinks(const Fabric& fabric, double clock_mhz);

  /// Ticks that a signal takes from chip to chip.
  int64_t latency(int from, int to) const {
    return latencies_[static_cast<size_t>(from) * chips_ + static_cast<size_t>(to)];
  }
  /// Starts `bytes` on every link from chip to chip, each as a part of its own. Returns their
  /// number.
  int start(int from, int to, int64_t bytes, int32_t id, int64_t now);
  int64_t next_end() const;
  /// Ends the next part, at next_end(), and returns the id that it was started with.
  int32_t finish_next();
  bool kept_to_rate() const;

 private:
  Routes routes_;
  size_t chips_ = 1;
  std::vector<SharedPort> ports_;   // by way
  std::vector<int64_t> latencies_;  // by from * chips_ + to
};

/// The memories of a launch's chips and the links between them. An access to a tensor of the core's
/// own chip is one to its memory. One to a tensor of another chip goes over that chip's L2 and over
/// the links of the way. A load ends when it is through both, and after what is left of the latency
/// of its request and its answer when its bytes could begin to stream. A store leaves its core when
/// it is through both, and its bytes are there one latency later. Calls come in the order of time.
class ChipMemories {
 public:
  ChipMemories(const Launch& launch, const Machine& machine);

  /// As MemorySystem's, by a core of `chip`.
  int32_t request(int chip, const GmAccess& access, MemoryClient client, int64_t now) {
    if (memories_.size() == 1) return memories_[0].request(access, client, now);
    return request_from(chip, access, client, now);
  }
  void stream(int32_t transfer, int64_t now) {
    if (memories_.size() == 1) return memories_[0].stream(transfer, now);
    start_stream(transfer, now);
  }
  int64_t next_event() const {
    return memories_.size() == 1 ? memories_[0].next_event() : next_of_all();
  }
  MemorySystem::Done process() {
    return memories_.size() == 1 ? memories_[0].process() : process_next();
  }
  int64_t bytes_of_transfer(int32_t transfer) const {
    return memories_.size() == 1 ? memories_[0].bytes_of_transfer(transfer)
                                 : transfers_[static_cast<size_t>(transfer)].bytes;
  }

  /// Ticks that a signal takes from chip to chip; 0 on one chip.
  int64_t latency(int from, int to) const { return from == to ? 0 : links_.latency(from, to); }
  /// When the last bytes stored so far on another chip are there; 0 without any.
  int64_t last_arrival() const { return last_arrival_; }
  /// Of all chips.
  MemoryCounters counters() const;
  void check_conservation() const;

 private:
  /// A transfer of a launch on several chips.
  struct Transfer {
    int from = 0;  // chip of the core
    int to = 0;    // chip of the tensor
    MemoryClient client = MemoryClient::kUbLoad;
    int32_t inner = -1;  // its number in the memory of `to`
    int64_t bytes = 0;
    int64_t requested = 0;
    int64_t begin = 0;      // of its stream
    int parts = 0;          // of its way that it is not through yet; 0 on one chip
    int64_t links_end = 0;  // when it was through the last of the links
    MemorySystem::Done done;
  };

  int32_t request_from(int chip, const GmAccess& access, MemoryClient client, int64_t now);
  void start_stream(int32_t transfer, int64_t now);
  int64_t next_of_all() const;
  MemorySystem::Done process_next();
  MemorySystem::Done end_part(int32_t transfer);

  const Launch& launch_;
  std::vector<MemorySystem> memories_;  // by chip
  FabricLinks links_;
  std::vector<Transfer> transfers_;
  std::vector<int32_t> free_transfers_;
  std::vector<std::vector<int32_t>> outer_;  // by chip and number in its memory
  int64_t link_bytes_ = 0;
  int64_t last_arrival_ = 0;
};

}  // namespace tilewright
