#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "tuner/calibrate/measured_points.h"

namespace tilewright {

/// How a measured metric is compared with a counter of the simulator.
struct MetricRule {
  std::string metric;
  std::string unit;
  std::string counter;       ///< a profiler counter, or "time"
  double scale = 1;          ///< measured value to us, or to a fraction
  double counter_scale = 1;  ///< counter to a fraction

  bool is_time() const { return counter == "time"; }
};

/// In what state L2 is when the measured launch begins.
enum class RunCondition {
  kCold,      ///< nothing of the launch's tensors is there
  kRepeated,  ///< the same launch ran just before
};

/// What to simulate for a row. Values of `config` are of the kernel's parameters; the rest is the
/// kernel's default.
struct RunRule {
  std::string kernel;
  std::map<std::string, std::string> sizes;  ///< expressions: "M", "B*S", "S1-S0", "4"
  std::string dtype;
  std::string out_dtype;
  std::string layout;
  std::string mask;
  std::map<std::string, std::string> config;  ///< expressions
  std::map<std::string, std::string> prefer;  ///< as config, left out where it does not fit
  RunCondition condition = RunCondition::kCold;
};

/// Looks for a text like "base tile {m}x{n}" in a row and, when it is there, puts `change` over
/// the run; names in braces are numbers that expressions may use.
struct ReadRule {
  std::string match;
  RunRule change;
};

/// A rule for rows whose fields fit the patterns ('*': any text; case does not matter). Either a
/// reason why such rows are not simulated, or a run.
struct RowRule {
  std::string hardware, kernel, params, note;
  std::string reason;
  RunRule run;
  std::vector<ReadRule> reads;
};

struct RowRules {
  std::vector<MetricRule> metrics;
  std::vector<RowRule> rules;
};

/// Reads a table of rules (docs/formats.md, "Rows of measurements"). Error (failed) with the key's
/// path.
RowRules parse_row_rules(std::string_view text, const std::string& where);

/// The table that ships in the binary: tuner/calibrate/measured_rows.json.
const RowRules& row_rules();

/// A row as something to simulate.
struct MeasuredRun {
  Problem problem;
  Config config;
  RunCondition condition = RunCondition::kCold;
  int64_t cores = 0;       ///< cube cores
  size_t measured_as = 0;  ///< of the machine
  MetricRule metric;
};

/// What to simulate for a row on a machine, by the first rule that fits; Error (any kind) with the
/// reason when it cannot be simulated.
MeasuredRun plan_row(const MeasuredPoint& point, const RowRules& rules, const Machine& machine);

/// Whether the whole of `text` fits a pattern in which '*' stands for any text; without case.
bool fits_pattern(std::string_view text, std::string_view pattern);

/// The numbers of "{name}" parts where `match` occurs first in `text`, without case; nothing when
/// it does not occur.
std::optional<std::map<std::string, int64_t>> find_numbers(std::string_view text,
                                                           std::string_view match);

/// The machine with another number of cube cores.
Machine with_cores(const Machine& machine, int64_t cores);

}  // namespace tilewright
