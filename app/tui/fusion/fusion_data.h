#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/tui/fusion/fusion_request.h"
#include "core/base/format.h"
#include "tuner/fusion/fusion_study.h"

namespace tilewright {

/// A graph that is planned. It and the studies' regions never change, so that the interface reads
/// them without locks; each study's costs belong to the jobs of one lane.
struct FusionProgram {
  FusionRequest request;
  OpGraph graph;
  FusionStudy planning;  ///< of PlanFusionJob
  FusionStudy asking;    ///< of AskFusionJob

  FusionProgram(FusionRequest what, OpGraph flat)
      : request(std::move(what)),
        graph(std::move(flat)),
        planning(graph, request.machine->machine, request.launch_us, request.fuses_gemms),
        asking(graph, request.machine->machine, request.launch_us, request.fuses_gemms) {}

  const FusionGraph& region(size_t place) const { return asking.graph(place); }
};

/// A plan as it is shown. Never changed after the worker made it.
struct FusionVariant {
  std::string name;  ///< of the planner, kEditedPlan or kSearchedPlan
  GraphPlan plan;
  PlanCosts costs;
  PlanSummary summary;
  std::vector<std::vector<FusionUnit>> units;  ///< by region, in an order in which they may run
  std::vector<PlanOptions> constraints;        ///< by region: what edits ask of a search
};
inline constexpr const char* kEditedPlan = "edited";
inline constexpr const char* kSearchedPlan = "search";

/// Plans of a program; while more of them are made, those that are there.
struct FusionPlans {
  std::shared_ptr<FusionProgram> program;                   // the interface shows it meanwhile
  std::vector<std::shared_ptr<const FusionVariant>> plans;  // shown as they are
};

/// "1 launch", "12 launches".
inline std::string launches_text(int64_t count) {
  return format_count(count) + (count == 1 ? " launch" : " launches");
}

/// What there is to say to a FusionAsk.
struct FusionAnswer {
  FusionAsk to;
  std::string of;  ///< name of the plan
  std::string text;
  bool is_refused = false;
  std::shared_ptr<const FusionVariant> plan;  ///< changed or timed; null: as it was
};

}  // namespace tilewright
