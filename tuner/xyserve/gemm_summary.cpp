#include "tuner/xyserve/gemm_summary.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/error.h"
#include "core/base/statistics.h"
#include "core/base/thread_pool.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

constexpr int64_t kLargeRows = 256;

/// Parts of K that the space of a GEMM lets several cores work on.
int64_t most_parts(const Space& space) {
  for (const Parameter& parameter : space.parameters()) {
    if (parameter.name == "split_k") return parameter.values.back();
  }
  return 1;
}

GemmBound bound_of(const Problem& problem, const Machine& machine) {
  return gemm_bound(problem, machine, most_parts(find_kernel("gemm").space(problem, machine)));
}

double mfu_of(const Linear& linear, int64_t m, double us, const Machine& machine) {
  const double flops = 2.0 * static_cast<double>(m * linear.n) * static_cast<double>(linear.k);
  return flops / (us * 1e-6) / machine.peak_flops(DType::kF16);
}

double least_bytes(const Problem& problem) {
  const auto bytes = [](int64_t rows, int64_t columns, DType type) {
    return static_cast<double>(rows * columns * bytes_of(type));
  };
  const int64_t m = problem.size("m"), n = problem.size("n"), k = problem.size("k");
  return bytes(m, k, problem.types[0]) + bytes(k, n, problem.types[1]) +
         bytes(m, n, problem.types[2]);
}

TimingResult detailed(const Problem& problem, const Config& config, const Machine& machine) {
  return time_detailed(find_kernel(problem.kernel).build(problem, config, machine), machine);
}

GemmRow row_of(const GemmExperimentOptions& options, const LinearTimes& times, size_t i,
               const Machine& machine) {
  GemmRow row;
  row.linear = times.linear;
  row.m = options.rows[i];
  row.config = times.entry(row.m).config;
  row.smooth_us = times.smooth_us[i];
  row.library_us = times.library_us[i];
  row.padded_us = times.padded_us[i];
  const Problem problem = linear_problem(times.linear, row.m, "gemm", options.layout);
  const TimingResult timing = detailed(problem, row.config, machine);
  row.detailed_us = machine.us_of_ticks(timing.ticks);
  row.engine = timing.engine;
  const Problem library = linear_problem(times.linear, row.m, "gemm_library", options.layout);
  row.library_detailed_us = machine.us_of_ticks(
      detailed(library, find_kernel("gemm_library").default_config(library, machine), machine)
          .ticks);
  row.bound = bound_of(problem, machine);
  row.ratio = row.bound.bound_us / row.detailed_us;
  const double seconds = row.detailed_us * 1e-6;
  row.mfu = mfu_of(row.linear, row.m, row.detailed_us, machine);
  row.mbu = least_bytes(problem) / seconds / (machine.hbm.gb_per_s * 1e9);
  return row;
}

/// How an entry of a table compares with its bound.
struct EntryRatio {
  int64_t m = 0;
  double ratio = 0;
  Breakdown::Entry wait;  ///< the longest, where the ratio is not enough
};

std::vector<EntryRatio> entry_ratios(const GemmExperimentOptions& options,
                                     const std::vector<LinearTimes>& times, const Machine& machine,
                                     const ExperimentHooks& hooks) {
  std::vector<std::vector<EntryRatio>> of_linear(times.size());
  const auto work = [&](size_t i) {
    for (const TunedRows& entry : times[i].table) {
      const Problem problem = linear_problem(times[i].linear, entry.m, "gemm", options.layout);
      EntryRatio& ratio = of_linear[i].emplace_back();
      ratio.m = entry.m;
      ratio.ratio = bound_of(problem, machine).bound_us / entry.time_us;
      if (ratio.ratio >= kEnoughOfBound) continue;
      const Launch launch = find_kernel("gemm").build(problem, entry.config, machine);
      ratio.wait = longest_wait(time_launch(launch, machine, Fidelity::kAuto).engine);
    }
  };
  const auto done = [&](size_t i) {
    if (hooks.progress) hooks.progress("bounds", i + 1, times.size());
  };
  parallel_in_order(times.size(), hooks.jobs, work, done, [] { return false; });
  std::vector<EntryRatio> all;
  for (const auto& list : of_linear) all.insert(all.end(), list.begin(), list.end());
  return all;
}

BoundRatios bound_ratios(const std::vector<EntryRatio>& entries) {
  std::vector<double> ratios;
  for (const EntryRatio& entry : entries) ratios.push_back(entry.ratio);
  std::ranges::sort(ratios);
  BoundRatios bounds;
  bounds.entries = std::ssize(ratios);
  bounds.enough = ratios.end() - std::ranges::lower_bound(ratios, kEnoughOfBound);
  bounds.least = ratios.empty() ? 0 : ratios.front();
  bounds.median = percentile(ratios, 50);
  return bounds;
}

std::vector<Shortfall> shortfalls_of(const std::vector<EntryRatio>& entries) {
  std::vector<Shortfall> list;
  for (const EntryRatio& entry : entries) {
    if (entry.ratio >= kEnoughOfBound) continue;
    auto found = std::ranges::find(list, entry.wait.cause, &Shortfall::cause);
    if (found == list.end()) found = list.insert(list.end(), {entry.wait.cause, 0, 0});
    ++found->entries;
    found->share += entry.wait.share;
  }
  for (Shortfall& each : list) each.share /= static_cast<double>(each.entries);
  std::ranges::stable_sort(list, std::greater<>(), &Shortfall::entries);
  return list;
}

RowBand band_of(const GemmExperimentOptions& options, const std::vector<LinearTimes>& times,
                const Machine& machine, int64_t first, int64_t last) {
  RowBand band{first, last};
  std::vector<double> smooth, library;
  for (const LinearTimes& each : times) {
    for (size_t i = 0; i < options.rows.size(); ++i) {
      const int64_t m = options.rows[i];
      if (m < first || m > last) continue;
      smooth.push_back(each.smooth_us[i]);
      library.push_back(each.library_us[i]);
      band.mfu += mfu_of(each.linear, m, smooth.back(), machine);
      band.library_mfu += mfu_of(each.linear, m, library.back(), machine);
    }
  }
  const auto count = static_cast<double>(std::max<size_t>(1, smooth.size()));
  band.mfu /= count;
  band.library_mfu /= count;
  band.gain = mean_gain(library, smooth);
  return band;
}

/// A row's entry of the table is in the same band, as bands end at multiples of kRowMultiple.
std::vector<RowBand> bands_of(const GemmExperimentOptions& options,
                              const std::vector<LinearTimes>& times,
                              const std::vector<EntryRatio>& entries, const Machine& machine) {
  std::vector<RowBand> bands;
  int64_t first = 1;
  for (const int64_t last : {16, 64, 256, 512, 1024, 2048, 4096}) {
    RowBand band = band_of(options, times, machine, first, last);
    for (const EntryRatio& entry : entries) {
      if (entry.m < first || entry.m > last) continue;
      ++band.entries;
      band.enough += entry.ratio >= kEnoughOfBound;
    }
    first = last + 1;
    if (band.entries > 0) bands.push_back(band);
  }
  return bands;
}

/// All times of one kind, of rows from `least` on.
std::vector<double> collect(const GemmExperimentOptions& options,
                            const std::vector<LinearTimes>& times,
                            std::vector<double> LinearTimes::*kind, int64_t least) {
  std::vector<double> all;
  for (const LinearTimes& each : times) {
    for (size_t i = 0; i < options.rows.size(); ++i) {
      if (options.rows[i] >= least) all.push_back((each.*kind)[i]);
    }
  }
  return all;
}

std::vector<double> collect(const std::vector<GemmRow>& rows, double GemmRow::*kind) {
  std::vector<double> all;
  for (const GemmRow& row : rows) all.push_back(row.*kind);
  return all;
}

std::vector<GemmRow> close_rows(const GemmExperimentOptions& options,
                                const std::vector<LinearTimes>& times, const Machine& machine,
                                const ExperimentHooks& hooks) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < options.rows.size(); ++i) {
    const bool is_power = std::has_single_bit(static_cast<uint64_t>(options.rows[i]));
    if (is_power || i + 1 == options.rows.size()) chosen.push_back(i);
  }
  std::vector<GemmRow> rows(times.size() * chosen.size());
  const auto work = [&](size_t i) {
    rows[i] = row_of(options, times[i / chosen.size()], chosen[i % chosen.size()], machine);
  };
  const auto done = [&](size_t i) {
    if (hooks.progress) hooks.progress("detailed timing of a sample", i + 1, rows.size());
  };
  parallel_in_order(rows.size(), hooks.jobs, work, done, [] { return false; });
  return rows;
}

}  // namespace

double mean_gain(std::span<const double> baseline_us, std::span<const double> us) {
  TW_CHECK(baseline_us.size() == us.size(), "each time has its baseline");
  if (us.empty()) return 0;
  double sum = 0;
  for (size_t i = 0; i < us.size(); ++i) sum += std::log(baseline_us[i] / us[i]);
  return std::exp(sum / static_cast<double>(us.size())) - 1;
}

Breakdown::Entry longest_wait(const Breakdown& engine) {
  for (const Breakdown::Entry& entry : engine.entries()) {
    if (!entry.cause.starts_with("busy")) return entry;
  }
  return {};
}

TileEdges tile_edges(const std::vector<int64_t>& rows, const LinearTimes& times) {
  TileEdges edges;
  for (size_t i = 1; i < rows.size(); ++i) {
    const int64_t whole = rows[i - 1];
    const int64_t tile = times.entry(whole).config.at("tile_m");
    if (rows[i] != whole + 1 || whole % tile != 0) continue;
    const auto tiles = static_cast<double>(whole / tile);
    const double before = times.smooth_us[i - 1] / static_cast<double>(whole);
    const double after = times.smooth_us[i] / static_cast<double>(rows[i]);
    const double rise = (after / before - 1) * tiles;
    ++edges.edges;
    edges.held += rise <= 1;
    edges.worst_rise = edges.edges == 1 ? rise : std::max(edges.worst_rise, rise);
  }
  return edges;
}

GemmSummary summarise(const GemmExperimentOptions& options, const std::vector<LinearTimes>& times,
                      const Machine& machine, const ExperimentHooks& hooks) {
  GemmSummary summary;
  const auto gain = [&](std::vector<double> LinearTimes::*baseline, int64_t least) {
    return mean_gain(collect(options, times, baseline, least),
                     collect(options, times, &LinearTimes::smooth_us, least));
  };
  summary.gain = gain(&LinearTimes::library_us, 1);
  summary.gain_from_256 = gain(&LinearTimes::library_us, kLargeRows);
  summary.gain_over_padded = gain(&LinearTimes::padded_us, 1);
  const std::vector<EntryRatio> entries = entry_ratios(options, times, machine, hooks);
  summary.bounds = bound_ratios(entries);
  summary.bands = bands_of(options, times, entries, machine);
  summary.shortfalls = shortfalls_of(entries);
  for (const LinearTimes& each : times) {
    const TileEdges edges = tile_edges(options.rows, each);
    if (edges.edges == 0) continue;
    summary.edges.worst_rise = summary.edges.edges == 0
                                   ? edges.worst_rise
                                   : std::max(summary.edges.worst_rise, edges.worst_rise);
    summary.edges.edges += edges.edges;
    summary.edges.held += edges.held;
  }
  summary.rows = close_rows(options, times, machine, hooks);
  summary.rows_gain = mean_gain(collect(summary.rows, &GemmRow::library_us),
                                collect(summary.rows, &GemmRow::smooth_us));
  summary.rows_gain_detailed = mean_gain(collect(summary.rows, &GemmRow::library_detailed_us),
                                         collect(summary.rows, &GemmRow::detailed_us));
  return summary;
}

}  // namespace tilewright
