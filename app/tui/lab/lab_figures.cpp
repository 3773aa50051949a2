#include "app/tui/lab/lab_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Ticks times a small number exceed 64 bits for long launches.
__extension__ using Wide = __int128;

int64_t floor_quotient(Wide value, Wide divisor) {
  const Wide quotient = value / divisor;
  return static_cast<int64_t>(quotient - (value % divisor < 0 ? 1 : 0));
}

std::span<const int64_t> ticks_of(const Breakdown& breakdown) {
  return breakdown.ticks;
}

/// Cycles of causes, rounded so that they sum to the launch's.
std::vector<int64_t> cycles_of(const Breakdown& breakdown) {
  return rounded_parts(ticks_of(breakdown), 1, kTicksPerCycle);
}

std::vector<int64_t> tenths_of(const Breakdown& breakdown) {
  const int64_t total = breakdown.total();
  if (total <= 0) return std::vector<int64_t>(breakdown.ticks.size());
  return rounded_parts(ticks_of(breakdown), 1000, total);
}

void add_value(RunDiff& diff, std::string name, std::string before, std::string after) {
  if (before == after) return;
  diff.values.push_back({std::move(name), std::move(before), std::move(after)});
}

/// Named numbers of both, in the order of the later one; "-" for those that one does not have.
template <typename Pairs>
void add_values(RunDiff& diff, const Pairs& before, const Pairs& after) {
  const auto text_in = [](const Pairs& pairs, const std::string& name) {
    for (const auto& [known, value] : pairs) {
      if (known == name) return std::to_string(value);
    }
    return std::string("-");
  };
  for (const auto& [name, value] : after) {
    add_value(diff, name, text_in(before, name), std::to_string(value));
  }
  for (const auto& [name, value] : before) {
    if (text_in(after, name) == "-") add_value(diff, name, std::to_string(value), "-");
  }
}

bool did_work(const CoreCounters& core) {
  return std::ranges::any_of(core.instructions, [](int64_t count) { return count > 0; });
}

double per_second(const KernelOutcome& outcome, int64_t bytes) {
  return static_cast<double>(bytes) / outcome.time_us * 1e6;
}

double intensity(const KernelOutcome& outcome, int64_t bytes) {
  return bytes > 0 ? outcome.flops / static_cast<double>(bytes) : 0;
}

}  // namespace

std::vector<int64_t> rounded_parts(std::span<const int64_t> parts, int64_t numerator,
                                   int64_t denominator) {
  std::vector<int64_t> rounded;
  std::vector<std::pair<Wide, size_t>> remainders;
  Wide sum = 0;
  int64_t given = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Wide value = static_cast<Wide>(parts[i]) * numerator;
    rounded.push_back(floor_quotient(value, denominator));
    // Negative, so that the largest come first and equal ones keep their order.
    remainders.emplace_back(-(value - static_cast<Wide>(rounded.back()) * denominator), i);
    sum += value;
    given += rounded.back();
  }
  std::ranges::stable_sort(remainders, {}, &std::pair<Wide, size_t>::first);
  const int64_t missing = floor_quotient(sum, denominator) - given;
  for (int64_t i = 0; i < missing; ++i) ++rounded[remainders[static_cast<size_t>(i)].second];
  return rounded;
}

std::vector<ShareRow> share_rows(const Breakdown& breakdown) {
  const std::vector<int64_t> tenths = tenths_of(breakdown);
  std::vector<ShareRow> rows;
  for (size_t id = 0; id < tenths.size(); ++id) {
    if (breakdown.ticks[id] == 0) continue;
    rows.push_back({Cause::of_id(id), breakdown.ticks[id], tenths[id]});
  }
  std::ranges::stable_sort(rows, std::greater{}, &ShareRow::ticks);
  return rows;
}

std::string tenths_text(int64_t tenths) {
  return fmt::format("{}{}.{} %", tenths < 0 ? "-" : "", std::abs(tenths) / 10,
                     std::abs(tenths) % 10);
}

std::string signed_count(int64_t value) {
  return (value > 0 ? "+" : "") + format_count(value);
}

std::string change_percent(double before, double after) {
  if (before <= 0) return "-";
  if (before == after) return "=";
  return fmt::format("{:+.1f} %", (after / before - 1) * 100);
}

bool are_comparable(const KernelOutcome& a, const KernelOutcome& b) {
  return a.request.problem == b.request.problem;
}

std::string words_of(Cause cause) {
  std::string name = cause.name();
  const size_t colon = name.find(':');
  const std::string_view kind = std::string_view(name).substr(0, colon);
  const std::string_view what =
      colon == std::string::npos ? "" : std::string_view(name).substr(colon + 1);
  if (kind == "busy") return fmt::format("busy {}", what);
  if (kind == "wait_data") return fmt::format("wait for data of {}", what);
  if (kind == "wait_space") return fmt::format("wait for space in {}", what);
  if (kind == "hbm") return "HBM";
  if (kind == "l2") return "L2 port";
  if (kind == "fill") return "pipeline fill";
  if (kind == "drain") return "pipeline drain";
  if (kind == "tail") return "tail imbalance";
  if (kind == "handover") return "AIC/AIV hand-over";
  if (kind == "issue") return "issue by SCALAR";
  if (kind == "conflict") return "conflicts";
  return name;
}

RunDiff diff_of(const KernelOutcome& before, const KernelOutcome& after) {
  RunDiff diff;
  const Problem& old_problem = before.request.problem;
  const Problem& new_problem = after.request.problem;
  add_value(diff, "kernel", old_problem.kernel, new_problem.kernel);
  add_value(diff, "machine", before.request.machine->argument, after.request.machine->argument);
  add_values(diff, old_problem.sizes, new_problem.sizes);
  add_value(diff, "dtype", std::string(name_of(old_problem.types.front())),
            std::string(name_of(new_problem.types.front())));
  add_value(diff, "layouts", join(old_problem.layouts, " "), join(new_problem.layouts, " "));
  add_values(diff, before.request.config.values, after.request.config.values);

  const Breakdown& old_path = before.profile.timing.critical_path;
  const Breakdown& new_path = after.profile.timing.critical_path;
  const std::vector<int64_t> old_tenths = tenths_of(old_path);
  const std::vector<int64_t> new_tenths = tenths_of(new_path);
  const std::vector<int64_t> old_cycles = cycles_of(old_path);
  const std::vector<int64_t> new_cycles = cycles_of(new_path);
  for (size_t id = 0; id < old_path.ticks.size(); ++id) {
    if (old_path.ticks[id] == 0 && new_path.ticks[id] == 0) continue;
    diff.causes.push_back(
        {Cause::of_id(id), old_tenths[id], new_tenths[id], old_cycles[id], new_cycles[id]});
  }
  std::ranges::stable_sort(diff.causes, std::greater{},
                           [](const DiffRow& row) { return std::abs(row.change()); });
  diff.before_cycles = std::accumulate(old_cycles.begin(), old_cycles.end(), int64_t{0});
  diff.after_cycles = std::accumulate(new_cycles.begin(), new_cycles.end(), int64_t{0});
  return diff;
}

std::vector<PipeUse> pipe_uses(const KernelOutcome& outcome) {
  std::vector<PipeUse> uses;
  const auto ticks = static_cast<double>(std::max<int64_t>(1, outcome.ticks()));
  for (const PipeProfile& profile : outcome.profile.pipes) {
    PipeUse use{profile.kind, profile.pipe, 0, 1, 0};
    int cores = 0;
    for (const CoreCounters& core : outcome.profile.timing.cores) {
      if (core.kind != profile.kind || !did_work(core)) continue;
      const double busy =
          static_cast<double>(core.busy_ticks[static_cast<size_t>(profile.pipe)]) / ticks;
      use.mean += busy;
      use.least = std::min(use.least, busy);
      use.most = std::max(use.most, busy);
      ++cores;
    }
    use.mean /= std::max(1, cores);
    uses.push_back(use);
  }
  return uses;
}

double l2_bytes_per_s(const Machine& machine) {
  return machine.l2.read_bytes_per_cycle * machine.cores.clock_mhz * 1e6;
}

double hbm_bytes_per_s(const Machine& machine) {
  return machine.hbm.gb_per_s * 1e9;
}

std::vector<MemoryRate> memory_rates(const KernelOutcome& outcome) {
  const Machine& machine = outcome.request.machine->machine;
  const MemoryCounters& memory = outcome.profile.timing.memory;
  const double hbm = hbm_bytes_per_s(machine);
  const double l2_write = machine.l2.write_bytes_per_cycle * machine.cores.clock_mhz * 1e6;
  return {{"HBM rd", per_second(outcome, memory.hbm_read_bytes), hbm},
          {"HBM wr", per_second(outcome, memory.hbm_write_bytes), hbm},
          {"L2 rd", per_second(outcome, memory.l2_read_bytes), l2_bytes_per_s(machine)},
          {"L2 wr", per_second(outcome, memory.l2_write_bytes), l2_write}};
}

double hbm_intensity(const KernelOutcome& outcome) {
  const MemoryCounters& memory = outcome.profile.timing.memory;
  return intensity(outcome, memory.hbm_read_bytes + memory.hbm_write_bytes);
}

double l2_intensity(const KernelOutcome& outcome) {
  const MemoryCounters& memory = outcome.profile.timing.memory;
  return intensity(outcome, memory.l2_read_bytes + memory.l2_write_bytes);
}

std::string short_config(const Config& config) {
  std::vector<std::string> tiles;
  std::vector<std::string> others;
  for (const auto& [name, value] : config.values) {
    (name.starts_with("tile_") ? tiles : others).push_back(std::to_string(value));
  }
  return join(tiles, "/") + (tiles.empty() || others.empty() ? "" : " ") + join(others, ".");
}

std::string short_problem(const Problem& problem) {
  std::vector<std::string> sizes;
  for (const auto& [name, value] : problem.sizes)
    sizes.push_back(fmt::format("{}={}", name, value));
  return join(sizes, " ");
}

std::string named_config(const Config& config) {
  std::vector<std::string> values;
  bool has_tiles = false;
  for (const auto& [full_name, value] : config.values) {
    std::string_view name = full_name;
    if (name.starts_with("tile_")) {
      name.remove_prefix(5);
      if (!has_tiles) values.emplace_back("tile");
      has_tiles = true;
    }
    if (name.ends_with("_buffers")) name.remove_suffix(8);
    values.push_back(fmt::format("{}={}", name, value));
  }
  return join(values, " ");
}

std::string magnitude_text(double value) {
  constexpr std::pair<double, const char*> kPrefixes[] = {
      {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [size, prefix] : kPrefixes) {
    // What would be printed as 1000.0 has the next prefix.
    if (value >= size * 0.99995) return fmt::format("{:.1f} {}", value / size, prefix);
  }
  return fmt::format("{:.1f} ", value);
}

std::string rate_text(double bytes_per_s) {
  return magnitude_text(bytes_per_s) + "B/s";
}

std::string_view operation_of(const KernelOutcome& outcome) {
  return outcome.request.problem.types.front() == DType::kI8 ? "OP" : "FLOP";
}

std::string speed_text(const KernelOutcome& outcome, double per_s) {
  return fmt::format("{}{}S", magnitude_text(per_s), operation_of(outcome));
}

double peak_share(const KernelOutcome& outcome) {
  if (outcome.uses_cube()) return outcome.flops_per_s() / peak_flops_of(outcome);
  const MemoryCounters& memory = outcome.profile.timing.memory;
  return per_second(outcome, memory.hbm_read_bytes + memory.hbm_write_bytes) /
         hbm_bytes_per_s(outcome.request.machine->machine);
}

std::string_view peak_name(const KernelOutcome& outcome) {
  return outcome.uses_cube() ? "cube peak" : "HBM rate";
}

std::string result_text(const KernelOutcome& outcome) {
  return fmt::format("{}, {} cycles, {} of {}", format_us(outcome.time_us),
                     format_count(outcome.cycles()), format_share(peak_share(outcome)),
                     peak_name(outcome));
}

}  // namespace tilewright
