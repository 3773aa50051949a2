#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/serving/engine.h"
#include "db/store.h"

namespace tilewright {

/// What the database keeps of a serving run beside its result: everything that its measures were
/// computed from.
struct ServingRecord {
  std::vector<RequestRecord> requests;  ///< in the order of the workload, without output_ids
  std::vector<int64_t> step_end_ns;     ///< of every step
  std::vector<StepRecord> steps;        ///< their work is that of whole FLOPs and bytes a step
  std::vector<StepEvent> events;
  std::vector<std::string> ops;  ///< whose times are StepRecord::op_ns
};

/// The log of a run as tables of the database (docs/database.md, "Log of a serving run").
std::vector<LogTable> log_tables(const ServingResult& result);

/// The log of a run; nothing when none was kept, as of a run without steps or of an older program.
/// Error (failed) when what is stored is damaged or makes no sense.
std::optional<ServingRecord> read_serving_record(Store& store, int64_t run_id);

/// Time of one step on the device, a mean where the record is of several.
double step_ns(const StepRecord& record);

/// Share of the steps' time on the device in which it waited for the host; 0 without any time.
double idle_share(const StepRecord& record);

/// Mean of idle_share() over steps, each counting the same.
double mean_idle_share(std::span<const StepRecord> records);

}  // namespace tilewright
