#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/machine/machine.h"
#include "simulator/launch.h"
#include "simulator/shared_port.h"

namespace tilewright {

/// Bytes that went over the shared memory, by kind.
struct MemoryCounters {
  int64_t l2_read_bytes = 0;  ///< asked for by cores
  int64_t l2_hit_bytes = 0;   ///< of those, already in L2 or on their way
  int64_t l2_write_bytes = 0;
  int64_t hbm_read_bytes = 0;
  int64_t hbm_write_bytes = 0;  ///< dirty sectors evicted
  int64_t link_bytes = 0;       ///< loaded from or stored to another chip
};

/// A rectangle of a tensor that a core loads or stores.
struct GmAccess {
  int tensor = 0;
  int64_t row = 0;
  int64_t col = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  /// Transfers one after another that it stands for (composed timing), each of so many rows and
  /// columns.
  int64_t count = 1;
  int64_t each_rows = 0;
  int64_t each_cols = 0;
};

/// Bytes of one contiguous piece of a rectangle in GM.
int64_t burst_bytes(const Tensor& tensor, int64_t rows, int64_t cols);
int64_t burst_bytes(const Tensor& tensor, const GmAccess& access);

/// Bytes whose time on the L2 port a rectangle takes: its own, with what pieces that are small or
/// misaligned lose.
int64_t stream_bytes(const Machine& machine, const Tensor& tensor, const GmAccess& access);

/// Who loads or stores: each has its own cap on the way to the L2.
enum class MemoryClient : uint8_t { kL1Load, kUbLoad, kFixpipeStore, kUbStore };
bool is_write(MemoryClient client);

/// How a tensor is divided into L2 sectors: rectangles of rows x cols elements, the first of them
/// cut off by so many rows and columns.
struct SectorGrid {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t cut_rows = 0;
  int64_t cut_cols = 0;
};
/// The grids that the launch's tensors state.
std::vector<SectorGrid> sector_grids(const Launch& launch);

/// The memory of one chip, which all its cores share: L2 as an LRU cache over sectors, HBM behind
/// it, and the bandwidth of both shared fairly. A load ends when its bytes have come over the L2
/// port and those that missed have arrived from HBM, plus the client's fixed cost; a sector in
/// flight makes later readers wait for the same arrival. Time is in ticks; calls come in the order
/// of time.
class MemorySystem {
 public:
  MemorySystem(const Launch& launch, const Machine& machine, int chip = 0)
      : MemorySystem(launch, machine, sector_grids(launch), chip) {}
  MemorySystem(const Launch& launch, const Machine& machine, std::vector<SectorGrid> grids,
               int chip = 0);

  /// How one transfer ended and what its duration consists of.
  struct Done {
    int32_t transfer = -1;  ///< as returned by request(); -1: nothing ended
    int64_t end = 0;
    int64_t l2_ticks = 0;        ///< waiting for its share of the L2 port
    int64_t hbm_ticks = 0;       ///< waiting for HBM after its L2 share was through
    int64_t conflict_ticks = 0;  ///< behind other readers of the same address
    int64_t link_ticks = 0;      ///< on the links to another chip, beyond what its memory takes
  };

  /// Looks the bytes up in L2 and asks HBM for what is missing. Of several transfers in one the
  /// fixed cost of each is paid, and of the latency of each that misses all but `hidden` ticks;
  /// each begins `lead` ticks after its request. Returns the transfer's number, which is free again
  /// after its Done.
  int32_t request(const GmAccess& access, MemoryClient client, int64_t now, int64_t lead = 0,
                  int64_t hidden = 0);
  /// The pipe is free: the transfer's bytes start to move. Once for each transfer.
  void stream(int32_t transfer, int64_t now);

  int64_t next_event() const;
  /// Processes the event at next_event().
  Done process();

  const MemoryCounters& counters() const { return counters_; }
  int64_t bytes_of_transfer(int32_t transfer) const {
    return transfers_[static_cast<size_t>(transfer)].bytes;
  }
  /// Sectors that a transfer brings.
  const std::vector<int32_t>& brought_by(int32_t transfer) const {
    return transfers_[static_cast<size_t>(transfer)].brought;
  }
  /// The sector turned out to arrive later than its transfer said: the core could not take it yet.
  void delay(int32_t sector, int64_t until) {
    int64_t& ready = sectors_[static_cast<size_t>(sector)].ready;
    ready = std::max(ready, until);
  }
  /// The fixed cost at the end of each of a client's transfers.
  int64_t fixed_ticks(MemoryClient client) const { return fixed_[static_cast<size_t>(client)]; }
  /// Ticks that the access needs on its port with nobody beside it.
  int64_t alone(const GmAccess& access, MemoryClient client) const;
  /// Breaks (TW_CHECK) when bytes were lost or a port gave more than its rate.
  void check_conservation() const;

 private:
  /// Elements of a sector: a rectangle of the tensor.
  struct Part {
    int32_t top = 0;
    int32_t left = 0;
    int32_t bottom = 0;
    int32_t right = 0;
    int32_t width = 1;  ///< bytes of an element

    int32_t bytes() const { return (bottom - top) * (right - left) * width; }
    bool holds(const Part& other) const {
      return top <= other.top && left <= other.left && bottom >= other.bottom &&
             right >= other.right;
    }
    /// The smallest rectangle around both.
    Part with(const Part& other) const;
    /// Bytes in both.
    int32_t shared_bytes(const Part& other) const;
  };
  struct Sector {
    int32_t newer = -1;
    int32_t older = -1;
    int32_t flow = -1;  // HBM flow that brings it, -1 none
    bool present = false;
    bool dirty = false;
    int32_t bytes = 0;
    /// What of it is in L2: around all that was read or written of it.
    Part part = {};
    int32_t readers = 0;  // transfers that stream it now
    int64_t ready = 0;    // when its bytes arrived
  };
  struct TensorInfo {
    int64_t first_sector = 0;
    int64_t sector_columns = 0;
    SectorGrid grid;
  };
  struct Transfer {
    MemoryClient client = MemoryClient::kL1Load;
    bool write = false;
    int64_t bytes = 0;
    int64_t stream_bytes = 0;  // of the port's time, with what small and misaligned pieces lose
    int64_t begin = 0;         // of its stream
    int64_t stream_end = 0;
    int64_t ready = 0;             // of its last byte that others brought from HBM
    int64_t own_ready = 0;         // of its last byte that itself asked HBM for
    int64_t fixed = 0;             // at its end
    int64_t conflict = 0;          // at its end
    int32_t waiting = 0;           // HBM flows not yet ended, plus 1 until the stream has ended
    int64_t count = 1;             // that it stands for
    int32_t first_sector = -1;     // of a load
    std::vector<int32_t> brought;  // of a load that stands for several
  };
  struct HbmFlow {
    int64_t begin = 0;
    int64_t serial = 0;              // latencies of several accesses one after another, beyond one
    int32_t reader = -1;             // the transfer that asked for it
    std::vector<int32_t> transfers;  // that wait for it
    std::vector<int32_t> sectors;
  };

  void warm_up(int chip);
  void touch(int32_t id);
  void unlink(int32_t id);
  void insert(int32_t id, const Part& part, int64_t now);
  /// Makes room for as many bytes.
  void make_room(int32_t bytes, int64_t now);
  /// Adds a part to a sector that is there, and the bytes that it lacked.
  void extend(int32_t id, const Part& part, int32_t missing, int64_t now);
  Sector remove_oldest();
  void evict(int64_t now);
  /// Bytes of the part that were missing, which `flow` now brings.
  int32_t read_sector(int32_t id, const Part& part, int32_t transfer, int32_t flow, int64_t now);
  void write_access(const GmAccess& access, int64_t now);
  void read_access(const GmAccess& access, int32_t transfer, int64_t now, int64_t lead,
                   int64_t hidden);
  template <typename Visit>
  void for_each_sector(const GmAccess& access, Visit visit) const;
  int64_t stream_bytes(const GmAccess& access) const;
  int64_t hbm_bytes(const GmAccess& access, int64_t missing) const;
  int32_t new_flow();
  void start_hbm(int32_t flow, int64_t bytes, int64_t now);
  Done finish_part(int32_t transfer);
  void finish_flow(int32_t id, int64_t now);

  const Launch& launch_;
  const Machine& machine_;
  std::vector<TensorInfo> tensors_;
  std::vector<Sector> sectors_;
  int32_t newest_ = -1;
  int32_t oldest_ = -1;
  int64_t used_bytes_ = 0;
  std::vector<Transfer> transfers_;
  std::vector<int32_t> free_transfers_;
  std::vector<HbmFlow> flows_;
  std::vector<int32_t> free_flows_;
  std::vector<int32_t> resolved_;  // transfers whose last part ended with an HBM flow
  SharedPort read_port_;
  SharedPort write_port_;
  SharedPort hbm_port_;
  int64_t latency_ = 0;
  int64_t same_address_ = 0;
  std::array<int64_t, 4> fixed_{};
  MemoryCounters counters_;
};

/// HBM bytes a cycle of the machine.
double hbm_bytes_per_cycle(const Machine& machine);

/// Cycles as ticks, rounded to nearest.
int64_t to_ticks(double cycles);

}  // namespace tilewright
