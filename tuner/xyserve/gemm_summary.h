#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/timeline/breakdown.h"
#include "kernels/gemm/gemm_bound.h"
#include "tuner/xyserve/gemm_experiment.h"

namespace tilewright {

/// Geometric mean of baseline time / time, minus 1; 0 of nothing.
double mean_gain(std::span<const double> baseline_us, std::span<const double> us);

/// How tuned times compare with what the machine's limits allow, over the entries of all tables.
struct BoundRatios {
  int64_t entries = 0;
  int64_t enough = 0;  ///< with at least kEnoughOfBound
  double least = 0;
  double median = 0;
};
constexpr double kEnoughOfBound = 0.85;

/// A range of rows: how the curve of MFU runs.
struct RowBand {
  int64_t first = 0, last = 0;
  double gain = 0;         ///< over gemm_library
  double mfu = 0;          ///< mean over the rows and linears
  double library_mfu = 0;  ///< of gemm_library
  int64_t entries = 0;     ///< of the tables
  int64_t enough = 0;      ///< of these with at least kEnoughOfBound
};

/// What the cube waited for longest in those entries of the tables that miss kEnoughOfBound.
struct Shortfall {
  std::string cause;
  int64_t entries = 0;
  double share = 0;  ///< of their time, mean
};

/// How the time per row changes from a whole number of tiles to one row more: by no more than
/// 1 / tiles where virtual padding does its work, as the last tile is nearly empty.
struct TileEdges {
  int64_t edges = 0;
  int64_t held = 0;       ///< that rise by at most 1 / tiles
  double worst_rise = 0;  ///< rise x tiles, the largest
};

/// One number of rows of one linear, looked at closely.
struct GemmRow {
  Linear linear;
  int64_t m = 0;
  Config config;
  double smooth_us = 0, library_us = 0, padded_us = 0;
  double detailed_us = 0;          ///< SmoothGEMM, timed in detail
  double library_detailed_us = 0;  ///< gemm_library, timed in detail
  GemmBound bound;
  double ratio = 0;  ///< bound / detailed_us
  double mfu = 0;    ///< of detailed_us
  double mbu = 0;    ///< bytes of A, B and C, each once, over detailed_us
  Breakdown engine;  ///< of detailed_us: what the cube waited for
};

/// Results of the whole experiment.
struct GemmSummary {
  double gain = 0;              ///< over gemm_library
  double gain_from_256 = 0;     ///< the same over m >= 256 only
  double gain_over_padded = 0;  ///< over gemm_padded
  BoundRatios bounds;
  std::vector<RowBand> bands;         ///< ascending; those that have rows
  std::vector<Shortfall> shortfalls;  ///< the most frequent first
  TileEdges edges;
  std::vector<GemmRow> rows;
  /// Gain over gemm_library of `rows`, in detailed timing and in that of the experiment.
  double rows_gain_detailed = 0;
  double rows_gain = 0;
};

/// The longest cause of a breakdown that is not work of an engine; its cause is empty where there
/// is none.
Breakdown::Entry longest_wait(const Breakdown& engine);

/// Summarises an experiment. Times are in the order of the options' rows. Rows are looked at
/// closely where m is a power of two or the last one.
GemmSummary summarise(const GemmExperimentOptions& options, const std::vector<LinearTimes>& times,
                      const Machine& machine, const ExperimentHooks& hooks);

/// Edges of one linear: m one past a multiple of the tile of the entry for m - 1, both timed.
TileEdges tile_edges(const std::vector<int64_t>& rows, const LinearTimes& times);

}  // namespace tilewright
