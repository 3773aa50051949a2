#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/fusion_plans.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

/// A plan as it is kept, with what was known of its kernels.
struct KeptPlan {
  PlannedRegion planned = {};
  std::vector<RegionCost::Known> known = {};  ///< of each kernel of the plan
};

/// Plans that were made before: in memory, and where there is a database in that, too. A database
/// that fails is left alone from then on: plans are made again. Used by one thread at a time.
class PlanCache {
 public:
  /// The database, if any, must outlive the cache and know the machines of the keys.
  explicit PlanCache(Database* database = nullptr) : database_(database) {}

  /// Nothing for a plan that was never kept, or whose row cannot be read.
  std::optional<KeptPlan> find(const FusionPlanKey& key);
  void keep(const FusionPlanKey& key, const KeptPlan& plan);
  /// Why the database is used no more; empty while it is, or there was none.
  const std::string& failure() const { return failure_; }

 private:
  std::optional<std::string> stored(const FusionPlanKey& key);
  void give_up(const std::string& why);

  Database* database_;
  std::string failure_;
  std::map<std::vector<std::string>, KeptPlan> plans_;
};

/// The JSON text of a plan, and the plan of a text; Error where that is none.
std::string text_of(const KeptPlan& plan);
KeptPlan parse_kept_plan(const std::string& text);

}  // namespace tilewright
