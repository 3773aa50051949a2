#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine/machine.h"
#include "db/store.h"
#include "tuner/session/winner_list.h"

namespace tilewright {

/// A tuning run with what can be exported of it.
struct ExportSource {
  Run run;
  std::vector<ListedWinner> winners;
  /// As it was described when it was tuned for; nothing where this program knows no such machine.
  std::optional<Machine> machine;

  /// The winners at those places.
  std::vector<Winner> selected(const std::vector<size_t>& places) const;
};

/// Reads a tuning run. Error (not found) when there is no such run, (usage) for one of another
/// kind.
ExportSource load_export_source(Store& store, int64_t run);

/// The machine of a run as it was described then; nothing for something that is no simulated
/// machine, or is described by other parameters than this program knows.
std::optional<Machine> machine_of_run(Store& store, const Run& run);

/// What this program says is current.
PlanCurrency current_currency();

/// The newest tuning with winners; of none has any, the newest. Error (not found) when there is no
/// tuning.
Run latest_tuning(Store& store);

/// The formats of `tilewright export`: "plan", "t4", "csv", "catlass", "vllm-moe".
const std::vector<std::string>& export_formats();
/// Those of them that can hold what a tuning run found.
std::vector<std::string> formats_of(const ExportSource& source);

}  // namespace tilewright
