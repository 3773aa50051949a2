#include "db/fusion_plans.h"

namespace tilewright {

std::optional<std::string> find_fusion_plan(Database& database, const FusionPlanKey& key) {
  Statement& row = database.cached(
      "SELECT plan FROM fusion_plan WHERE graph = ?1 AND planner = ?2 AND machine = ?3 "
      "AND settings = ?4 AND revision = ?5");
  const Pending pending(row);
  row.bind(1, key.graph).bind(2, key.planner).bind(3, key.machine).bind(4, key.settings);
  row.bind(5, key.revision);
  if (!row.step()) return std::nullopt;
  return row.text(0);
}

void save_fusion_plan(Database& database, const FusionPlanKey& key, std::string_view plan) {
  Statement& row = database.cached(
      "INSERT INTO fusion_plan (graph, planner, machine, settings, revision, plan) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET revision = excluded.revision, "
      "plan = excluded.plan");
  row.bind(1, key.graph).bind(2, key.planner).bind(3, key.machine).bind(4, key.settings);
  row.bind(5, key.revision).bind(6, plan);
  row.run();
}

}  // namespace tilewright
