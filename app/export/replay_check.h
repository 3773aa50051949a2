#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/cli/replay_report.h"
#include "core/plan/plan.h"
#include "core/serving/metrics.h"
#include "db/store.h"
#include "tuner/session/plan_checks.h"

namespace tilewright {

/// Which traffic shows what a plan is worth.
struct ReplayTraffic {
  std::vector<std::string> words;  ///< of a command line "replay MODEL --workload ..."
  std::string told;                ///< "qwen2-7b, chat"
  bool is_own = false;             ///< the run was tuned for it
};

/// The traffic that a run was tuned for, with the options of its command line; for a run of no
/// model the preset `chat` on the model that ships with the most of the plan's matrices. Error (not
/// found) when no model has any, (usage) for a command line that is not understood.
ReplayTraffic traffic_of(const Run& run, const Plan& plan);

/// Some traffic served with a plan and without.
struct ReplayedPlan {
  PlanCheck check;
  ServingMetrics with;
  ServingMetrics without;
  std::vector<Gain> gains;  ///< of the plan; empty when it was not run
};

/// Serves the traffic of a run twice in virtual time and keeps nothing. The check fails where the
/// plan makes the run's own traffic slower on the whole: mean end-to-end latency up, or throughput
/// down, by more than a percent. `progress` goes on to 1; ended by `stop` it is not run.
ReplayedPlan check_replay(const Run& run, const Plan& plan, const std::string& db,
                          const CheckProgress& progress, const std::function<bool()>& stop);

}  // namespace tilewright
