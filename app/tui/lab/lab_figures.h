#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/lab/kernel_outcome.h"
#include "core/timeline/breakdown.h"

namespace tilewright {

/// parts[i] * numerator / denominator, rounded so that the results sum to that of the sum, whose
/// fraction is cut off. The denominator is positive; parts may be negative. Remainders go to the
/// largest fractions, first ones first.
std::vector<int64_t> rounded_parts(std::span<const int64_t> parts, int64_t numerator,
                                   int64_t denominator);

/// A cause with its printed share: tenths of a percent, which sum to 1000.
struct ShareRow {
  Cause cause = Cause::launch();
  int64_t ticks = 0;
  int64_t tenths = 0;
};
/// The causes that have time, longest first.
std::vector<ShareRow> share_rows(const Breakdown& breakdown);

/// "73.5 %" of tenths of a percent.
std::string tenths_text(int64_t tenths);
/// "+1,234": a change.
std::string signed_count(int64_t value);
/// "-6.1 %", "+0.4 %": how much longer `after` takes, or "=" where it is the same.
std::string change_percent(double before, double after);
/// Whether the times of both can be compared: equal problems, with all types and layouts.
bool are_comparable(const KernelOutcome& a, const KernelOutcome& b);
/// "busy CUBE", "wait for data of MTE2", "HBM": a cause in words.
std::string words_of(Cause cause);

/// One cause before and after. Cycles and changes sum to those of the whole runs.
struct DiffRow {
  Cause cause = Cause::launch();
  int64_t before_tenths = 0;
  int64_t after_tenths = 0;
  int64_t before_cycles = 0;
  int64_t after_cycles = 0;
  int64_t change() const { return after_cycles - before_cycles; }
};

/// A parameter or size that differs.
struct DiffValue {
  std::string name;
  std::string before;
  std::string after;
};

/// Two runs beside each other.
struct RunDiff {
  std::vector<DiffValue> values;
  std::vector<DiffRow> causes;  ///< largest change first
  int64_t before_cycles = 0;    ///< sums of the rows
  int64_t after_cycles = 0;
};
RunDiff diff_of(const KernelOutcome& before, const KernelOutcome& after);

/// Busy share of a pipe: mean, least and most over the cores of a kind that worked.
struct PipeUse {
  CoreKind kind = CoreKind::kAic;
  Pipe pipe = Pipe::kScalar;
  double mean = 0;
  double least = 0;
  double most = 0;
};
std::vector<PipeUse> pipe_uses(const KernelOutcome& outcome);

/// Bytes per second that went over a part of the shared memory, and what it could move.
struct MemoryRate {
  std::string_view name;  ///< "HBM rd", ...
  double bytes_per_s = 0;
  double peak = 0;
};
std::vector<MemoryRate> memory_rates(const KernelOutcome& outcome);
double l2_bytes_per_s(const Machine& machine);
double hbm_bytes_per_s(const Machine& machine);

/// Operations per byte that come over HBM and over L2; 0 where none do.
double hbm_intensity(const KernelOutcome& outcome);
double l2_intensity(const KernelOutcome& outcome);

/// "128/256/256 2.1": the values of a config, short.
std::string short_config(const Config& config);
/// "tile m=128 n=256 k=256 k0=64 l1=2 l0c=1 swizzle=1": with their names, in one row of 80 columns.
std::string named_config(const Config& config);
/// "m=1000 n=4096 k=4096".
std::string short_problem(const Problem& problem);

/// "353.9 T", "4.0 k": a number with the prefix of its magnitude.
std::string magnitude_text(double value);
/// "1.6 TB/s".
std::string rate_text(double bytes_per_s);
/// "FLOP", or "OP" of integers.
std::string_view operation_of(const KernelOutcome& outcome);
/// "353.9 TFLOPS", "565.0 TOPS": a speed of what the outcome computes with.
std::string speed_text(const KernelOutcome& outcome, double per_s);

/// "38.8 us, 69,840 cycles, 73.5 % of the cube's peak", or of the HBM's where no cube worked.
std::string result_text(const KernelOutcome& outcome);
/// Share of the cube's peak, or of the HBM's rate where no cube worked, and its name.
double peak_share(const KernelOutcome& outcome);
std::string_view peak_name(const KernelOutcome& outcome);

}  // namespace tilewright
