#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/database.h"

namespace tilewright {

/// What a fusion plan of a region depends on.
struct FusionPlanKey {
  std::string graph;     ///< hash of the region: ops, shapes, types and who reads whom
  std::string planner;   ///< its name
  std::string revision;  ///< of planners, code generation and timing
  std::string machine;   ///< fingerprint of a machine saved before
  std::string settings;  ///< canonical text of the options
};

/// The plan that was kept for the key: JSON of tuner/fusion/plan_cache.h.
std::optional<std::string> find_fusion_plan(Database& database, const FusionPlanKey& key);

/// Keeps a plan in the place of one with the same key, or with another revision of it.
void save_fusion_plan(Database& database, const FusionPlanKey& key, std::string_view plan);

}  // namespace tilewright
