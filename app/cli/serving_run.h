#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/cli/context.h"
#include "app/cli/replay_report.h"
#include "app/cli/serving_setup.h"
#include "core/serving/engine.h"
#include "db/store.h"

namespace tilewright {

/// A serving run from its setup to its row in the database: what `replay` does, for whoever shows
/// it.

/// Label of a replay that has no plan.
constexpr const char* kNoPlan = "none";

/// The limits of --slo; none without it. Error (usage).
Slo read_slo(const Arguments& arguments);

/// Serves the workload with the replay's plan and measures it. `callbacks` may stop it; the steps
/// of --audit are then left out. Error as ModelExecutor and serve(), naming the plan.
void serve_replay(const ServingSetup& setup, const MetricsOptions& measured,
                  const ServingCallbacks& callbacks, Replay& replay);

/// The row of a replay that begins.
std::unique_ptr<RunRecord> begin_replay(const Context& context, Store& store,
                                        const ServingSetup& setup, const Replay& replay);

/// Keeps what a replay came to: its result, its log, and the GEMMs that it asked for.
void keep_replay(Store& store, RunRecord& record, const ServingSetup& setup, const Replay& replay);

/// What somebody who looks at the runs should know: lengths beyond the model's, requests that were
/// rejected and why.
std::vector<std::string> notes_on(const std::vector<Replay>& replays, const ServingSetup& setup);

}  // namespace tilewright
