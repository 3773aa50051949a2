#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/options.h"
#include "tuner/session/session.h"
#include "tuner/session/space_limits.h"

namespace tilewright {

/// --budget, as far as it was given.
struct TuneBudget {
  std::optional<int64_t> evaluations;  ///< of each problem
  double seconds = 0;                  ///< of the session; 0: no limit
  double gain = 0;                     ///< fraction that is not worth going on; 0: go on
};

/// The text of --budget with the name of a number that has none: "24" is "evaluations=24".
std::string named_budget(std::string_view text);

/// "evaluations=N,seconds=S,gain=PERCENT", or N alone. Error (usage).
TuneBudget read_budget(const Arguments& arguments);

/// --pin, --ban and --constraint. Error (usage) for malformed pairs; names and values are checked
/// against a space later.
SpaceLimits read_limits(const Arguments& arguments);

/// --within: 0, or at least 1. Error (usage).
double read_within(const Arguments& arguments);

/// How configs are timed by the simulator.
enum class TuneFidelity { kDetailed, kComposed, kLadder };
/// --fidelity; Error (usage).
TuneFidelity read_tune_fidelity(const Arguments& arguments);

/// --regret in percent as a fraction.
double read_regret(const Arguments& arguments);

/// --batch.
size_t read_batch(const Arguments& arguments);

/// Refuses what is wrong whatever the target is, before any work is put into that. Error (usage).
void check_tune_arguments(const Arguments& arguments);

/// A range of one size in --shape: "m=1..4096,n=64", or the values "m=1|16|64,n=64".
struct SizeRange {
  std::string size;
  int64_t min = 0;
  int64_t max = 0;
  std::vector<int64_t> values;  ///< given one by one; empty: all within [min, max]
};

/// The range in --shape, where there is one; Error (usage) for a malformed one, for several, and
/// for a range of another size than m.
std::optional<SizeRange> read_size_range(const Arguments& arguments);

/// --shape with the range's size at `value`.
std::string shape_with(const Arguments& arguments, const SizeRange& range, int64_t value);

/// What `tune` has beyond what makes its target.
std::vector<Option> tune_options_list();

}  // namespace tilewright
