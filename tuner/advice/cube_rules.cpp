#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/format.h"
#include "core/base/integers.h"
#include "simulator/memory.h"
#include "tuner/advice/rules.h"

namespace tilewright {

namespace {

/// What may shrink so that a larger tile fits.
const std::vector<std::string> kRoomForTile = {"tile_k0",    "tile_k",      "l1_buffers",
                                               "l0_buffers", "l0c_buffers", "core_rows",
                                               "swizzle",    "split_k"};

/// Share of the time in which the cube waits for operands, its first ones included.
double operand_wait(const Evidence& evidence) {
  return evidence.engine(Cause::wait_data(Pipe::kMte1)) +
         evidence.engine(Cause::wait_data(Pipe::kMte2)) + evidence.engine(Cause::fill());
}

bool multiplies(const Evidence& evidence) {
  return evidence.uses(Pipe::kCube);
}

std::optional<Finding> enlarge_tile(const Evidence& evidence) {
  if (!multiplies(evidence)) return std::nullopt;
  const double waits = operand_wait(evidence);
  if (waits < kNoticed) return std::nullopt;
  const auto loads = evidence.ops(Pipe::kMte2);
  const double reuse = loads.bytes > 0 ? evidence.ops(Pipe::kCube).flops / loads.bytes : 0;
  const std::string operations = reuse < 0.01 ? "less than 0.01"
                                 : reuse < 10 ? fmt::format("{:.2g}", reuse)
                                              : fmt::format("{:.0f}", reuse);
  return Finding{
      fmt::format("the cube waits for operands {} of the time, as each byte that is loaded serves "
                  "only {} operations",
                  format_share(waits), operations),
      fmt::format("CUBE busy {}, MTE2 busy {}, MTE1 busy {}; {} loaded, {} operations a byte",
                  format_share(evidence.busy(Pipe::kCube)),
                  format_share(evidence.busy(Pipe::kMte2)),
                  format_share(evidence.busy(Pipe::kMte1)), format_bytes(loads.bytes), operations),
      {{{{"tile_m", Direction::kUp}, {"tile_n", Direction::kUp}}, kRoomForTile},
       {{{"tile_m", Direction::kUp}, {"tile_n", Direction::kDown}}, kRoomForTile},
       {{{"tile_m", Direction::kDown}, {"tile_n", Direction::kUp}}, kRoomForTile}}};
}

std::optional<Finding> deepen_chunk(const Evidence& evidence) {
  /// Below this the fixed cost of a load is a tenth of it and more.
  constexpr double kLongLoad = 128 * 1024;
  const auto loads = evidence.ops(Pipe::kMte2);
  if (!multiplies(evidence) || loads.bytes_each() >= kLongLoad) return std::nullopt;
  const double waits = operand_wait(evidence);
  if (waits < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("loads of {} are too short to hide what each costs, and the cube waits {} of the "
                  "time",
                  format_bytes(loads.bytes_each()), format_share(waits)),
      fmt::format(
          "{} loads of {} take {:.0f} cycles each, {} of the time; the fixed cost is {:.0f} "
          "cycles, HBM's latency {:.0f}",
          format_count(static_cast<int64_t>(loads.count)), format_bytes(loads.bytes_each()),
          loads.cycles_each(), format_share(evidence.busy(Pipe::kMte2)),
          evidence.machine.mte2.fixed_cycles, evidence.machine.hbm.read_latency_cycles),
      {{{{"tile_k", Direction::kUp}}, {"l1_buffers", "tile_n"}}}};
}

std::optional<Finding> shorten_chunk(const Evidence& evidence) {
  const double fill = evidence.engine(Cause::fill());
  if (!multiplies(evidence) || fill < kNoticed) return std::nullopt;
  const auto loads = evidence.ops(Pipe::kMte2);
  return Finding{
      fmt::format("{} of the time passes before the first product: the first chunk is "
                  "long in coming",
                  format_share(fill)),
      fmt::format("fill {} of the cube's time; loads of {} take {:.0f} cycles each",
                  format_share(fill), format_bytes(loads.bytes_each()), loads.cycles_each()),
      {{{{"tile_k", Direction::kDown}}, {"tile_k0"}}}};
}

std::optional<Finding> deepen_step(const Evidence& evidence) {
  /// Products below this feel the cube's head and the flags around them.
  constexpr double kLongProduct = 512;
  const auto products = evidence.ops(Pipe::kCube);
  if (products.count == 0 || products.cycles_each() >= kLongProduct) return std::nullopt;
  const double waits = operand_wait(evidence);
  if (waits < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("products of {:.0f} cycles are too short to hide the way between MTE1 and CUBE",
                  products.cycles_each()),
      fmt::format("{} products of {:.0f} cycles, each with up to {:.0f} cycles of head; CUBE waits "
                  "for MTE1 {} of the time",
                  format_count(static_cast<int64_t>(products.count)), products.cycles_each(),
                  evidence.machine.cube.head_cycles,
                  format_share(evidence.engine(Cause::wait_data(Pipe::kMte1)))),
      {{{{"tile_k0", Direction::kUp}, {"tile_k", Direction::kUp}}, {}}}};
}

std::optional<Finding> double_buffer_loads(const Evidence& evidence) {
  const double waits = evidence.waits_for_space(Pipe::kMte2, Memory::kL1);
  const double starves = operand_wait(evidence);
  if (!multiplies(evidence) || waits < kNoticed || starves < kNoticed) return std::nullopt;
  return Finding{fmt::format("loads wait {} of the time for room in L1 while the cube waits {} for "
                             "what they bring",
                             format_share(waits), format_share(starves)),
                 fmt::format("MTE2 waits for L1 {}, busy {}; CUBE busy {}", format_share(waits),
                             format_share(evidence.busy(Pipe::kMte2)),
                             format_share(evidence.busy(Pipe::kCube))),
                 {{{{"l1_buffers", Direction::kUp}}, {"tile_k", "tile_k0", "tile_n", "tile_m"}}}};
}

std::optional<Finding> double_buffer_steps(const Evidence& evidence) {
  const double waits = evidence.waits_for_space(Pipe::kMte1, Memory::kL0A);
  const double starves = evidence.engine(Cause::wait_data(Pipe::kMte1));
  const Config& config = evidence.config;
  const bool has_one = config.has("l0_buffers") && config.at("l0_buffers") == 1;
  if (!has_one || waits < kNoticed || starves < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("moves wait {} of the time for room in L0 while the cube waits {} for operands",
                  format_share(waits), format_share(starves)),
      fmt::format("MTE1 waits for L0A {}, busy {}; CUBE busy {}", format_share(waits),
                  format_share(evidence.busy(Pipe::kMte1)),
                  format_share(evidence.busy(Pipe::kCube))),
      {{{{"l0_buffers", Direction::kUp}}, {"tile_k0"}}}};
}

std::optional<Finding> overlap_drain(const Evidence& evidence) {
  const double waits = evidence.engine(Cause::wait_space(Memory::kL0C));
  if (!multiplies(evidence) || waits < kNoticed) return std::nullopt;
  const auto drains = evidence.ops(Pipe::kFixp);
  return Finding{
      fmt::format("the cube stands still {} of the time until the sums of the tile before are "
                  "drained",
                  format_share(waits)),
      fmt::format("CUBE waits for L0C {}; {} drains of {:.0f} cycles each", format_share(waits),
                  format_count(static_cast<int64_t>(drains.count)), drains.cycles_each()),
      {{{{"l0c_buffers", Direction::kUp}},
        {"tile_n", "tile_m", "tile_k0", "core_rows", "swizzle", "split_k"}}}};
}

std::optional<Finding> speed_up_drain(const Evidence& evidence) {
  const double exposed = evidence.path(Cause::busy(Pipe::kFixp));
  const auto drains = evidence.ops(Pipe::kFixp);
  const double least = drains.bytes / evidence.machine.fixpipe.bytes_per_cycle;
  if (!multiplies(evidence) || exposed < kNoticed || drains.cycles < 1.3 * least) {
    return std::nullopt;
  }
  return Finding{
      fmt::format("draining sums takes {:.1f} times what their bytes need, {} of the time on the "
                  "critical path",
                  drains.cycles / least, format_share(exposed)),
      fmt::format("{} drains of {} take {:.0f} cycles each, {:.0f} at the fixpipe's rate; the rest "
                  "is head, short rows and rows of an odd number of banks",
                  format_count(static_cast<int64_t>(drains.count)),
                  format_bytes(drains.bytes_each()), drains.cycles_each(), least / drains.count),
      {{{{"tile_n", Direction::kAny}}, kRoomForTile}}};
}

std::optional<Finding> reuse_l2(const Evidence& evidence) {
  const double waits = evidence.path(Cause::hbm());
  const MemoryCounters& memory = evidence.profile.timing.memory;
  if (!multiplies(evidence) || waits < kNoticed || memory.l2_read_bytes == 0) return std::nullopt;
  const double hits =
      static_cast<double>(memory.l2_hit_bytes) / static_cast<double>(memory.l2_read_bytes);
  return Finding{
      fmt::format("the critical path waits {} of the time for HBM; another order of tiles shares "
                  "what is fetched among more cores",
                  format_share(waits)),
      fmt::format("L2 serves {} of {} read, HBM {}; the inputs hold {}", format_share(hits),
                  format_bytes(static_cast<double>(memory.l2_read_bytes)),
                  format_bytes(static_cast<double>(memory.hbm_read_bytes)),
                  format_bytes(static_cast<double>(evidence.launch.tensors[0].bytes() +
                                                   evidence.launch.tensors[1].bytes()))),
      {{{{"swizzle", Direction::kAny}, {"core_rows", Direction::kAny}}, {}}}};
}

std::optional<Finding> spread_readers(const Evidence& evidence) {
  const double lost = evidence.loses(Pipe::kMte2, "conflict");
  if (!multiplies(evidence) || lost < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("loads stand in line {} of the time, as many cores read the same address",
                  format_share(lost)),
      fmt::format("MTE2 loses {} to conflicts, {:.0f} cycles for each other reader",
                  format_share(lost), evidence.machine.l2.same_address_cycles),
      {{{{"swizzle", Direction::kAny}, {"core_rows", Direction::kAny}}, {}}}};
}

std::optional<Finding> fractal_weights(const Evidence& evidence) {
  const Problem& problem = evidence.problem;
  if (!multiplies(evidence) || !problem.has("n") || problem.layouts[1] != "nd") return std::nullopt;
  const double waits = operand_wait(evidence);
  if (waits < kNoticed) return std::nullopt;
  const Tensor& weights = evidence.launch.tensors[1];
  const int64_t burst =
      burst_bytes(weights, weights.sector_rows, std::min(weights.sector_cols, weights.cols));
  const int64_t pitch = weights.cols * bytes_of(weights.type);
  const bool is_aligned = pitch % evidence.machine.l2.align_bytes == 0;
  if (burst >= evidence.machine.mte2.lookahead_burst_bytes && is_aligned) return std::nullopt;
  Finding finding{
      fmt::format("row-major weights come in pieces of {}, and the cube waits {} of the time for "
                  "operands",
                  format_bytes(static_cast<double>(burst)), format_share(waits)),
      fmt::format("rows of B are {} apart{}; loads are requested ahead from {} on; MTE2 busy {}",
                  format_bytes(static_cast<double>(pitch)),
                  is_aligned ? "" : ", which is not aligned",
                  format_bytes(static_cast<double>(evidence.machine.mte2.lookahead_burst_bytes)),
                  format_share(evidence.busy(Pipe::kMte2)))};
  finding.other_change = "weights nd -> nz";
  finding.other = problem;
  finding.other->layouts[1] = "nz";
  return finding;
}

std::optional<Finding> cut_padding(const Evidence& evidence) {
  if (!multiplies(evidence) || evidence.launch.flops <= 0) return std::nullopt;
  const double done = evidence.ops(Pipe::kCube).flops;
  const double padded = done > 0 ? 1 - evidence.launch.flops / done : 0;
  if (padded < kNoticed || evidence.problem.kernel != "gemm_padded") return std::nullopt;
  Finding finding{
      fmt::format("{} of the products are of pad rows", format_share(padded)),
      fmt::format("{:.4g} operations are wanted, {:.4g} are done: m is padded in memory from {} to "
                  "{}",
                  evidence.launch.flops, done, evidence.problem.size("m"),
                  evidence.launch.tensors[0].rows)};
  finding.other_change = "kernel gemm_padded -> gemm";
  finding.other = evidence.problem;
  finding.other->kernel = "gemm";
  return finding;
}

std::optional<Finding> fill_fractals(const Evidence& evidence) {
  if (!multiplies(evidence) || !evidence.problem.has("m")) return std::nullopt;
  const int64_t m = evidence.problem.size("m");
  const int64_t whole = round_up(m, evidence.machine.cube.fractal_m);
  const double wasted = 1 - static_cast<double>(m) / static_cast<double>(whole);
  const double busy = evidence.busy(Pipe::kCube);
  if (wasted * busy < kNoticed) return std::nullopt;
  return Finding{
      fmt::format("the cube multiplies {} rows for the {} that are there", whole, m),
      fmt::format("{} of the rows are empty; CUBE is busy {} of the time", format_share(wasted),
                  format_share(busy)),
      {},
      {},
      {},
      fmt::format("no tile is less than {} rows high: only more rows a launch would fill it, up to "
                  "m={}",
                  evidence.machine.cube.fractal_m, whole)};
}

constexpr std::array kRules = {
    AdviceFinder{{"enlarge_tile", "larger or squarer tiles where the cube waits for operands"},
                 enlarge_tile},
    AdviceFinder{{"deepen_chunk", "longer loads where their fixed cost shows"}, deepen_chunk},
    AdviceFinder{{"shorten_chunk", "a shorter first load where the cube starts late"},
                 shorten_chunk},
    AdviceFinder{{"deepen_step", "longer products where their heads show"}, deepen_step},
    AdviceFinder{{"double_buffer_loads", "a second K chunk in L1 where loads wait for room"},
                 double_buffer_loads},
    AdviceFinder{{"double_buffer_steps", "a second step in L0 where moves wait for room"},
                 double_buffer_steps},
    AdviceFinder{{"overlap_drain", "a second tile of sums where the cube waits for the drain"},
                 overlap_drain},
    AdviceFinder{{"speed_up_drain", "rows that the fixpipe drains at its full rate"},
                 speed_up_drain},
    AdviceFinder{{"reuse_l2", "another order of tiles where the path waits for HBM"}, reuse_l2},
    AdviceFinder{{"spread_readers", "another order of tiles where cores read one address"},
                 spread_readers},
    AdviceFinder{
        {"fractal_weights", "weights in the fractal layout where their rows are short pieces"},
        fractal_weights},
    AdviceFinder{{"cut_padding", "virtual padding where pad rows are multiplied"}, cut_padding},
    AdviceFinder{{"fill_fractals", "more rows a launch where fractals are mostly empty"},
                 fill_fractals},
};

}  // namespace

std::span<const AdviceFinder> cube_rules() {
  return kRules;
}

}  // namespace tilewright
