#include "core/base/error.h"
#include "db/store.h"
#include "tests/temp_folder.h"
#include "tests/tuner/fusion_fixture.h"
#include "tuner/fusion/fusion_study.h"

namespace tilewright {
namespace {

const std::string kSoftmax = module_with_functions(R"(x = f32[96,160]{1,0} parameter(0)
zero = f32[] constant(0)
e.1 = f32[96,160]{1,0} exponential(x)
s = f32[96]{0} reduce(e.1, zero), dimensions={1}, to_apply=sum
ss = f32[96,160]{1,0} broadcast(s), dimensions={0}
ROOT p = f32[96,160]{1,0} divide(e.1, ss))");

class FusionCacheTest : public testing::Test {
 protected:
  FusionCacheTest() : machine_(load_machine("ascend-910b2")) {}

  Store open() {
    Store store = Store::open(folder_.path() + "/plans.db", OpenMode::kReadWrite);
    store.save_machine(machine_.name, machine_.fingerprint(), machine_json(machine_));
    return store;
  }
  /// The plan as another process would get it; `planned` counts kernels that code generation had
  /// to plan for it and for its costs.
  struct Answer {
    PlannedRegion region = {};
    PlanSummary summary = {};
    int64_t planned = 0;
  };
  Answer ask(PlanCache& cache, const PlanOptions& options = {}, double launch_us = 2,
             const std::string& text = kSoftmax) {
    const OpGraph graph = parse_hlo(text, "m.hlo");
    FusionStudy study(graph, machine_, launch_us);
    study.set_cache(&cache);
    const GraphPlan plan = study.plan(find_fusion_planner("tilewright"), {options});
    const PlanSummary summary = study.summarize(plan);
    return {plan[0], summary, study.shared_cost().planned()};
  }

  TempFolder folder_;
  Machine machine_;
};

TEST_F(FusionCacheTest, AnswersFromMemoryAndFromTheFile) {
  Store first = open();
  PlanCache cache(&first.database());
  const Answer made = ask(cache);
  EXPECT_FALSE(made.region.is_from_cache);
  EXPECT_GT(made.planned, 0);
  Store second = open();
  PlanCache other(&second.database());
  for (PlanCache* again : {&cache, &other, &other}) {
    const Answer known = ask(*again);
    EXPECT_TRUE(known.region.is_from_cache);
    EXPECT_TRUE(known.summary.is_from_cache);
    EXPECT_EQ(known.region.plan, made.region.plan);
    EXPECT_EQ(known.region.candidates, made.region.candidates);
    EXPECT_EQ(known.summary.time_us, made.summary.time_us);
    EXPECT_EQ(known.summary.read_bytes, made.summary.read_bytes);
    EXPECT_EQ(known.planned, 0);
  }
  EXPECT_EQ(cache.failure(), "");
}

TEST_F(FusionCacheTest, KeepsWhatDependsOnOtherThingsApart) {
  Store store = open();
  PlanCache cache(&store.database());
  ask(cache);
  EXPECT_FALSE(ask(cache, {}, 5).region.is_from_cache);  // another launch
  PlanOptions few;
  few.simulations = 0;
  EXPECT_FALSE(ask(cache, few).region.is_from_cache);
  EXPECT_TRUE(ask(cache, few).region.is_from_cache);
  // The same ops on other shapes, and other names for the same ops.
  std::string wider = kSoftmax;
  for (size_t at = wider.find("160"); at != std::string::npos; at = wider.find("160", at)) {
    wider.replace(at, 3, "320");
  }
  EXPECT_FALSE(ask(cache, {}, 2, wider).region.is_from_cache);
  std::string renamed = kSoftmax;
  for (size_t at = renamed.find("e.1"); at != std::string::npos; at = renamed.find("e.1", at)) {
    renamed.replace(at, 3, "abc");
  }
  EXPECT_TRUE(ask(cache, {}, 2, renamed).region.is_from_cache);
  machine_.hbm.gb_per_s *= 2;
  store.save_machine(machine_.name, machine_.fingerprint(), machine_json(machine_));
  EXPECT_FALSE(ask(cache).region.is_from_cache);
}

TEST_F(FusionCacheTest, PlansAgainWhereARowIsNoPlanOfTheGraph) {
  Store store = open();
  {
    PlanCache cache(&store.database());
    ask(cache);
  }
  const char* damages[] = {
      "plan = '{'",
      "plan = '[]'",
      "plan = replace(plan, '\"outputs\":[', '\"outputs\":[1000000,')",
      "plan = replace(plan, '\"ops\":[', '\"ops\":[-1,')",
      "plan = '{\"candidates\":1,\"note\":\"\",\"kernels\":[]}'",
      "revision = '0.0'",
  };
  for (const char* damage : damages) {
    store.database().execute((std::string("UPDATE fusion_plan SET ") + damage).c_str());
    PlanCache cache(&store.database());
    const Answer again = ask(cache);
    EXPECT_FALSE(again.region.is_from_cache) << damage;
    EXPECT_EQ(again.region.plan.kernels.size(), 1U) << damage;
    PlanCache healed(&store.database());
    EXPECT_TRUE(ask(healed).region.is_from_cache) << damage;
  }
}

TEST_F(FusionCacheTest, GoesOnWithoutADatabaseThatFails) {
  Store store = open();
  PlanCache cache(&store.database());
  store.database().execute("DROP VIEW fusion_plans; DROP TABLE fusion_plan");
  EXPECT_FALSE(ask(cache).region.is_from_cache);
  EXPECT_NE(cache.failure(), "");
  EXPECT_TRUE(ask(cache).region.is_from_cache);  // from memory
}

TEST_F(FusionCacheTest, KeepsNoPlanThatTheTimeCutShort) {
  PlanCache cache;
  PlanOptions hurried;
  hurried.is_over = [] { return true; };
  const Answer first = ask(cache, hurried);
  EXPECT_TRUE(first.region.is_cut_short);
  EXPECT_NE(first.region.note, "");
  EXPECT_FALSE(ask(cache).region.is_from_cache);
  EXPECT_TRUE(ask(cache, hurried).region.is_from_cache);
}

}  // namespace
}  // namespace tilewright
