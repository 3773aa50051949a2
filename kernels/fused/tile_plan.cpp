#include "kernels/fused/tile_plan.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/fused/tile_estimate.h"

namespace tilewright {

namespace {

/// Places of a ring: two overlap a tile's transfers with the work on another; more hide the latency
/// of small ones.
constexpr std::array<int64_t, 3> kSlots = {2, 3, 4};

/// Bytes in UB where the rows of an array with several axes begin at blocks.
struct UbLayout {
  std::vector<int64_t> strides = {};
  int64_t bytes = 0;
};

UbLayout layout_of(const VecArray& array, const std::vector<int64_t>& tile, int64_t align) {
  UbLayout layout;
  layout.strides.resize(array.axes.size());
  const int64_t width = bytes_of(array.type);
  int64_t next = 1;
  for (size_t i = array.axes.size(); i-- > 0;) {
    layout.strides[i] = next;
    next *= tile[static_cast<size_t>(array.axes[i])];
    const bool is_row = i + 1 == array.axes.size() && i > 0;
    if (is_row) next = round_up(next * width, align) / width;
  }
  layout.bytes = round_up(next * width, align);
  return layout;
}

/// When an array is written first and read last, in steps counted over begin, body and end.
struct Life {
  int first = -1;
  int last = -1;
  void use(int at) {
    if (first < 0) first = at;
    last = at;
  }
};

/// Places arrays in UB for a given tile.
class UbPlanner {
 public:
  UbPlanner(const VecProgram& program, const Machine& machine, const std::vector<int64_t>& tile,
            int64_t slots)
      : program_(program), align_(machine.buffers.ub_align), capacity_(machine.buffers.ub_bytes) {
    plan_.tile = tile;
    plan_.slots = slots;
    for (const VecArray& array : program.arrays) {
      layouts_.push_back(layout_of(array, tile, align_));
      plan_.strides.push_back(layouts_.back().strides);
    }
    plan_.places.resize(program.arrays.size());
    plan_.in_bytes = add_ring(program.body.loads, UbPlace::Ring::kIn, slots);
    plan_.out_bytes = add_ring(program.body.stores, UbPlace::Ring::kOut, slots);
    add_ring(program.end.loads, UbPlace::Ring::kLateIn, 1);
    add_ring(program.end.stores, UbPlace::Ring::kLateOut, 1);
    find_lives();
    place_temporaries();
    plan_.ub_bytes = top_;
  }

  std::optional<TilePlan> plan() && {
    if (plan_.ub_bytes > capacity_) return std::nullopt;
    return std::move(plan_);
  }

 private:
  UbPlace& place(int array) { return plan_.places[static_cast<size_t>(array)]; }
  int64_t bytes(int array) const { return layouts_[static_cast<size_t>(array)].bytes; }

  /// The bytes from place to place of the ring that holds the arrays of some transfers.
  int64_t add_ring(const std::vector<VecTransfer>& transfers, UbPlace::Ring ring, int64_t slots) {
    int64_t slot = 0;
    for (const VecTransfer& transfer : transfers) {
      if (place(transfer.array).ring != UbPlace::Ring::kNone) continue;
      place(transfer.array) = {ring, top_ + slot};
      slot += bytes(transfer.array);
    }
    top_ += slot * slots;
    return slot;
  }

  void find_lives() {
    lives_.resize(program_.arrays.size());
    int at = 0;
    std::vector<bool> in_begin(program_.arrays.size(), false);
    for (const VecPart* part : {&program_.begin, &program_.body, &program_.end}) {
      for (const VecStep& step : part->steps) {
        for (const int array : {step.dst, step.a, step.b, step.scratch}) {
          if (array < 0) continue;
          lives_[static_cast<size_t>(array)].use(at);
          if (part == &program_.begin) in_begin[static_cast<size_t>(array)] = true;
        }
        ++at;
      }
    }
    steps_ = at;
    // What begins before the loop over tiles must not be touched while it runs.
    const auto loop_end =
        static_cast<int>(program_.begin.steps.size() + program_.body.steps.size()) - 1;
    for (size_t i = 0; i < lives_.size(); ++i) {
      if (in_begin[i]) lives_[i].last = std::max(lives_[i].last, loop_end);
    }
  }

  const VecStep& step_at(int at) const {
    auto index = static_cast<size_t>(at);
    for (const VecPart* part : {&program_.begin, &program_.body, &program_.end}) {
      if (index < part->steps.size()) return part->steps[index];
      index -= part->steps.size();
    }
    TW_CHECK(false, "steps are counted over the parts");
  }

  static bool is_reduction(const VecStep& step) {
    return step.op == VectorOp::kRowSum || step.op == VectorOp::kRowMax;
  }

  /// An operand whose place the result may take: it ends here and lies alike.
  int place_to_take(const VecStep& step, int at) const {
    if (is_reduction(step) || step.op == VectorOp::kSelect || step.op == VectorOp::kGather)
      return -1;
    const VecArray& dst = program_.arrays[static_cast<size_t>(step.dst)];
    for (const int operand : {step.a, step.b}) {
      if (operand < 0) continue;
      const auto index = static_cast<size_t>(operand);
      const VecArray& array = program_.arrays[index];
      if (plan_.places[index].ring == UbPlace::Ring::kNone && lives_[index].last == at &&
          array.axes == dst.axes && bytes_of(array.type) == bytes_of(dst.type)) {
        return operand;
      }
    }
    return -1;
  }

  void place_temporaries() {
    struct Block {
      int64_t offset;
      int64_t end;
      int last;
    };
    std::vector<Block> blocks;  // in use, by offset
    const int64_t base = top_;
    const auto put = [&](int array, int at) {
      // The first gap that is large enough.
      int64_t offset = base;
      auto where = blocks.begin();
      for (; where != blocks.end(); ++where) {
        if (where->offset - offset >= bytes(array)) break;
        offset = where->end;
      }
      blocks.insert(where, {offset, offset + bytes(array),
                            std::max(at, lives_[static_cast<size_t>(array)].last)});
      place(array).offset = offset;
      top_ = std::max(top_, offset + bytes(array));
    };
    for (int at = 0; at < steps_; ++at) {
      std::erase_if(blocks, [&](const Block& block) { return block.last < at; });
      const VecStep& step = step_at(at);
      for (const int array : {step.dst, step.scratch}) {
        if (array < 0 || place(array).ring != UbPlace::Ring::kNone ||
            lives_[static_cast<size_t>(array)].first != at) {
          continue;
        }
        const int taken = array == step.dst ? place_to_take(step, at) : -1;
        if (taken < 0) {
          put(array, at);
          continue;
        }
        place(array).offset = place(taken).offset;
        for (Block& block : blocks) {
          if (block.offset == place(taken).offset) {
            block.last = lives_[static_cast<size_t>(array)].last;
          }
        }
      }
    }
  }

  const VecProgram& program_;
  const int64_t align_;
  const int64_t capacity_;
  TilePlan plan_;
  std::vector<UbLayout> layouts_;
  std::vector<Life> lives_;
  int steps_ = 0;
  int64_t top_ = 0;
};

/// Extents that divide an axis into equal tiles of at most `most`; of a row's axis in whole repeats
/// where there are several.
int64_t even_tile(int64_t extent, int64_t most, int64_t granule) {
  most = std::max<int64_t>(1, std::min(extent, most));
  const int64_t tiles = ceil_div(extent, most);
  int64_t tile = ceil_div(extent, tiles);
  if (tile < extent && tile > granule)
    tile = std::min(most / granule * granule, round_up(tile, granule));
  return std::max<int64_t>(1, tile);
}

}  // namespace

std::vector<int64_t> strides_on(const VecProgram& program, const TilePlan& plan, int array) {
  std::vector<int64_t> strides(program.extents.size(), 0);
  const std::vector<int>& axes = program.arrays[static_cast<size_t>(array)].axes;
  for (size_t i = 0; i < axes.size(); ++i) {
    strides[static_cast<size_t>(axes[i])] = plan.strides[static_cast<size_t>(array)][i];
  }
  return strides;
}

int64_t PieceShape::count() const {
  int64_t count = 1;
  for (const Loop& loop : loops) count *= loop.extent;
  return count;
}

int64_t tile_count(const VecProgram& program, const TilePlan& plan, size_t axis) {
  return ceil_div(program.extents[axis], plan.tile[axis]);
}

std::optional<PieceShape> pieces_of(const std::vector<int64_t>& extents,
                                    const std::vector<std::vector<int64_t>>& strides,
                                    const std::vector<int64_t>& aligned) {
  // Neighbouring axes along which all operands go on alike are one.
  std::vector<PieceShape::Loop> dims;
  for (size_t axis = extents.size(); axis-- > 0;) {
    if (extents[axis] == 1) continue;
    PieceShape::Loop dim{extents[axis], {}};
    for (const std::vector<int64_t>& operand : strides) dim.strides.push_back(operand[axis]);
    const auto goes_on = [&](const PieceShape::Loop& minor) {
      for (size_t i = 0; i < strides.size(); ++i) {
        if (dim.strides[i] != minor.strides[i] * minor.extent) return false;
      }
      return true;
    };
    if (!dims.empty() && goes_on(dims.back())) {
      dims.back().extent *= dim.extent;
    } else {
      dims.push_back(std::move(dim));
    }
  }
  PieceShape shape;
  shape.row_strides.assign(strides.size(), 0);
  shape.col_strides.assign(strides.size(), 0);
  // From minor to major now. Columns lie side by side, or are one element for all.
  const auto is_column = [](const PieceShape::Loop& dim) {
    return std::ranges::all_of(dim.strides, [](int64_t stride) { return stride <= 1; }) &&
           dim.strides.front() == 1;
  };
  if (!dims.empty() && is_column(dims.front())) {
    shape.cols = dims.front().extent;
    shape.col_strides = dims.front().strides;
    dims.erase(dims.begin());
  }
  // Rows are what leaves the other dimensions with aligned places; the longest of those.
  const auto is_aligned = [&](const PieceShape::Loop& dim) {
    for (size_t i = 0; i < aligned.size(); ++i) {
      if (dim.strides[i] % aligned[i] != 0) return false;
    }
    return true;
  };
  size_t rows = dims.size();
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool others_aligned = [&] {
      for (size_t j = 0; j < dims.size(); ++j) {
        if (j != i && !is_aligned(dims[j])) return false;
      }
      return true;
    }();
    if (others_aligned && (rows == dims.size() || dims[i].extent > dims[rows].extent)) rows = i;
  }
  if (rows == dims.size() && !dims.empty()) return std::nullopt;
  if (!dims.empty()) {
    shape.rows = dims[rows].extent;
    shape.row_strides = dims[rows].strides;
    dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(rows));
  }
  shape.loops = std::move(dims);
  return shape;
}

std::optional<TilePlan> plan_tiles(const VecProgram& program, const Machine& machine) {
  return plan_tiles(program, machine, std::vector<bool>(program.arrays.size(), false));
}

std::optional<TilePlan> plan_tiles(const VecProgram& program, const Machine& machine,
                                   const std::vector<bool>& in_l2) {
  const size_t axes = program.extents.size();
  const int64_t granule = machine.vector.repeat_bytes / bytes_of(DType::kF32);
  std::optional<TilePlan> best;
  const auto try_tile = [&](const std::vector<int64_t>& tile) {
    bool fits = false;
    for (const int64_t slots : kSlots) {
      std::optional<TilePlan> plan = UbPlanner(program, machine, tile, slots).plan();
      if (!plan || !estimate_tiles(program, machine, in_l2, *plan)) break;
      fits = true;
      if (!best || plan->estimated_ticks < best->estimated_ticks) best = std::move(plan);
    }
    return fits;
  };
  std::vector<int64_t> least(axes, 1);
  for (size_t axis = 0; axis < axes; ++axis) {
    if (program.is_whole[axis]) least[axis] = program.extents[axis];
  }
  if (!UbPlanner(program, machine, least, kSlots.front()).plan()) return std::nullopt;
  try_tile(least);
  // The innermost axis takes one of a few lengths; the others then grow, the minor ones first.
  std::vector<int64_t> inner = {1};
  if (axes > 0 && !program.is_whole[axes - 1]) {
    constexpr int64_t kShort = 16;  // such an axis may be whole, whatever its length
    if (program.extents[axes - 1] < kShort) inner.push_back(program.extents[axes - 1]);
    for (int64_t most = kShort; most < 2 * program.extents[axes - 1] && most <= 65536; most *= 2) {
      inner.push_back(even_tile(program.extents[axes - 1], most, granule));
    }
  }
  for (const int64_t columns : inner) {
    std::vector<int64_t> tile = least;
    if (axes > 0 && !program.is_whole[axes - 1]) tile[axes - 1] = columns;
    if (!try_tile(tile)) continue;
    for (size_t axis = axes; axis-- > 0;) {
      if (program.is_whole[axis] || axis == axes - 1) continue;
      std::vector<int64_t> grown = tile;
      for (int64_t rows = 2; rows < 2 * program.extents[axis]; rows *= 2) {
        std::vector<int64_t> larger = tile;
        larger[axis] = even_tile(program.extents[axis], rows, 1);
        if (!try_tile(larger)) break;
        grown = larger;
      }
      tile = grown;
    }
  }
  return best;
}

std::optional<TilePlan> plan_tiles_like(const VecProgram& program, const Machine& machine,
                                        const VecProgram& like, const TilePlan& tiles) {
  const std::vector<bool> in_l2(program.arrays.size(), false);
  // Whole blocks first; where extents do not suit them, or they leave no shorter tile, any number.
  constexpr int64_t kBlock = 8;
  constexpr int64_t kTiles = 3;
  for (const bool in_blocks : {true, false}) {
    std::vector<int64_t> tile = program.extents;
    for (size_t axis = 0; axis < tile.size(); ++axis) {
      const int64_t extent = program.extents[axis];
      const int64_t before = tiles.tile[axis];
      if (program.is_whole[axis] || before == like.extents[axis]) continue;
      int64_t part = std::min(before, std::max<int64_t>(1, (extent - 1) / kTiles));
      const bool has_blocks = in_blocks && before >= kBlock && part >= kBlock;
      const int64_t step = has_blocks ? kBlock : 1;
      part = part / step * step;
      while (part > step && extent % part == 0) part -= step;
      tile[axis] = part;
    }
    std::optional<TilePlan> plan = UbPlanner(program, machine, tile, tiles.slots).plan();
    if (plan && estimate_tiles(program, machine, in_l2, *plan)) return plan;
  }
  return std::nullopt;
}

}  // namespace tilewright
