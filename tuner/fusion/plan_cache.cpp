#include "tuner/fusion/plan_cache.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"

namespace tilewright {

namespace {

constexpr double kMostUs = 1e15;
constexpr int64_t kMostBytes = int64_t{1} << 50;

std::vector<std::string> list_of(const FusionPlanKey& key) {
  return {key.graph, key.planner, key.machine, key.settings, key.revision};
}

Json json_of(const RegionCost::Known& known) {
  const KernelFigures& figures = known.figures;
  Json json = {{"us", figures.estimated_us},          {"barriers", figures.barriers},
               {"ub", figures.peak_ub_bytes},         {"workspace", figures.workspace_bytes},
               {"read", figures.read_bytes},          {"write", figures.write_bytes},
               {"was_simulated", known.was_simulated}};
  if (known.simulated_us) json["simulated_us"] = *known.simulated_us;
  return json;
}

RegionCost::Known known_of(const JsonReader& json) {
  RegionCost::Known known;
  KernelFigures& figures = known.figures;
  figures.estimated_us = json.at("us").number(0, kMostUs);
  figures.barriers =
      static_cast<int>(json.at("barriers").integer(0, std::numeric_limits<int>::max()));
  figures.peak_ub_bytes = json.at("ub").integer(0, kMostBytes);
  figures.workspace_bytes = json.at("workspace").integer(0, kMostBytes);
  figures.read_bytes = json.at("read").integer(0, kMostBytes);
  figures.write_bytes = json.at("write").integer(0, kMostBytes);
  known.was_simulated = json.at("was_simulated").boolean();
  if (json.has("simulated_us")) known.simulated_us = json.at("simulated_us").number(0, kMostUs);
  return known;
}

/// Ops, ascending. A reader for each of them would take longer than the planning that is saved.
std::vector<int32_t> ops_of(const JsonReader& json) {
  std::vector<int32_t> ops;
  for (const Json& op : json.raw()) {
    const bool is_op = op.is_number_unsigned() &&
                       op.get<uint64_t>() <= std::numeric_limits<int32_t>::max() &&
                       (ops.empty() || op.get<int32_t>() > ops.back());
    if (!is_op) json.fail("not a list of ascending ops");
    ops.push_back(op.get<int32_t>());
  }
  return ops;
}

}  // namespace

std::string text_of(const KeptPlan& plan) {
  Json kernels = Json::array();
  for (size_t i = 0; i < plan.planned.plan.kernels.size(); ++i) {
    const FusedOps& kernel = plan.planned.plan.kernels[i];
    kernels.push_back(
        {{"ops", kernel.ops}, {"outputs", kernel.outputs}, {"known", json_of(plan.known[i])}});
  }
  Json json = {{"candidates", plan.planned.candidates}, {"note", plan.planned.note}};
  if (plan.planned.bound_us) json["bound_us"] = *plan.planned.bound_us;
  json["kernels"] = std::move(kernels);
  return json.dump();
}

KeptPlan parse_kept_plan(const std::string& text) {
  const Json document = parse_json(text, "a kept fusion plan");
  const JsonReader json(document, "a kept fusion plan");
  KeptPlan kept;
  kept.planned.candidates = json.at("candidates").integer(0, kMostBytes);
  kept.planned.note = json.at("note").string();
  if (json.has("bound_us")) kept.planned.bound_us = json.at("bound_us").number(0, kMostUs);
  for (const JsonReader& kernel : json.at("kernels").items()) {
    kept.planned.plan.kernels.push_back({ops_of(kernel.at("ops")), ops_of(kernel.at("outputs"))});
    kept.known.push_back(known_of(kernel.at("known")));
  }
  return kept;
}

std::optional<KeptPlan> PlanCache::find(const FusionPlanKey& key) {
  if (const auto known = plans_.find(list_of(key)); known != plans_.end()) return known->second;
  const std::optional<std::string> text = stored(key);
  if (!text) return std::nullopt;
  try {
    return plans_.insert_or_assign(list_of(key), parse_kept_plan(*text)).first->second;
  } catch (const Error&) {
    // A row that somebody changed is as good as none: the plan is made again, and kept.
    return std::nullopt;
  }
}

void PlanCache::keep(const FusionPlanKey& key, const KeptPlan& plan) {
  plans_.insert_or_assign(list_of(key), plan);
  if (!database_) return;
  try {
    save_fusion_plan(*database_, key, text_of(plan));
  } catch (const Error& error) {
    give_up(error.message());
  }
}

std::optional<std::string> PlanCache::stored(const FusionPlanKey& key) {
  if (!database_) return std::nullopt;
  try {
    return find_fusion_plan(*database_, key);
  } catch (const Error& error) {
    give_up(error.message());
    return std::nullopt;
  }
}

void PlanCache::give_up(const std::string& why) {
  failure_ = why;
  database_ = nullptr;
}

}  // namespace tilewright
