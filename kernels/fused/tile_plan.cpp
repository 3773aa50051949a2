#include "kernels/fused/tile_plan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "core/base/integers.h"
#include "kernels/fused/hoist.h"
#include "kernels/fused/tile_estimate.h"
#include "kernels/vector/ub_plan.h"

namespace tilewright {

namespace {

/// Places of a ring: two overlap a tile's transfers with the work on another; more hide the latency
/// of small ones.
constexpr std::array<int64_t, 3> kSlots = {2, 3, 4};

/// Bytes in UB where the rows of an array with several axes begin at blocks; fills the elements from
/// one index of its axes to the next.
int64_t lay_out(const VecArray& array, const std::vector<int64_t>& tile, int64_t align,
                std::vector<int64_t>& strides) {
  strides.resize(array.axes.size());
  const int64_t width = bytes_of(array.type);
  int64_t next = 1;
  for (size_t i = array.axes.size(); i-- > 0;) {
    strides[i] = next;
    next *= tile[static_cast<size_t>(array.axes[i])];
    const bool is_row = i + 1 == array.axes.size() && i > 0;
    if (is_row) next = round_up(next * width, align) / width;
  }
  return round_up(next * width, align);
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

/// What of the plan of UB does not depend on the tile: how long arrays live, which take the place of
/// another one, and in which half of the bank groups they should begin (ub_plan.h).
class ArrayUse {
 public:
  explicit ArrayUse(const VecProgram& program)
      : program_(program),
        lives_(program.arrays.size()),
        is_moved_(program.arrays.size(), false),
        halves_(program.arrays.size()) {
    for (const VecPart* part : program.parts()) {
      for (const VecStep& step : part->steps) steps_.push_back(&step);
      for (const VecTransfer& load : part->loads) is_moved_[at(load.array)] = true;
      for (const VecTransfer& store : part->stores) is_moved_[at(store.array)] = true;
    }
    find_lives();
    find_taken();
    find_halves();
  }

  const std::vector<const VecStep*>& steps() const { return steps_; }
  const Life& life(int array) const { return lives_[at(array)]; }
  /// The operand whose place the result of a step takes; -1: none.
  int taken(size_t step) const { return taken_[step]; }
  std::optional<BankHalf> half(int array) const { return halves_[at(array)]; }

 private:
  static size_t at(int array) { return static_cast<size_t>(array); }

  void find_lives() {
    const size_t begin = program_.once.steps.size();
    const size_t body = begin + program_.begin.steps.size();
    std::vector<bool> in_once(lives_.size(), false), in_begin(lives_.size(), false);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const VecStep& step = *steps_[i];
      for (const int array : {step.dst, step.a, step.b, step.scratch}) {
        if (array < 0) continue;
        lives_[at(array)].use(static_cast<int>(i));
        if (i < begin) {
          in_once[at(array)] = true;
        } else if (i < body) {
          in_begin[at(array)] = true;
        }
      }
    }
    // What begins before the loop over tiles must not be touched while it runs; what is there
    // before the first tile, never again.
    const auto loop_end = static_cast<int>(body + program_.body.steps.size()) - 1;
    for (size_t i = 0; i < lives_.size(); ++i) {
      int& last = lives_[i].last;
      if (in_begin[i]) last = std::max(last, loop_end);
      if (in_once[i] && last >= static_cast<int>(begin)) {
        last = static_cast<int>(steps_.size()) - 1;
      }
    }
  }

  static bool is_reduction(const VecStep& step) {
    return step.op == VectorOp::kRowSum || step.op == VectorOp::kRowMax;
  }

  /// An operand whose place the result may take: it ends here and lies alike.
  int place_to_take(const VecStep& step, int now) const {
    if (is_reduction(step) || step.op == VectorOp::kSelect || step.op == VectorOp::kGather)
      return -1;
    const VecArray& dst = program_.arrays[at(step.dst)];
    if (is_moved_[at(step.dst)] || lives_[at(step.dst)].first != now) return -1;
    for (const int operand : {step.a, step.b}) {
      if (operand < 0 || is_moved_[at(operand)] || lives_[at(operand)].last != now) continue;
      const VecArray& array = program_.arrays[at(operand)];
      if (array.axes == dst.axes && bytes_of(array.type) == bytes_of(dst.type)) return operand;
    }
    return -1;
  }

  void find_taken() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      taken_.push_back(place_to_take(*steps_[i], static_cast<int>(i)));
    }
  }

  double elements(int array) const {
    double elements = 1;
    for (const int axis : program_.arrays[at(array)].axes) {
      elements *= static_cast<double>(program_.extents[at(axis)]);
    }
    return elements;
  }

  /// Operands of one instruction begin in different halves; where not all of them can, those do
  /// that meet most often.
  void find_halves() {
    struct Meeting {
      int x, y;
      double touches;
    };
    std::vector<Meeting> meetings;
    const auto meet = [&](int x, int y) {
      if (x < 0 || y < 0 || x == y) return;
      const double touches = std::min(elements(x), elements(y));
      if (touches > 1) meetings.push_back({x, y, touches});
    };
    for (const VecStep* step : steps_) {
      meet(step->a, step->b);
      for (const int operand : {step->a, step->b, step->scratch}) meet(step->dst, operand);
      meet(step->a, step->scratch);
    }
    std::ranges::stable_sort(meetings, std::greater{}, &Meeting::touches);
    // Arrays that are tied lead to one of them, in the same half or in the other one.
    std::vector<int> leads(lives_.size());
    std::iota(leads.begin(), leads.end(), 0);
    std::vector<bool> is_other(lives_.size(), false);
    const auto lead = [&](int array) {
      int root = array;
      bool other = false;
      for (; leads[at(root)] != root; root = leads[at(root)]) other = other != is_other[at(root)];
      // All on the way lead there at once from now on.
      bool rest = other;
      while (leads[at(array)] != root) {
        const int next = std::exchange(leads[at(array)], root);
        const bool to_next = is_other[at(array)];
        is_other[at(array)] = rest;
        rest = rest != to_next;
        array = next;
      }
      return std::pair(root, other);
    };
    const auto tie = [&](int x, int y, bool apart) {
      const auto [lead_x, other_x] = lead(x);
      const auto [lead_y, other_y] = lead(y);
      if (lead_x == lead_y) return;
      leads[at(lead_y)] = lead_x;
      is_other[at(lead_y)] = (other_x != other_y) != apart;
    };
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (taken_[i] >= 0) tie(taken_[i], steps_[i]->dst, false);
    }
    for (const Meeting& meeting : meetings) {
      tie(meeting.x, meeting.y, true);
      for (const int array : {meeting.x, meeting.y}) halves_[at(array)] = BankHalf::kLower;
    }
    for (size_t i = 0; i < halves_.size(); ++i) {
      if (halves_[i] && lead(static_cast<int>(i)).second) halves_[i] = BankHalf::kUpper;
    }
  }

  const VecProgram& program_;
  std::vector<const VecStep*> steps_;  // of begin, body and end
  std::vector<Life> lives_;
  std::vector<bool> is_moved_;  // by array: it is loaded or stored
  std::vector<int> taken_;
  std::vector<std::optional<BankHalf>> halves_;
};

/// Places arrays in UB for a given tile, in rings of the fewest places.
class UbPlanner {
 public:
  UbPlanner(const VecProgram& program, const ArrayUse& use, const Machine& machine,
            const std::vector<int64_t>& tile, bool minds_banks)
      : use_(use), banks_(machine), minds_banks_(minds_banks) {
    plan_.tile = tile;
    plan_.slots = kSlots.front();
    plan_.strides.resize(program.arrays.size());
    bytes_.reserve(program.arrays.size());
    for (size_t i = 0; i < program.arrays.size(); ++i) {
      bytes_.push_back(
          lay_out(program.arrays[i], tile, machine.buffers.ub_align, plan_.strides[i]));
    }
    plan_.places.resize(program.arrays.size());
    add_ring(program.once.loads, UbPlace::Ring::kOnce, 1);
    plan_.in_bytes = add_ring(program.body.loads, UbPlace::Ring::kIn, plan_.slots);
    plan_.out_bytes = add_ring(program.body.stores, UbPlace::Ring::kOut, plan_.slots);
    add_ring(program.end.loads, UbPlace::Ring::kLateIn, 1);
    add_ring(program.end.stores, UbPlace::Ring::kLateOut, 1);
    place_temporaries();
    plan_.ub_bytes = top_;
  }

  TilePlan plan() && { return std::move(plan_); }

 private:
  UbPlace& place(int array) { return plan_.places[static_cast<size_t>(array)]; }
  int64_t bytes(int array) const { return bytes_[static_cast<size_t>(array)]; }

  /// The first place for an array at or behind an offset.
  int64_t begin_of(int array, int64_t offset) const {
    const std::optional<BankHalf> half = minds_banks_ ? use_.half(array) : std::nullopt;
    return half ? banks_.begin_in(*half, offset) : offset;
  }
  int64_t begin_of_ring(int64_t offset) const {
    return minds_banks_ ? banks_.begin_in(BankHalf::kLower, offset) : offset;
  }

  /// The bytes from place to place of the ring that holds the arrays of some transfers.
  int64_t add_ring(const std::vector<VecTransfer>& transfers, UbPlace::Ring ring, int64_t slots) {
    if (transfers.empty()) return 0;
    const int64_t base = begin_of_ring(top_);
    int64_t end = base;
    for (const VecTransfer& transfer : transfers) {
      if (place(transfer.array).ring != UbPlace::Ring::kNone) continue;
      const int64_t begin = begin_of(transfer.array, end);
      place(transfer.array) = {ring, begin};
      end = begin + bytes(transfer.array);
    }
    const int64_t slot = begin_of_ring(end) - base;
    top_ = base + (slots - 1) * slot + (end - base);
    return slot;
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
      int64_t offset = begin_of(array, base);
      auto where = blocks.begin();
      for (; where != blocks.end(); ++where) {
        if (where->offset - offset >= bytes(array)) break;
        offset = begin_of(array, where->end);
      }
      blocks.insert(where,
                    {offset, offset + bytes(array), std::max(at, use_.life(array).last)});
      place(array).offset = offset;
      top_ = std::max(top_, offset + bytes(array));
    };
    for (size_t i = 0; i < use_.steps().size(); ++i) {
      const int at = static_cast<int>(i);
      std::erase_if(blocks, [&](const Block& block) { return block.last < at; });
      const VecStep& step = *use_.steps()[i];
      for (const int array : {step.dst, step.scratch}) {
        if (array < 0 || place(array).ring != UbPlace::Ring::kNone ||
            use_.life(array).first != at) {
          continue;
        }
        const int taken = array == step.dst ? use_.taken(i) : -1;
        if (taken < 0) {
          put(array, at);
          continue;
        }
        place(array).offset = place(taken).offset;
        for (Block& block : blocks) {
          if (block.offset == place(taken).offset) block.last = use_.life(array).last;
        }
      }
    }
  }

  const ArrayUse& use_;
  const UbPlan banks_;
  const bool minds_banks_;
  TilePlan plan_;
  std::vector<int64_t> bytes_;  // by array
  int64_t top_ = 0;
};

/// The plan of UB for a tile; none where it does not fit. Halves of the bank groups are minded where
/// that leaves enough.
std::optional<TilePlan> plan_ub(const VecProgram& program, const ArrayUse& use,
                                const Machine& machine, const std::vector<int64_t>& tile) {
  for (const bool minds_banks : {true, false}) {
    TilePlan plan = UbPlanner(program, use, machine, tile, minds_banks).plan();
    if (plan.ub_bytes <= machine.buffers.ub_bytes) return plan;
  }
  return std::nullopt;
}

/// Bytes of UB that a plan takes with so many places in its rings.
int64_t bytes_with(const TilePlan& plan, int64_t slots) {
  return plan.ub_bytes + (slots - plan.slots) * (plan.in_bytes + plan.out_bytes);
}

/// Gives the rings so many places. What lies behind them moves on; it begins in the same banks.
void set_slots(TilePlan& plan, int64_t slots) {
  const int64_t more = slots - plan.slots;
  for (UbPlace& place : plan.places) {
    const bool is_before = place.ring == UbPlace::Ring::kOnce || place.ring == UbPlace::Ring::kIn;
    if (is_before) continue;
    const bool is_out = place.ring == UbPlace::Ring::kOut;
    place.offset += more * (plan.in_bytes + (is_out ? 0 : plan.out_bytes));
  }
  plan.ub_bytes = bytes_with(plan, slots);
  plan.slots = slots;
}

/// Fills a plan's figures.
bool estimate(const VecProgram& program, const Machine& machine, const std::vector<bool>& in_l2,
              TilePlan& plan) {
  const std::optional<TileTimes> times = tile_times(program, machine, in_l2, plan);
  if (!times) return false;
  plan.vector_ticks = times->work;
  plan.estimated_ticks = times->ticks(plan.slots);
  return true;
}

/// A program as it is, or hoisted.
struct Variant {
  VecProgram program;
  ArrayUse use;

  explicit Variant(VecProgram own) : program(std::move(own)), use(program) {}
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  bool hoists() const { return !program.once.loads.empty() || !program.once.steps.empty(); }
};

bool has_more_tiles_than_cores(const VecProgram& program, const std::vector<int64_t>& tile,
                               const Machine& machine) {
  double tiles = 1;
  for (size_t axis = 0; axis < tile.size(); ++axis) {
    tiles *= static_cast<double>(ceil_div(program.extents[axis], tile[axis]));
  }
  return tiles > static_cast<double>(machine.cores.aic * machine.cores.aiv_per_aic);
}

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

std::vector<bool> full_axes(const VecProgram& program, const std::vector<int64_t>& tile) {
  std::vector<bool> full;
  for (size_t axis = 0; axis < tile.size(); ++axis) {
    full.push_back(tile[axis] == program.extents[axis]);
  }
  return full;
}

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
  std::map<std::vector<bool>, Variant> variants;  // by full axes; none: as it is
  const auto variant = [&](const std::vector<bool>& full) -> const Variant& {
    const auto found = variants.find(full);
    if (found != variants.end()) return found->second;
    return variants.try_emplace(full, full.empty() ? program : hoisted(program, full)).first->second;
  };
  std::optional<TilePlan> best;
  const auto try_variant = [&](const std::vector<int64_t>& tile, const Variant& way, bool hoists) {
    std::optional<TilePlan> plan = plan_ub(way.program, way.use, machine, tile);
    if (!plan) return false;
    const std::optional<TileTimes> times = tile_times(way.program, machine, in_l2, *plan);
    if (!times) return false;
    int64_t best_slots = plan->slots;
    for (const int64_t slots : kSlots) {
      const bool fits = bytes_with(*plan, slots) <= machine.buffers.ub_bytes;
      if (fits && times->ticks(slots) < times->ticks(best_slots)) best_slots = slots;
    }
    const double ticks = times->ticks(best_slots);
    if (best && best->estimated_ticks <= ticks) return true;
    set_slots(*plan, best_slots);
    plan->hoists = hoists;
    plan->vector_ticks = times->work;
    plan->estimated_ticks = ticks;
    best = std::move(plan);
    return true;
  };
  const auto try_tile = [&](const std::vector<int64_t>& tile) {
    if (has_more_tiles_than_cores(program, tile, machine)) {
      const Variant& way = variant(full_axes(program, tile));
      if (way.hoists() && try_variant(tile, way, true)) return true;
    }
    return try_variant(tile, variant({}), false);
  };
  std::vector<int64_t> least(axes, 1);
  for (size_t axis = 0; axis < axes; ++axis) {
    if (program.is_whole[axis]) least[axis] = program.extents[axis];
  }
  if (!plan_ub(program, variant({}).use, machine, least)) return std::nullopt;
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
  const ArrayUse use(program);
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
    std::optional<TilePlan> plan = plan_ub(program, use, machine, tile);
    if (!plan || bytes_with(*plan, tiles.slots) > machine.buffers.ub_bytes) continue;
    set_slots(*plan, tiles.slots);
    if (!estimate(program, machine, in_l2, *plan)) continue;
    plan->hoists = tiles.hoists;
    return plan;
  }
  return std::nullopt;
}

}  // namespace tilewright
