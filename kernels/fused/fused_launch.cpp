#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/fused/fused_kernel.h"
#include "kernels/fused/nest_instructions.h"
#include "kernels/fused/product_part.h"
#include "kernels/fused/split_nest.h"
#include "kernels/fused/tensor_pitch.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// The flags of a nest's rings.
struct NestFlags {
  UbRing tiles = {};  ///< full and free of kIn; `done` of kOut
  int out_free = -1;
  int once = -1;      ///< full of kOnce
  UbRing late = {};  ///< of kLateIn, kLateOut
  int late_out_free = -1;
};

/// A tile of the loops over an axis: where it begins, and its extents.
struct TileBox {
  std::vector<int64_t> origin = {};
  std::vector<int64_t> extents = {};
};

class LaunchBuilder {
 public:
  LaunchBuilder(const Region& region, const FusedKernel& kernel, const Machine& machine,
                const SliceStarts& starts)
      : region_(region), kernel_(kernel), machine_(machine), starts_(starts) {}

  FusedLaunch build() {
    Launch& launch = result_.launch;
    launch.name = "fused";
    add_tensors();
    deal();
    add_vector_cores(launch, machine_, cores_.size());
    for (size_t nest = 0; nest < kernel_.nests.size(); ++nest) add_flags(nest);
    closed_.assign(cores_.size(), false);
    passed_.assign(cores_.size(), 0);
    turn_to_load_ = add_flag("turn_to_load", FlagMeaning::kSpace, 0);
    turn_to_work_ = add_flag("turn_to_work", FlagMeaning::kSpace, 0);
    if (std::ranges::count_if(kernel_.nests, is_a_product) > 1) {
      turns_.turn =
          launch.add_flag({"product_turn", FlagScope::kCore, FlagMeaning::kSpace, Memory::kL1, 0});
    }
    bool has_stored = false;  // since the last barrier
    for (int level = 0; level < kernel_.levels; ++level) {
      if (has_stored) add_barrier();
      has_stored = false;
      for (const PlannedNest& nest : kernel_.nests) {
        if (nest.level != level) continue;
        if (nest.product) {
          add_product_of(nest);
        } else {
          has_stored = true;
        }
      }
      for (size_t core = 0; core < cores_.size(); ++core) add_level(core, level);
    }
    return std::move(result_);
  }

 private:
  /// Boxes of a nest that a core works on, one task each.
  struct Share {
    size_t nest = 0;
    std::vector<TileBox> boxes = {};
  };
  struct CorePlan {
    std::vector<Share> shares = {};  ///< by level, then nest
  };

  const PlannedNest& nest_at(size_t nest) const { return kernel_.nests[nest]; }

  // ---- tensors

  void add_tensors() {
    for (const PlannedNest& nest : kernel_.nests) {
      if (nest.product) {
        for (const int32_t op :
             {nest.product->matrices.a, nest.product->matrices.b, nest.product->op}) {
          add_tensor(op);
        }
      }
      for (const VecPart* part : nest.program.parts()) {
        for (const auto* list : {&part->loads, &part->stores}) {
          for (const VecTransfer& transfer : *list) add_tensor(transfer.op);
        }
      }
    }
    for (const int32_t op : kernel_.ops.outputs) {
      const int32_t updated = updated_in_memory(region_, kernel_.ops, op);
      if (updated >= 0) result_.tensors[op] = result_.tensors.at(updated);
    }
  }

  void add_tensor(int32_t op) {
    if (views_.contains(op)) return;
    const int64_t pitch = pitch_of(region_, kernel_, op);
    const int64_t rows = elements_in_memory(region_, kernel_, op) / pitch;
    const Op& made = region_.computation().op(is_partial(op) ? reduce_of(op) : op);
    const DType type = is_partial(op) ? DType::kF32 : *memory_type_of(made.shape.type);
    Tensor tensor;
    tensor.name = is_partial(op) ? made.name + "_parts" : made.name;
    tensor.type = type;
    tensor.rows = rows;
    tensor.cols = pitch;
    // Sectors of about a page.
    const int64_t page = 4096 / bytes_of(type);
    tensor.sector_cols = std::min(pitch, page);
    tensor.sector_rows = std::clamp<int64_t>(page / tensor.sector_cols, 1, rows);
    tensor.workspace = std::ranges::binary_search(kernel_.workspace, op);
    views_[op] = {result_.launch.add_tensor(tensor), pitch};
    result_.tensors[op] = views_[op].tensor;
  }

  // ---- who does what

  static std::vector<TileBox> boxes_of(const PlannedNest& nest, bool sequential) {
    const VecProgram& program = nest.program;
    std::vector<TileBox> boxes = {
        {std::vector<int64_t>(program.extents.size(), 0), nest.tiles.tile}};
    for (size_t axis = 0; axis < program.extents.size(); ++axis) {
      if (program.is_sequential[axis] != sequential) continue;
      std::vector<TileBox> cut;
      for (const TileBox& box : boxes) {
        for (int64_t at = 0; at < program.extents[axis]; at += nest.tiles.tile[axis]) {
          TileBox part = box;
          part.origin[axis] = at;
          part.extents[axis] = std::min(nest.tiles.tile[axis], program.extents[axis] - at);
          cut.push_back(std::move(part));
        }
      }
      boxes = std::move(cut);
    }
    return boxes;
  }

  /// Gives every core a run of each nest's boxes: equal ones, and what is left over to the cores
  /// that have the least to do at the level.
  void deal() {
    const auto most = static_cast<size_t>(machine_.cores.aic * machine_.cores.aiv_per_aic);
    std::vector<CorePlan> plans(most);
    std::vector<double> busy;
    int level = -1;
    for (size_t nest = 0; nest < kernel_.nests.size(); ++nest) {
      if (nest_at(nest).product) continue;
      if (nest_at(nest).level != level) busy.assign(most, 0);
      level = nest_at(nest).level;
      std::vector<TileBox> boxes = boxes_of(nest_at(nest), false);
      std::vector<size_t> order(most);
      std::iota(order.begin(), order.end(), size_t{0});
      std::ranges::stable_sort(order, [&](size_t a, size_t b) { return busy[a] < busy[b]; });
      std::vector<size_t> counts(most, boxes.size() / most);
      for (size_t i = 0; i < boxes.size() % most; ++i) ++counts[order[i]];
      const double each = nest_at(nest).tiles.estimated_ticks /
                          static_cast<double>(ceil_div(std::ssize(boxes), std::ssize(plans)));
      auto next = boxes.begin();
      const bool in_turn = reads_product(nest_at(nest));
      for (size_t core = 0; core < most; ++core) {
        if (counts[core] == 0) continue;
        busy[core] += each * static_cast<double>(counts[core]);
        if (in_turn) {
          plans[core].shares.push_back({nest, {}});
          continue;
        }
        const auto end = next + static_cast<std::ptrdiff_t>(counts[core]);
        plans[core].shares.push_back({nest, {next, end}});
        next = end;
      }
      // The first rows of a product are there first: all cores begin with them.
      for (size_t turn = 0; in_turn && next != boxes.end(); ++turn) {
        for (const size_t core : order) {
          if (counts[core] <= turn || next == boxes.end()) continue;
          plans[core].shares.back().boxes.push_back(*next++);
        }
      }
    }
    for (CorePlan& plan : plans) {
      if (!plan.shares.empty()) cores_.push_back(std::move(plan));
    }
  }

  static bool is_a_product(const PlannedNest& nest) { return nest.product.has_value(); }
  bool reads_product(const PlannedNest& nest) const {
    for (const VecPart* part : nest.program.parts()) {
      for (const VecTransfer& load : part->loads) {
        if (is_product(load.op)) return true;
      }
    }
    return false;
  }
  bool is_product(int32_t op) const {
    return std::ranges::any_of(kernel_.nests, [&](const PlannedNest& nest) {
      return nest.product && nest.product->op == op;
    });
  }

  // ---- flags

  int add_flag(const std::string& name, FlagMeaning meaning, int initial) {
    return result_.launch.add_flag({name, FlagScope::kCore, meaning, Memory::kUb, initial});
  }

  void add_flags(size_t nest) {
    const auto slots = static_cast<int>(nest_at(nest).tiles.slots);
    const std::string name = "nest" + std::to_string(nest);
    NestFlags flags;
    flags.tiles.full = add_flag(name + "_full", FlagMeaning::kData, 0);
    flags.tiles.free = add_flag(name + "_free", FlagMeaning::kSpace, slots);
    flags.tiles.done = add_flag(name + "_done", FlagMeaning::kData, 0);
    flags.out_free = add_flag(name + "_out_free", FlagMeaning::kSpace, slots);
    flags.once = add_flag(name + "_once", FlagMeaning::kData, 0);
    flags.late.full = add_flag(name + "_late_full", FlagMeaning::kData, 0);
    flags.late.free = add_flag(name + "_late_free", FlagMeaning::kSpace, 1);
    flags.late.done = add_flag(name + "_late_done", FlagMeaning::kData, 0);
    flags.late_out_free = add_flag(name + "_late_out_free", FlagMeaning::kSpace, 1);
    flags_.push_back(flags);
  }

  // ---- templates and tasks

  /// Which axes a box fills only in part, and what a template does: templates of one nest that are
  /// equal in both are one.
  struct TemplateKey {
    size_t nest = 0;
    int gate = 0;
    int kind = 0;
    std::vector<int64_t> extents = {};
    std::vector<int> product_flags = {};
    auto operator<=>(const TemplateKey&) const = default;
  };
  enum Kind { kLoadOnce, kOnce, kLoadTile, kBegin, kWork, kLoadLate, kEnd };

  /// What the first load of a core's share, or its first work where it loads nothing, waits for:
  /// that its last share is done, that all cores have passed the barrier. The first work also for
  /// what is loaded once.
  enum Gate { kAfterShare = 1, kAfterBarrier = 2, kAfterOnce = 4 };

  /// `product_flags`: of each load the flag of the product whose rows it waits for, or -1.
  int template_of(size_t nest, int gate, Kind kind, const std::vector<int64_t>& extents,
                  const std::vector<int>& product_flags = {});
  std::vector<int> product_flags_of(size_t core, const PlannedNest& nest,
                                    const std::vector<VecTransfer>& loads, const TileBox& box);
  void add_product_of(const PlannedNest& nest);
  std::vector<int64_t> bindings_of_box(size_t nest, const std::vector<VecTransfer>& transfers,
                                       const TileBox& box, int64_t slot) const;
  int64_t moved_by_starts(const VecTransfer& transfer) const;
  void add_level(size_t core, int level);
  size_t add_share(size_t core, const Share& share, int gate);
  /// The flag that a share of the nest waits for where the core has had another one before.
  int turn_of(size_t nest) const {
    return nest_at(nest).program.loads_nothing() ? turn_to_work_ : turn_to_load_;
  }
  static int64_t base_of(const PlannedNest& nest, UbPlace::Ring ring);
  void close_share(size_t core, size_t nest, size_t tiles, int turn);
  void add_barrier();

  const Region& region_;
  const FusedKernel& kernel_;
  const Machine& machine_;
  const SliceStarts& starts_;
  FusedLaunch result_;
  std::map<int32_t, TensorView> views_;
  std::vector<CorePlan> cores_;
  std::vector<NestFlags> flags_;
  std::map<TemplateKey, int> templates_;
  std::map<std::pair<size_t, int>, int> closings_;  // by nest and flag
  std::vector<bool> closed_;                        // by core: it has done a share
  std::vector<size_t> passed_;                      // by core: barriers that it has waited for
  std::map<int32_t, ProductPart> products_;
  ProductTurns turns_;
  std::map<std::pair<int32_t, size_t>, size_t> seen_parts_;  // (product, core) -> parts waited for
  // Flags: a core's share is done, and the next one begins with a load, or with work since it loads
  // nothing. These are waits of two pipes, neither of which may take the other's.
  int turn_to_load_ = -1;
  int turn_to_work_ = -1;
  std::vector<int> barriers_;  // flags, of the levels from 1 on
};

// ---- templates and tasks

/// Adds flags to the instructions of a template: what touches a ring first waits, what touches it
/// last sets.
struct RingUse {
  size_t first = SIZE_MAX;
  size_t last = SIZE_MAX;
  void use(size_t from, size_t to) {
    if (from == to) return;
    if (first == SIZE_MAX) first = from;
    last = to - 1;
  }
  bool is_used() const { return first != SIZE_MAX; }
};

int LaunchBuilder::template_of(size_t number, int gate, Kind kind,
                               const std::vector<int64_t>& extents,
                               const std::vector<int>& product_flags) {
  const TemplateKey key{number, gate, kind, extents, product_flags};
  if (const auto found = templates_.find(key); found != templates_.end()) return found->second;
  const PlannedNest& nest = nest_at(number);
  const NestFlags& flags = flags_[number];
  const bool is_late = kind == kLoadLate || kind == kEnd;
  const bool is_once = kind == kLoadOnce || kind == kOnce;
  const VecPart& part = is_once          ? nest.program.once
                        : kind == kBegin ? nest.program.begin
                        : is_late        ? nest.program.end
                                         : nest.program.body;
  Template body;
  body.kind = CoreKind::kAiv;
  std::vector<Instruction>& list = body.prologue;
  const std::string name = "nest" + std::to_string(number);
  if (kind == kLoadOnce || kind == kLoadTile || kind == kLoadLate) {
    body.name = name + (is_once ? "_load_once" : is_late ? "_load_late" : "_load");
    for (size_t i = 0; i < part.loads.size(); ++i) {
      const size_t first = list.size();
      add_transfer(nest, part.loads[i], i, extents, true, views_.at(part.loads[i].op), list);
      if (!product_flags.empty() && product_flags[i] >= 0) {
        list[first] = waiting(list[first], product_flags[i]);
      }
    }
    body.bindings = static_cast<int>(kFirstTransfer + 2 * part.loads.size());
    if (is_once) {
      list.back() = setting(list.back(), flags.once);
    } else {
      list.front() = waiting(list.front(), is_late ? flags.late.free : flags.tiles.free);
      list.back() = setting(list.back(), is_late ? flags.late.full : flags.tiles.full);
    }
  } else {
    body.name = name + (is_once          ? "_once"
                        : kind == kBegin ? "_begin"
                        : kind == kEnd   ? "_end"
                                         : "_work");
    const UbPlace::Ring in = is_late ? UbPlace::Ring::kLateIn : UbPlace::Ring::kIn;
    const UbPlace::Ring out = is_late ? UbPlace::Ring::kLateOut : UbPlace::Ring::kOut;
    const auto is_in = [&](int array, UbPlace::Ring ring) {
      return array >= 0 && nest.tiles.places[static_cast<size_t>(array)].ring == ring;
    };
    RingUse reads, writes;
    for (const VecStep& step : part.steps) {
      const size_t from = list.size();
      add_step(nest, step, extents, machine_, list);
      if (is_in(step.a, in) || is_in(step.b, in)) reads.use(from, list.size());
      if (is_in(step.dst, out)) writes.use(from, list.size());
    }
    if (reads.is_used()) {
      list[reads.first] = waiting(list[reads.first], is_late ? flags.late.full : flags.tiles.full);
      list[reads.last] = setting(list[reads.last], is_late ? flags.late.free : flags.tiles.free);
    }
    if (writes.is_used()) {
      const int done = is_late ? flags.late.done : flags.tiles.done;
      const int free = is_late ? flags.late_out_free : flags.out_free;
      list[writes.first] = waiting(list[writes.first], free);
      list[writes.last] = setting(list[writes.last], done);
      const size_t first_store = list.size();
      for (size_t i = 0; i < part.stores.size(); ++i) {
        add_transfer(nest, part.stores[i], i, extents, false, views_.at(part.stores[i].op), list);
      }
      list[first_store] = waiting(list[first_store], done);
      list.back() = setting(list.back(), free);
    }
    body.bindings = static_cast<int>(kFirstTransfer + 2 * part.stores.size());
  }
  if (gate & kAfterShare) list.front() = waiting(list.front(), turn_of(number));
  if (gate & kAfterOnce) list.front() = waiting(list.front(), flags.once);
  if (gate & kAfterBarrier) list.front() = waiting(list.front(), barriers_.back());
  return templates_[key] = result_.launch.add_template(std::move(body));
}

/// How far the start indices of a dynamic slice or update move a transfer.
int64_t LaunchBuilder::moved_by_starts(const VecTransfer& transfer) const {
  const auto found = starts_.find(transfer.dynamic_op);
  if (found == starts_.end()) return 0;
  const std::vector<WindowStart> starts = window_starts(region_, transfer.dynamic_op);
  int64_t moved = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    moved += std::clamp<int64_t>(found->second[i], 0, starts[i].most) * starts[i].stride;
  }
  return moved;
}

std::vector<int64_t> LaunchBuilder::bindings_of_box(size_t number,
                                                    const std::vector<VecTransfer>& transfers,
                                                    const TileBox& box, int64_t slot) const {
  const PlannedNest& nest = nest_at(number);
  std::vector<int64_t> bindings = {slot * nest.tiles.in_bytes, slot * nest.tiles.out_bytes};
  for (const VecTransfer& transfer : transfers) {
    const std::vector<int>& axes = nest.program.arrays[static_cast<size_t>(transfer.array)].axes;
    int64_t at = transfer.offset + moved_by_starts(transfer);
    for (size_t i = 0; i < axes.size(); ++i) {
      at += box.origin[static_cast<size_t>(axes[i])] * transfer.strides[i];
    }
    const int64_t pitch = views_.at(transfer.op).pitch;
    bindings.push_back(at / pitch);
    bindings.push_back(at % pitch);
  }
  return bindings;
}

/// A core's tasks for its boxes of a nest: tiles are loaded `slots` - 1 tiles ahead of the work on
/// them. Returns the number of tiles.
size_t LaunchBuilder::add_share(size_t core, const Share& share, int gate) {
  const PlannedNest& nest = nest_at(share.nest);
  const VecProgram& program = nest.program;
  CoreProgram& tasks = result_.launch.cores[core];
  const bool has_begin = !program.begin.steps.empty();
  const bool has_end = !program.end.steps.empty();
  std::vector<TileBox> tiles;
  std::vector<bool> begins, ends;
  for (const TileBox& box : share.boxes) {
    const std::vector<TileBox> steps = boxes_of(nest, true);
    for (size_t i = 0; i < steps.size(); ++i) {
      TileBox tile = box;
      for (size_t axis = 0; axis < program.extents.size(); ++axis) {
        if (!program.is_sequential[axis]) continue;
        tile.origin[axis] = steps[i].origin[axis];
        tile.extents[axis] = steps[i].extents[axis];
      }
      tiles.push_back(std::move(tile));
      begins.push_back(i == 0);
      ends.push_back(i + 1 == steps.size());
    }
  }
  const auto slots = static_cast<size_t>(nest.tiles.slots);
  // The first template on each pipe takes what there is to wait for.
  int load_gate = program.loads_nothing() ? 0 : gate;
  int work_gate = program.loads_nothing() ? gate : program.once.loads.empty() ? 0 : kAfterOnce;
  const auto load = [&](Kind kind, const TileBox& box, const std::vector<VecTransfer>& transfers,
                        size_t at) {
    const std::vector<int> rows = product_flags_of(core, nest, transfers, box);
    const int waits = kind == kLoadLate ? 0 : std::exchange(load_gate, 0);
    tasks.add(template_of(share.nest, waits, kind, box.extents, rows),
              bindings_of_box(share.nest, transfers, box, static_cast<int64_t>(at % slots)));
  };
  const auto work = [&](Kind kind, const TileBox& box, const std::vector<VecTransfer>& stores,
                        size_t at) {
    tasks.add(template_of(share.nest, std::exchange(work_gate, 0), kind, box.extents),
              bindings_of_box(share.nest, stores, box, static_cast<int64_t>(at % slots)));
  };
  const auto load_tile = [&](size_t at) {
    if (program.body.loads.empty() || at >= tiles.size()) return;
    load(kLoadTile, tiles[at], program.body.loads, at);
  };
  const TileBox whole = {std::vector<int64_t>(program.extents.size(), 0), nest.tiles.tile};
  if (!program.once.loads.empty()) load(kLoadOnce, whole, program.once.loads, 0);
  for (size_t at = 0; at + 1 < slots; ++at) load_tile(at);
  if (!program.once.steps.empty()) work(kOnce, whole, {}, 0);
  for (size_t at = 0; at < tiles.size(); ++at) {
    load_tile(at + slots - 1);
    if (begins[at] && has_begin) work(kBegin, tiles[at], {}, at);
    work(kWork, tiles[at], program.body.stores, at);
    if (!ends[at] || !has_end) continue;
    if (!program.end.loads.empty()) load(kLoadLate, tiles[at], program.end.loads, at);
    work(kEnd, tiles[at], program.end.stores, at);
  }
  return tiles.size();
}

/// Where a ring begins in UB.
int64_t LaunchBuilder::base_of(const PlannedNest& nest, UbPlace::Ring ring) {
  int64_t base = std::numeric_limits<int64_t>::max();
  for (const UbPlace& place : nest.tiles.places) {
    if (place.ring == ring) base = std::min(base, place.offset);
  }
  return base;
}

/// Waits until all that a core's last nest has stored is there, and lets the next one have UB. Each
/// wait takes the place that became free with it, which nobody reads any more.
void LaunchBuilder::close_share(size_t core, size_t number, size_t tiles, int turn) {
  const PlannedNest& nest = nest_at(number);
  const auto slots = static_cast<int>(nest.tiles.slots);
  const auto [entry, is_new] = closings_.try_emplace({number, turn}, -1);
  if (is_new) {
    Template closing;
    closing.name = "nest" + std::to_string(number) + "_close";
    closing.kind = CoreKind::kAiv;
    closing.bindings = slots;
    const int64_t block = machine_.buffers.ub_align / bytes_of(DType::kF32);
    const auto fill = [&](const Expr& place) {
      return scalar_op(VectorOp::kDup, ub_tile(place, 1, block, 0, DType::kF32), {}, 0);
    };
    if (!nest.program.body.stores.empty()) {
      const int64_t base = base_of(nest, UbPlace::Ring::kOut);
      for (int slot = 0; slot < slots; ++slot) {
        closing.prologue.push_back(
            waiting(fill(Expr::binding(slot) + base), flags_[number].out_free));
      }
    }
    if (!nest.program.end.stores.empty()) {
      closing.prologue.push_back(
          waiting(fill(base_of(nest, UbPlace::Ring::kLateOut)), flags_[number].late_out_free));
    }
    closing.prologue.back() = setting(closing.prologue.back(), turn);
    entry->second = result_.launch.add_template(std::move(closing));
  }
  std::vector<int64_t> places;
  for (int slot = 0; slot < slots; ++slot) {
    places.push_back((static_cast<int64_t>(tiles) + slot) % slots * nest.tiles.out_bytes);
  }
  result_.launch.cores[core].add(entry->second, places);
}

/// All cores tell each other that they are through with a level.
void LaunchBuilder::add_barrier() {
  barriers_.push_back(result_.launch.add_flag({"level" + std::to_string(barriers_.size() + 1),
                                               FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm,
                                               0, static_cast<int>(cores_.size())}));
  Template arrive;
  arrive.name = "barrier";
  arrive.kind = CoreKind::kAiv;
  const int64_t block = machine_.buffers.ub_align / bytes_of(DType::kF32);
  arrive.prologue = {setting(scalar_op(VectorOp::kDup, ub_tile(0, 1, block, 0, DType::kF32), {}, 0),
                             barriers_.back())};
  const int number = result_.launch.add_template(std::move(arrive));
  for (size_t core = 0; core < cores_.size(); ++core) result_.launch.cores[core].add(number, {});
}

/// A product begins when all vector cores have passed the last barrier, and the products that it
/// reads are done.
void LaunchBuilder::add_product_of(const PlannedNest& nest) {
  const PlannedProduct& product = *nest.product;
  std::vector<int> after;
  if (!barriers_.empty()) after.push_back(barriers_.back());
  for (const int32_t op : {product.matrices.a, product.matrices.b}) {
    const auto made = products_.find(op);
    if (made != products_.end()) after.push_back(made->second.flags.back());
  }
  std::vector<int> tensors;
  for (const int32_t op : {product.matrices.a, product.matrices.b, product.op}) {
    tensors.push_back(views_.at(op).tensor);
  }
  const bool is_read = std::ranges::any_of(kernel_.nests, [&](const PlannedNest& other) {
    return !other.product && reads_product(other);
  });
  products_[product.op] =
      add_product(product, machine_, tensors, after, is_read, turns_, result_.launch);
}

/// The flags that a tile's loads have to wait for: of products some of whose rows nobody on this
/// core has waited for yet. One wait is enough, as transfers of a core run in order.
std::vector<int> LaunchBuilder::product_flags_of(size_t core, const PlannedNest& nest,
                                                 const std::vector<VecTransfer>& loads,
                                                 const TileBox& box) {
  std::vector<int> flags;
  for (size_t i = 0; i < loads.size(); ++i) {
    const auto found = products_.find(loads[i].op);
    if (found == products_.end()) continue;
    flags.resize(loads.size(), -1);
    const std::vector<int>& axes = nest.program.arrays[static_cast<size_t>(loads[i].array)].axes;
    int64_t last = loads[i].offset;
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      const auto at = static_cast<size_t>(axes[axis]);
      last += (box.origin[at] + box.extents[at] - 1) * loads[i].strides[axis];
    }
    const size_t part = loads[i].dynamic_op >= 0
                            ? found->second.flags.size() - 1
                            : found->second.part_of(last / views_.at(loads[i].op).pitch);
    size_t& seen = seen_parts_[{loads[i].op, core}];
    if (part < seen) continue;
    flags[i] = found->second.flags[part];
    seen = part + 1;
  }
  if (std::ranges::all_of(flags, [](int flag) { return flag < 0; })) flags.clear();
  return flags;
}

void LaunchBuilder::add_level(size_t core, int level) {
  bool is_first = true;
  const std::vector<Share>& shares = cores_[core].shares;
  for (size_t i = 0; i < shares.size(); ++i) {
    const Share& share = shares[i];
    if (nest_at(share.nest).level != level) continue;
    int gate = closed_[core] ? kAfterShare : 0;
    if (is_first && passed_[core] < barriers_.size()) {
      gate |= kAfterBarrier;
      passed_[core] = barriers_.size();
    }
    const int turn = turn_of(shares[std::min(i + 1, shares.size() - 1)].nest);
    close_share(core, share.nest, add_share(core, share, gate), turn);
    closed_[core] = true;
    is_first = false;
  }
}

}  // namespace

FusedLaunch build_fused_launch(const Region& region, const FusedKernel& kernel,
                               const Machine& machine, const SliceStarts& starts) {
  return LaunchBuilder(region, kernel, machine, starts).build();
}

}  // namespace tilewright
