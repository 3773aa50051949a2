#include "kernels/gemm/gemm_space.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/text.h"
#include "kernels/gemm/gemm_vectors.h"
#include "simulator/launch.h"

namespace tilewright {

namespace {

/// Rings of more than two chunks are of chunks up to this many bytes of depth: deeper ones are
/// better made into two.
constexpr int64_t kMostRingDepth = 512;

/// Split-K pays where tiles leave cores without work, or a last wave nearly so.
constexpr int64_t kMostTilesToSplit = 2;  // times the cores
constexpr int64_t kMostPartWaves = 4;

/// Fine tiles are at most so many, times the cores, or fill this share of L0C.
constexpr int64_t kMostFineTiles = 2;
constexpr double kLeastFill = 0.75;

/// Sides of tiles that every space has, and those between them, which are for tiles that use the
/// machine evenly (add_tile_rules).
constexpr int64_t kPlainRows[] = {16, 32, 48, 64, 96, 128, 192, 256};
constexpr int64_t kPlainColumns[] = {16, 32, 64, 96, 128, 192, 256, 320, 384, 512};
constexpr int64_t kMostRows = 384;
constexpr int64_t kMostColumns = 512;
constexpr int64_t kFineUpTo = 256;
constexpr int64_t kFineStep = 16;
constexpr int64_t kCoarseStep = 32;

bool is_plain(std::span<const int64_t> plain, int64_t value) {
  return std::ranges::binary_search(plain, value);
}

/// Values that are worth trying for a dimension: those below its size, and the first that covers
/// it.
std::vector<int64_t> useful(std::vector<int64_t> values, int64_t size) {
  const auto cover =
      std::find_if(values.begin(), values.end(), [&](int64_t v) { return v >= size; });
  if (cover != values.end()) values.erase(cover + 1, values.end());
  return values;
}

/// The plain sides of tiles for a dimension, and every finer one up to `most` that makes fewer
/// tiles than the one before it: of equally many tiles the evenest are the best.
std::vector<int64_t> useful_sides(std::span<const int64_t> plain, int64_t unit, int64_t most,
                                  int64_t size) {
  const std::vector<int64_t> kept = useful({plain.begin(), plain.end()}, size);
  std::vector<int64_t> sides;
  for (int64_t side = kFineStep; side <= most; side += side < kFineUpTo ? kFineStep : kCoarseStep) {
    const bool fewer = sides.empty() || ceil_div(size, side) < ceil_div(size, sides.back());
    if (is_plain(kept, side) || (fewer && side % unit == 0)) sides.push_back(side);
  }
  return sides;
}

/// Which single parameter could be lowered so that `needed` comes down to `capacity`, and to what:
/// "tile_m=64 or tile_n=128", or that it takes more than one.
std::string what_would_fit(const std::vector<Parameter>& parameters,
                           std::span<const int64_t> values, int64_t capacity,
                           const std::function<int64_t(std::span<const int64_t>)>& needed) {
  std::vector<std::string> changes;
  std::vector<std::string> names;
  for (size_t i = 0; i < parameters.size(); ++i) {
    names.push_back(parameters[i].name);
    std::vector<int64_t> changed(values.begin(), values.end());
    for (auto value = parameters[i].values.rbegin(); value != parameters[i].values.rend();
         ++value) {
      changed[i] = *value;
      if (*value >= values[i] || needed(changed) > capacity) continue;
      changes.push_back(fmt::format("{}={}", names.back(), *value));
      break;
    }
  }
  if (changes.empty()) return fmt::format("smaller {} together would fit", join(names, ", "));
  return join(changes, " or ") + " would fit";
}

/// A rule that a buffer holds what the config puts there.
Constraint fits(std::string name, Memory space, int64_t capacity,
                const std::vector<Parameter>& parameters, const std::vector<std::string>& names,
                std::function<int64_t(std::span<const int64_t>)> needed) {
  std::vector<Parameter> used;
  for (const std::string& wanted : names) {
    used.push_back(*std::find_if(parameters.begin(), parameters.end(),
                                 [&](const Parameter& p) { return p.name == wanted; }));
  }
  return {std::move(name), names,
          [=](std::span<const int64_t> values) -> std::string {
            const int64_t bytes = needed(values);
            if (bytes <= capacity) return "";
            return fmt::format("needs {} of {}, the machine has {}: {} too many; {}",
                               format_bytes(static_cast<double>(bytes)), name_of(space),
                               format_bytes(static_cast<double>(capacity)),
                               format_bytes(static_cast<double>(bytes - capacity)),
                               what_would_fit(used, values, capacity, needed));
          },
          Resource{needed, capacity}};
}

/// 0, and the heights of core grids that are not much longer than wide (a grid of r x c cores reads
/// r + c rows and columns of tiles at a time).
std::vector<int64_t> core_grid_rows(int64_t cores) {
  constexpr int64_t kMostStretch = 3;
  std::vector<int64_t> rows = {0};
  for (int64_t r = 1; r <= cores; ++r) {
    const int64_t columns = cores / r;
    if (r * columns != cores || cores == 1) continue;
    if (r <= kMostStretch * columns && columns <= kMostStretch * r) rows.push_back(r);
  }
  return rows;
}

/// What the rules of a space know.
struct SpaceFacts {
  SpaceFacts(const GemmShape& gemm, const Machine& machine)
      : shape(gemm),
        aic(machine.cores.aic),
        most_rows(*std::max_element(shape.expert_rows.begin(), shape.expert_rows.end())),
        sums_are_whole(shape.type == DType::kI8 && !shape.epilogue.column_scales) {}

  int64_t tiles(int64_t tile_m, int64_t tile_n) const {
    int64_t rows = 0;
    for (const int64_t expert_rows : shape.expert_rows) rows += ceil_div(expert_rows, tile_m);
    return rows * ceil_div(shape.n, tile_n);
  }
  bool can_split(int64_t tiles, int64_t parts) const {
    return parts == 1 || (!sums_are_whole && tiles <= kMostTilesToSplit * aic &&
                          tiles * parts <= kMostPartWaves * aic);
  }
  bool keeps_waves(int64_t tasks, int64_t cores) const {
    return cores == aic ||
           (cores > 0 && cores < aic && ceil_div(tasks, cores) == ceil_div(tasks, aic));
  }

  GemmShape shape;
  int64_t aic;
  int64_t most_rows;    ///< of an expert
  bool sums_are_whole;  ///< i32, which vector cores cannot add
};

/// Numbers of parts and of cores that some tile can use.
std::vector<int64_t> useful_parts(const SpaceFacts& facts, const std::vector<int64_t>& tiles) {
  std::vector<int64_t> parts;
  for (const int64_t value : {1, 2, 3, 4, 6, 8, 12, 16, 24}) {
    const bool some =
        std::ranges::any_of(tiles, [&](int64_t count) { return facts.can_split(count, value); });
    if (some && value <= facts.shape.k) parts.push_back(value);
  }
  return parts;
}

std::vector<int64_t> useful_cores(const SpaceFacts& facts, const std::vector<int64_t>& tiles) {
  std::vector<int64_t> cores = {0};
  for (int64_t sixths = 1; sixths < 6; ++sixths) {
    const int64_t value = facts.aic * sixths / 6;
    const bool some =
        std::ranges::any_of(tiles, [&](int64_t count) { return facts.keeps_waves(count, value); });
    if (some && value != cores.back() && value < facts.aic) cores.push_back(value);
  }
  return cores;
}

std::vector<Parameter> parameters_of(const SpaceFacts& facts, const Machine& machine) {
  const GemmShape& shape = facts.shape;
  const int64_t depth_unit = machine.cube.fractal_k_bytes / bytes_of(shape.type);
  const int64_t k = round_up(shape.k, depth_unit);
  std::vector<int64_t> steps = {16, 32, 64, 128, 256};
  std::erase_if(steps, [&](int64_t step) { return step % depth_unit != 0; });
  const std::vector<int64_t> tile_m =
      useful_sides(kPlainRows, kFineStep, kMostRows, facts.most_rows);
  const std::vector<int64_t> tile_n =
      useful_sides(kPlainColumns, shape.column_unit(), kMostColumns, shape.n);
  std::vector<int64_t> tiles;
  for (const int64_t m : tile_m) {
    for (const int64_t n : tile_n) tiles.push_back(facts.tiles(m, n));
  }
  return {
      {"tile_m", "rows of a tile of C", tile_m},
      {"tile_n", "columns of a tile of C", tile_n},
      {"tile_k", "depth of a chunk in L1", useful({64, 128, 256, 512, 1024, 2048}, k)},
      {"tile_k0", "depth of a step in L0", useful(steps, k)},
      {"l1_buffers", "K chunks that L1 holds", {1, 2, 3, 4}},
      {"l0_buffers", "K steps that L0A and L0B hold", {1, 2}},
      {"l0c_buffers", "tiles of sums that L0C holds", {1, 2}},
      {"split_k", "parts of the depth, each a task; the vector cores add them",
       useful_parts(facts, tiles)},
      {"cores", "cube cores that work; 0: all of the machine", useful_cores(facts, tiles)},
      {"swizzle",
       "rows of tiles in a band walked column by column, every other one backwards; 0: row by row; "
       "negative: columns in a band walked row by row",
       {-8, -4, -2, -1, 0, 1, 2, 4, 8}},
      {"core_rows", "rows of a grid of cores with a rectangle of tiles each; 0: dealt in turn",
       shape.expert_rows.size() > 1 ? std::vector<int64_t>{0} : core_grid_rows(facts.aic)},
  };
}

void add_buffer_rules(const SpaceFacts& facts, const Machine& machine,
                      const std::vector<Parameter>& parameters,
                      std::vector<Constraint>& constraints) {
  const auto& buffers = machine.buffers;
  const GemmShape& shape = facts.shape;
  const int64_t width = bytes_of(shape.type);
  const int64_t sides = shape.sides();
  const int64_t unit = shape.column_unit();
  const Epilogue& epilogue = shape.epilogue;
  const auto rule = [&](const char* name, Memory space, int64_t capacity,
                        const std::vector<std::string>& names, auto needed) {
    constraints.push_back(fits(name, space, capacity, parameters, names, needed));
  };
  rule("L0C", Memory::kL0C, buffers.l0c_bytes, {"tile_m", "tile_n", "l0c_buffers"},
       [=](auto v) { return round_up(v[0], 16) * sides * round_up(v[1], unit) * 4 * v[2]; });
  rule("L0A", Memory::kL0A, buffers.l0a_bytes, {"tile_m", "tile_k0", "l0_buffers"},
       [=](auto v) { return round_up(v[0], 16) * v[1] * width * v[2]; });
  rule("L0B", Memory::kL0B, buffers.l0b_bytes, {"tile_n", "tile_k0", "l0_buffers"},
       [=](auto v) { return sides * round_up(v[0], unit) * v[1] * width * v[2]; });
  const int64_t channel = epilogue.column_scales ? 12 : epilogue.bias ? 4 : 0;
  rule("L1", Memory::kL1, buffers.l1_bytes, {"tile_m", "tile_n", "tile_k", "l1_buffers"},
       [=](auto v) {
         const int64_t columns = sides * round_up(v[1], unit);
         return (round_up(v[0], 16) + columns) * v[2] * width * v[3] + columns * channel;
       });
  if (epilogue.bias) {
    rule("BT", Memory::kBt, buffers.bt_bytes, {"tile_n"},
         [=](auto v) { return sides * round_up(v[0], unit) * 4; });
  }
  if (epilogue.column_scales) {
    rule("FB", Memory::kFb, buffers.fb_scale_bytes, {"tile_n", "l0c_buffers"},
         [=](auto v) { return sides * round_up(v[0], unit) * 8 * v[1]; });
  }
  const bool finishes = epilogue.needs_vectors();
  const bool may_split = parameters[7].values.size() > 1;
  if (!finishes && !may_split) return;
  rule("UB", Memory::kUb, buffers.ub_bytes, {"tile_n", "split_k"}, [=](auto v) {
    const bool splits = v[1] > 1;
    if (!finishes && !splits) return int64_t{0};
    return finish_ub_bytes(shape, round_up(v[0], unit), splits, machine);
  });
}

/// Tiles with a side between the plain ones are there where they may win: they fill most of L0C,
/// which makes for few loads, or there are so few that each side decides how many cores work; and
/// with what is best for nearly all tiles, two chunks and two steps, these as deep as they can be.
void add_tile_rules(const SpaceFacts& facts, const Machine& machine,
                    const std::vector<Parameter>& parameters,
                    std::vector<Constraint>& constraints) {
  const int64_t sides = facts.shape.sides();
  const int64_t unit = facts.shape.column_unit();
  const auto is_fine = [](int64_t rows, int64_t columns) {
    return !is_plain(kPlainRows, rows) || !is_plain(kPlainColumns, columns);
  };
  constraints.push_back(
      {"fine tile", {"tile_m", "tile_n"}, [=, l0c = machine.buffers.l0c_bytes](auto v) {
         const int64_t bytes = v[0] * sides * round_up(v[1], unit) * 4;
         const bool few = facts.tiles(v[0], v[1]) <= kMostFineTiles * facts.aic;
         if (!is_fine(v[0], v[1]) ||
             (bytes <= l0c &&
              (few || static_cast<double>(bytes) >= kLeastFill * static_cast<double>(l0c)))) {
           return std::string();
         }
         return fmt::format(
             "{} x {} is neither a plain tile nor one that fills L0C; use tile_m of "
             "{} and tile_n of {}",
             v[0], v[1], fmt::join(kPlainRows, ", "), fmt::join(kPlainColumns, ", "));
       }});
  const int64_t width = bytes_of(facts.shape.type);
  constraints.push_back(
      {"fine steps",
       {"tile_m", "tile_n", "tile_k", "tile_k0"},
       [=, l0a = machine.buffers.l0a_bytes, l0b = machine.buffers.l0b_bytes,
        deepest = parameters[3].values.back()](auto v) {
         const bool deeper = 4 * v[0] * v[3] * width <= l0a && v[2] % (2 * v[3]) == 0 &&
                             4 * sides * round_up(v[1], unit) * v[3] * width <= l0b &&
                             2 * v[3] <= deepest;
         if (!is_fine(v[0], v[1]) || !deeper) return std::string();
         return fmt::format("two steps of twice the depth fit L0A and L0B; use tile_k0={}",
                            2 * v[3]);
       }});
  constraints.push_back(
      {"fine rings", {"tile_m", "tile_n", "l1_buffers", "l0_buffers"}, [=](auto v) {
         if (!is_fine(v[0], v[1]) || (v[2] == 2 && v[3] == 2)) return std::string();
         return fmt::format("tiles of {} x {} are for l1_buffers=2,l0_buffers=2", v[0], v[1]);
       }});
}

/// Rules of the way through L1 and L0.
void add_depth_rules(const SpaceFacts& facts, const Machine& machine,
                     std::vector<Constraint>& constraints) {
  constraints.push_back({"depth", {"tile_k", "tile_k0"}, [](auto v) -> std::string {
                           if (v[0] % v[1] == 0) return "";
                           return fmt::format("tile_k={} is not a multiple of tile_k0={}", v[0],
                                              v[1]);
                         }});
  const GemmShape& shape = facts.shape;
  const int64_t width = bytes_of(shape.type);
  const int64_t k = shape.k;
  constraints.push_back(
      {"ring", {"tile_k", "l1_buffers"}, [=](auto v) -> std::string {
         if (v[1] <= 2) return "";
         if (v[0] * width > kMostRingDepth) {
           return fmt::format("l1_buffers={} is for chunks up to tile_k={}; use l1_buffers=2", v[1],
                              kMostRingDepth / width);
         }
         const int64_t chunks = ceil_div(k, v[0]);
         if (v[1] <= chunks) return "";
         return fmt::format("l1_buffers={} for {} chunks; use l1_buffers=2", v[1], chunks);
       }});
  const int64_t sides = shape.sides();
  const int64_t unit = shape.column_unit();
  const int64_t l0a = machine.buffers.l0a_bytes;
  const int64_t l0b = machine.buffers.l0b_bytes;
  constraints.push_back(
      {"steps", {"tile_m", "tile_n", "tile_k0", "l0_buffers"}, [=](auto v) -> std::string {
         const bool fit = 2 * round_up(v[0], 16) * v[2] * width <= l0a &&
                          2 * sides * round_up(v[1], unit) * v[2] * width <= l0b;
         if (v[3] > 1 || !fit) return "";
         return "two steps fit L0A and L0B, and one is never faster; use l0_buffers=2";
       }});
}

/// Rules of the order in which tiles are dealt.
void add_order_rules(const SpaceFacts& facts, std::vector<Constraint>& constraints) {
  constraints.push_back({"band", {"tile_m", "tile_n", "swizzle"}, [facts](auto v) -> std::string {
                           const int64_t rows = ceil_div(facts.most_rows, v[0]);
                           const int64_t columns = ceil_div(facts.shape.n, v[1]);
                           const int64_t across = v[2] > 0 ? rows : columns;
                           const int64_t along = v[2] > 0 ? columns : rows;
                           const int64_t band = std::abs(v[2]);
                           if (v[2] >= 0 && (band <= 1 || band < 2 * across)) return "";
                           const bool several_waves = facts.tiles(v[0], v[1]) > facts.aic;
                           if (v[2] < 0 && several_waves && across > 1 && along > 1 &&
                               band < 2 * across) {
                             return "";
                           }
                           return fmt::format(
                               "swizzle={} with only {} x {} tiles repeats another one; use "
                               "swizzle=1",
                               v[2], rows, columns);
                         }});
  constraints.push_back(
      {"grid", {"tile_m", "tile_n", "swizzle", "core_rows"}, [facts](auto v) -> std::string {
         if (v[3] == 0) return "";
         if (v[2] != 1) {
           return fmt::format(
               "core_rows={} deals rectangles, which swizzle={} does not order; use swizzle=1 or "
               "core_rows=0",
               v[3], v[2]);
         }
         const int64_t rows = ceil_div(facts.shape.m, v[0]);
         const int64_t columns = ceil_div(facts.shape.n, v[1]);
         if (v[3] <= rows && facts.aic / v[3] <= columns) return "";
         return fmt::format("core_rows={} makes {} x {} cores for {} x {} tiles; use core_rows=0",
                            v[3], v[3], facts.aic / v[3], rows, columns);
       }});
}

/// Rules of how many cores share the depth, and of how many work at all.
void add_share_rules(const SpaceFacts& facts, std::vector<Constraint>& constraints) {
  constraints.push_back(
      {"split", {"tile_m", "tile_n", "tile_k", "split_k"}, [facts](auto v) -> std::string {
         if (v[3] == 1) return "";
         const int64_t chunks = ceil_div(facts.shape.k, v[2]);
         if (v[3] > chunks) {
           return fmt::format("split_k={} makes more parts than the {} chunks of tile_k={}", v[3],
                              chunks, v[2]);
         }
         const int64_t tiles = facts.tiles(v[0], v[1]);
         if (facts.can_split(tiles, v[3])) return "";
         return fmt::format("{} tiles keep {} cores busy without split_k={}", tiles, facts.aic,
                            v[3]);
       }});
  constraints.push_back(
      {"cores", {"tile_m", "tile_n", "split_k", "cores"}, [facts](auto v) -> std::string {
         const int64_t tasks = facts.tiles(v[0], v[1]) * v[2];
         if (v[3] == 0 || facts.keeps_waves(tasks, v[3])) return "";
         return fmt::format("cores={} needs {} waves for {} tasks, {} cores need {}; use cores=0",
                            v[3], ceil_div(tasks, v[3]), tasks, facts.aic,
                            ceil_div(tasks, facts.aic));
       }});
  constraints.push_back(
      {"plain order", {"split_k", "cores", "swizzle", "core_rows"}, [facts](auto v) -> std::string {
         if (v[0] == 1 && v[1] == 0) return "";
         if (v[2] == 1 && v[3] == 0) return "";
         return fmt::format(
             "split_k={} with cores={} is for the plain order; use swizzle=1,core_rows=0, or "
             "split_k=1,cores=0",
             v[0], v[1]);
       }});
}

}  // namespace

Space gemm_space(const GemmShape& shape, const Machine& machine) {
  const SpaceFacts facts(shape, machine);
  std::vector<Parameter> parameters = parameters_of(facts, machine);
  std::vector<Constraint> constraints;
  add_buffer_rules(facts, machine, parameters, constraints);
  add_tile_rules(facts, machine, parameters, constraints);
  add_depth_rules(facts, machine, constraints);
  add_order_rules(facts, constraints);
  add_share_rules(facts, constraints);
  return {std::move(parameters), std::move(constraints)};
}

Config plainest(const GemmShape& shape, const Config& config, const Machine& machine) {
  const SpaceFacts facts(shape, machine);
  const int64_t tile_m = config.at("tile_m");
  const int64_t tile_n = config.at("tile_n");
  const int64_t parts = config.at("split_k");
  const bool one_each = facts.tiles(tile_m, tile_n) * parts <= facts.aic;
  const bool one_line = facts.most_rows <= tile_m || shape.n <= tile_n;
  Config plain = config;
  for (auto& [name, value] : plain.values) {
    if (name == "swizzle" && (one_each || one_line)) value = 1;
    if (!one_each) continue;
    if (name == "cores" || name == "core_rows") value = 0;
    if (name == "l0c_buffers") value = 1;
    if (name == "l1_buffers") {
      const int64_t chunks = ceil_div(shape.k, config.at("tile_k"));
      value = std::min(value, ceil_div(chunks, parts));
    }
  }
  return plain;
}

Config gemm_default(const GemmShape& shape, const Machine& machine, const std::string& name) {
  const Space all = gemm_space(shape, machine);
  const auto at_most = [&](size_t parameter, int64_t wanted) {
    const std::vector<int64_t>& values = all.parameters()[parameter].values;
    int64_t chosen = values.front();
    for (const int64_t value : values) {
      if (value <= wanted) chosen = value;
    }
    return chosen;
  };
  const int64_t width = bytes_of(shape.type);
  // Two sides share the columns of the default block.
  Config config;
  config.values = {{"tile_m", at_most(0, 128)},
                   {"tile_n", at_most(1, (width == 4 ? 128 : 256) / shape.sides())},
                   {"tile_k", at_most(2, 512 / width)},
                   {"tile_k0", at_most(3, 128 / width)},
                   {"l1_buffers", 2},
                   {"l0_buffers", 2},
                   {"l0c_buffers", 1},
                   {"split_k", 1},
                   {"cores", 0},
                   {"swizzle", 1},
                   {"core_rows", 0}};
  const std::string why = all.violation(config);
  if (why.empty()) return config;
  const std::vector<Config> legal = all.enumerate();
  if (legal.empty()) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no tile of {} fits machine {}: {}", name, machine.name, why));
  }
  return legal.front();
}

}  // namespace tilewright
