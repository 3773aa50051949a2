#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/vector/ub_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// A vector of elements cut into equal parts, each into equal tiles, which the cores of a chip
/// share out in runs. Parts and tiles begin at multiples of 512 bytes where there are so many
/// elements; the last ones may be short or empty.
struct Shares {
  int64_t elements = 0;
  int64_t part = 0;      ///< elements of a part
  int64_t tile = 0;      ///< elements of a tile
  int64_t tiles = 0;     ///< in a part
  int64_t cores = 0;     ///< that have tiles
  int64_t per_core = 0;  ///< tiles of a core in a part, at most; of several lanes in each
  int64_t lanes = 1;

  /// First element of a tile in its part.
  int64_t place(int64_t tile_number) const { return tile_number * tile; }
  /// Elements of a tile of a part; 0 when the vector ended before it.
  int64_t length(int64_t part_number, int64_t tile_number) const;
};
/// `lanes` > 1: each tile goes so many ways, and each way has cores of its own.
Shares share_out(int64_t elements, int64_t parts, int64_t width, int64_t tile_bytes, int64_t cores,
                 int64_t lanes);

/// A tensor's row from some element on: where an instruction finds or leaves a tile, which begins
/// `kStart` elements further.
struct RowPlace {
  int tensor = -1;
  int64_t row = 0;
  int64_t col = 0;
  /// Of a source: the flag that it waits for. Of a target: the flag that it sets for the core at
  /// the same place of chip `chip`. -1: none.
  int flag = -1;
  int chip = -1;
};

/// What a tile of a collective takes of UB: a ring of slots with a tile for each source, and for
/// sums of halves two tiles of f32 that only the vector unit sees.
struct CollectivePlan {
  CollectivePlan(const Machine& machine, DType type, int64_t tile, int64_t sources,
                 int64_t buffers);

  UbPlan plan;
  std::vector<int64_t> tiles;  ///< places in a slot, by source
  int64_t slots = 0;
  int64_t slot_bytes = 0;
  int64_t sum = -1;   ///< f32; of f32 data -1: sums stay where the first source is
  int64_t term = -1;  ///< f32
};

/// Builds the launch of a collective: templates that bring a tile from one or more places, sum them
/// in the order of the places in f32, and leave the result, rounded once, in one or more places.
class CollectiveBuilder {
 public:
  CollectiveBuilder(const Problem& problem, const Config& config, const Machine& machine,
                    const Shares& shares, int64_t sources);

  /// A tensor of `rows` x the shares' elements on a chip.
  int add_tensor(const std::string& name, int chip, int64_t rows, bool workspace = false);
  /// A flag that a core of another chip sets.
  int add_peer_flag(const std::string& name);
  /// Cores on every chip of a list, as many as the shares need.
  void add_cores(const std::vector<int>& chips);

  /// Loads come in the order of `loads`, which are positions in `sources`; empty: in theirs.
  int add_template(const std::string& name, const std::vector<RowPlace>& sources,
                   const std::vector<RowPlace>& targets, const std::vector<size_t>& loads = {});

  /// Has a core of a chip of the list run a template for a tile of a part, unless that is empty.
  void run(size_t chip_position, int64_t core, int template_id, int64_t part, int64_t tile);

  /// Has each core of a chip send tiles: template `by_lane[l]` is what happens to each in lane l.
  void run_lanes(size_t chip_position, const std::vector<int>& by_lane);

  /// Tiles of a core in each part: [first, last). With one lane.
  int64_t first_tile(int64_t core) const { return core * shares_.per_core; }
  int64_t last_tile(int64_t core) const;

  Launch& launch() { return launch_; }
  const Shares& shares() const { return shares_; }

 private:
  void add_sum(std::vector<Instruction>& list, size_t sources) const;
  Tile in_slot(size_t source) const;

  const Machine& machine_;
  DType type_;
  Shares shares_;
  int64_t buffers_ = 1;
  CollectivePlan at_;
  Launch launch_;
  int loaded_ = -1;                  // flags: MTE2 to MTE3
  int ready_ = -1;                   // MTE2 to VEC
  int summed_ = -1;                  // VEC to MTE3
  int free_ = -1;                    // MTE3 to MTE2
  std::vector<int64_t> used_slots_;  // by core of the launch
};

}  // namespace tilewright
