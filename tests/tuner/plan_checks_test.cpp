// What is said of a plan that is another one when it is read back.

#include "tuner/session/plan_checks.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

Plan some_plan() {
  Plan plan;
  plan.machine_name = "small";
  plan.model = "qwen2-7b";
  PlanTable table;
  table.kernel = "gemm";
  table.n = 3584;
  table.k = 512;
  PlanRange range;
  range.m_max = 16;
  range.config.values = {{"tile_m", 16}};
  range.time_us = 2.5;
  table.ranges = {range};
  plan.tables = {table};
  plan.provenance = {{7, "2026-01-02", "tilewright"}};
  return plan;
}

TEST(PlanDifference, NamesTheFirstWithItsPlaceAndBothValues) {
  const Plan plan = some_plan();
  EXPECT_EQ(plan_difference(plan, plan), "");
  Plan other = plan;
  other.tables[0].ranges[0].config.values = {{"tile_m", 32}};
  EXPECT_EQ(plan_difference(plan, other),
            "gemm f16 n=3584 k=512: m=1..16, config 'tile_m=16' is read as 'tile_m=32'");
  other.provenance[0].date = "2026-01-03";
  EXPECT_EQ(
      plan_difference(plan, other),
      "gemm f16 n=3584 k=512: m=1..16, config 'tile_m=16' is read as 'tile_m=32', and 1 more");
  other.model = "a\x1b";
  EXPECT_TRUE(plan_difference(plan, other).starts_with("the model 'qwen2-7b' is read as 'a?'"))
      << plan_difference(plan, other);
  Plan serving = plan;
  serving.serving = {{"max_num_seqs", 8}};
  EXPECT_EQ(plan_difference(plan, serving), "its serving options");
}

}  // namespace
}  // namespace tilewright
