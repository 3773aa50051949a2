#include "kernels/collective/collective_builder.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Parts and tiles begin where transfers reach their full rate on every preset.
constexpr int64_t kGranuleBytes = 512;

enum Binding { kStart, kLength, kSlot, kBindings };

}  // namespace

int64_t Shares::length(int64_t part_number, int64_t tile_number) const {
  const int64_t start = part_number * part + place(tile_number);
  return std::clamp<int64_t>(elements - start, 0, tile);
}

Shares share_out(int64_t elements, int64_t parts, int64_t width, int64_t tile_bytes, int64_t cores,
                 int64_t lanes) {
  const int64_t granule = kGranuleBytes / width;
  const int64_t part = ceil_div(elements, parts);
  const int64_t largest = std::max(granule, tile_bytes / width);
  // As many tiles as keep all cores equally busy, none larger than asked for.
  const int64_t sharing = std::max<int64_t>(1, cores / lanes);  // one lane
  int64_t tiles = ceil_div(part, largest);
  tiles = round_up(tiles, std::min(tiles, sharing));
  Shares shares;
  shares.elements = elements;
  shares.tile = round_up(ceil_div(part, tiles), granule);
  shares.tiles = ceil_div(part, shares.tile);
  shares.part = shares.tiles * shares.tile;
  shares.per_core = ceil_div(shares.tiles, std::min(shares.tiles, sharing));
  shares.lanes = lanes;
  shares.cores = ceil_div(shares.tiles, shares.per_core) * std::min(lanes, cores);
  return shares;
}

CollectivePlan::CollectivePlan(const Machine& machine, DType type, int64_t tile, int64_t sources,
                               int64_t buffers)
    : plan(machine) {
  const int64_t bytes = plan.tile_bytes(1, tile, type);
  UbPlan slot(machine);
  // The first source meets every other one in a sum of f32.
  for (int64_t i = 0; i < sources; ++i) {
    tiles.push_back(slot.take(bytes, i == 0 ? BankHalf::kLower : BankHalf::kUpper));
  }
  slot_bytes = slot.slot_bytes();
  slots = plan.take_ring(slot, buffers);
  if (sources == 1 || type == DType::kF32) return;
  const int64_t wide = plan.tile_bytes(1, tile, DType::kF32);
  sum = plan.take(wide, BankHalf::kLower);
  term = plan.take(wide, BankHalf::kUpper);
}

CollectiveBuilder::CollectiveBuilder(const Problem& problem, const Config& config,
                                     const Machine& machine, const Shares& shares, int64_t sources)
    : machine_(machine),
      type_(problem.types[0]),
      shares_(shares),
      buffers_(config.at("buffers")),
      at_(machine, type_, shares.tile, sources, buffers_) {
  launch_.name = problem.text();
  const auto flag = [&](const char* name, FlagMeaning meaning, int64_t initial) {
    return launch_.add_flag(
        {name, FlagScope::kCore, meaning, Memory::kUb, static_cast<int>(initial)});
  };
  loaded_ = flag("loaded", FlagMeaning::kData, 0);
  ready_ = flag("ready", FlagMeaning::kData, 0);
  summed_ = flag("summed", FlagMeaning::kData, 0);
  free_ = flag("free", FlagMeaning::kSpace, buffers_);
}

int CollectiveBuilder::add_tensor(const std::string& name, int chip, int64_t rows, bool workspace) {
  Tensor tensor;
  tensor.name = name;
  tensor.type = type_;
  tensor.rows = rows;
  tensor.cols = shares_.elements;
  tensor.sector_rows = 1;
  tensor.sector_cols = shares_.tile;
  tensor.workspace = workspace;
  tensor.chip = chip;
  return launch_.add_tensor(std::move(tensor));
}

int CollectiveBuilder::add_peer_flag(const std::string& name) {
  return launch_.add_flag({name, FlagScope::kPeer, FlagMeaning::kData, Memory::kGm});
}

void CollectiveBuilder::add_cores(const std::vector<int>& chips) {
  for (const int chip : chips) {
    const size_t before = launch_.cores.size();
    add_vector_cores(launch_, machine_, static_cast<size_t>(shares_.cores));
    for (size_t core = before; core < launch_.cores.size(); ++core) {
      launch_.cores[core].chip = chip;
    }
  }
  used_slots_.assign(launch_.cores.size(), 0);
}

Tile CollectiveBuilder::in_slot(size_t source) const {
  return ub_tile(Expr::binding(kSlot) + at_.tiles[source], 1, Expr::binding(kLength), 0, type_);
}

void CollectiveBuilder::add_sum(std::vector<Instruction>& list, size_t sources) const {
  const Tile result = in_slot(0);
  if (type_ == DType::kF32) {
    for (size_t i = 1; i < sources; ++i) {
      list.push_back(vector_op(VectorOp::kAdd, result, result, in_slot(i)));
    }
    return;
  }
  const Expr length = Expr::binding(kLength);
  const Tile sum = ub_tile(at_.sum, 1, length, 0, DType::kF32);
  const Tile term = ub_tile(at_.term, 1, length, 0, DType::kF32);
  list.push_back(vector_op(VectorOp::kConvert, sum, result));
  for (size_t i = 1; i < sources; ++i) {
    list.push_back(vector_op(VectorOp::kConvert, term, in_slot(i)));
    list.push_back(vector_op(VectorOp::kAdd, sum, sum, term));
  }
  list.push_back(vector_op(VectorOp::kConvert, result, sum));
}

int CollectiveBuilder::add_template(const std::string& name, const std::vector<RowPlace>& sources,
                                    const std::vector<RowPlace>& targets,
                                    const std::vector<size_t>& loads) {
  const auto gm = [](const RowPlace& place) {
    return gm_tile(place.tensor, place.row, Expr::binding(kStart) + place.col, 1,
                   Expr::binding(kLength));
  };
  Template body;
  body.name = name;
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  std::vector<Instruction>& list = body.prologue;
  for (size_t i = 0; i < sources.size(); ++i) {
    const size_t source = loads.empty() ? i : loads[i];
    const RowPlace& from = sources[source];
    list.push_back(load_tile(gm(from), in_slot(source)));
    if (from.flag >= 0) list.back() = waiting(list.back(), from.flag);
  }
  list.front() = waiting(list.front(), free_);
  const bool sums = sources.size() > 1;
  list.back() = setting(list.back(), sums ? ready_ : loaded_);
  if (sums) {
    const size_t first = list.size();
    add_sum(list, sources.size());
    list[first] = waiting(list[first], ready_);
    list.back() = setting(list.back(), summed_);
  }
  const size_t stores = list.size();
  for (const RowPlace& target : targets) {
    list.push_back(store_tile(in_slot(0), gm(target)));
    if (target.flag >= 0) list.back() = setting_peer(list.back(), target.flag, target.chip);
  }
  list[stores] = waiting(list[stores], sums ? summed_ : loaded_);
  list.back() = setting(list.back(), free_);
  return launch_.add_template(std::move(body));
}

void CollectiveBuilder::run(size_t chip_position, int64_t core, int template_id, int64_t part,
                            int64_t tile) {
  const int64_t length = shares_.length(part, tile);
  if (length == 0) return;
  const size_t id = chip_position * static_cast<size_t>(shares_.cores) + static_cast<size_t>(core);
  const int64_t slot = at_.slots + used_slots_[id]++ % buffers_ * at_.slot_bytes;
  launch_.cores[id].add(template_id, {shares_.place(tile), length, slot});
}

void CollectiveBuilder::run_lanes(size_t chip_position, const std::vector<int>& by_lane) {
  // With fewer cores than lanes a core has several lanes, else a lane several cores.
  const int64_t together = std::min(shares_.lanes, shares_.cores);
  for (int64_t core = 0; core < shares_.cores; ++core) {
    const int64_t first = core / together * shares_.per_core;
    const int64_t last = std::min(shares_.tiles, first + shares_.per_core);
    for (int64_t tile = first; tile < last; ++tile) {
      for (int64_t lane = core % together; lane < shares_.lanes; lane += together) {
        run(chip_position, core, by_lane[static_cast<size_t>(lane)], 0, tile);
      }
    }
  }
}

int64_t CollectiveBuilder::last_tile(int64_t core) const {
  return std::min(shares_.tiles, first_tile(core) + shares_.per_core);
}

}  // namespace tilewright
