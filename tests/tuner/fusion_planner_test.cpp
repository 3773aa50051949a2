#include <limits>

#include "core/base/random.h"
#include "core/model/decoder_graph.h"
#include "kernels/fused/fused_check.h"
#include "tests/layered_module.h"
#include "tests/tuner/fusion_fixture.h"
#include "tuner/fusion/fusion_study.h"
#include "tuner/fusion/plan_mix.h"
#include "tuner/fusion/planner.h"

namespace tilewright {
namespace {

std::string normalize(const std::string& rows, const std::string& columns) {
  const std::string full = "f32[" + rows + "," + columns + "]{1,0}";
  const std::string column = "f32[" + rows + "]{0}";
  return module_with_functions(
      "x = " + full + " parameter(0)\nzero = f32[] constant(0)\nn = f32[] constant(" + columns +
      ")\nsum.1 = " + column + " reduce(x, zero), dimensions={1}, to_apply=sum\nns = " + column +
      " broadcast(n), dimensions={}\nmean = " + column + " divide(sum.1, ns)\nmeans = " + full +
      " broadcast(mean), dimensions={0}\nd = " + full + " subtract(x, means)\nsq = " + full +
      " multiply(d, d)\nsum.2 = " + column +
      " reduce(sq, zero), dimensions={1}, to_apply=sum\nr = " + column + " rsqrt(sum.2)\nrs = " +
      full + " broadcast(r), dimensions={0}\nROOT y = " + full + " multiply(d, rs)");
}

TEST(FusionPlanners, PutANormalizationIntoOneKernel) {
  FusionFixture at(normalize("96", "768"));
  for (const char* planner : {"fs2018", "fs2020", "astitch", "exact"}) {
    const FusionPlan plan = at.plan(planner);
    EXPECT_EQ(plan.kernels.size(), 1U) << planner;
    const KernelFigures& figures = at.cost.figures(plan.kernels[0]);
    EXPECT_EQ(figures.read_bytes + figures.write_bytes, 2 * 96 * 768 * 4) << planner;
  }
}

// XLA keeps a reduction in a kernel of its own end, and its readers out of it.
TEST(FusionPlanners, EndXlaKernelsAtReductions) {
  FusionFixture at(normalize("96", "768"));
  const FusionPlan plan = at.plan("xla");
  EXPECT_EQ(plan.kernels.size(), 3U);
  for (const FusedOps& kernel : plan.kernels) {
    EXPECT_EQ(kernel.outputs.size(), 1U);
    EXPECT_LE(std::ranges::count_if(
                  kernel.ops, [&](int32_t op) { return at.region.role(op) == OpRole::kReduce; }),
              1);
  }
}

TEST(FusionPlanners, DuplicateAnOpIntoAllItsReadersAsXlaDoes) {
  FusionFixture at(module_of(R"(x = f32[512,512]{1,0} parameter(0)
w = f32[512,512]{1,0} parameter(1)
a = f32[512,512]{1,0} negate(x)
b = f32[512,512]{1,0} multiply(a, w)
c = f32[512,512]{1,0} subtract(a, w)
ROOT t = (f32[512,512]{1,0}, f32[512,512]{1,0}) tuple(b, c))"));
  const FusionPlan plan = at.plan("xla");
  EXPECT_EQ(plan.kernels.size(), 2U);
  EXPECT_EQ(recomputed_ops(plan), 1);
}

TEST(FusionPlanners, PackWhatIsIndependent) {
  FusionFixture at(module_of(R"(x = f32[64]{0} parameter(0)
y = f32[80]{0} parameter(1)
a = f32[64]{0} negate(x)
b = f32[80]{0} negate(y)
ROOT t = (f32[64]{0}, f32[80]{0}) tuple(a, b))"));
  EXPECT_EQ(at.plan("xla").kernels.size(), 2U);
  EXPECT_EQ(at.plan("astitch").kernels.size(), 1U);
  EXPECT_EQ(at.plan("tilewright").kernels.size(), 1U);
}

TEST(FusionPlanners, SuggestTheNearestName) {
  try {
    find_fusion_planner("astich");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("did you mean 'astitch'?"), std::string::npos);
  }
}

/// A graph of elementwise ops, sums of rows, broadcasts, transposes and matrix products.
std::string random_module(uint64_t seed, int count) {
  Random random(seed);
  std::vector<std::string> squares = {"p0", "p1"};
  std::vector<std::string> rows;
  std::string text =
      "p0 = f32[48,48]{1,0} parameter(0)\np1 = f32[48,48]{1,0} parameter(1)\n"
      "zero = f32[] constant(0)\n";
  for (int i = 0; i < count; ++i) {
    const std::string name = "v" + std::to_string(i);
    const auto any = [&](const std::vector<std::string>& names) {
      // Mostly recent values, so that the graph is deep.
      const uint64_t back = std::min(random.below(names.size()), random.below(names.size()));
      return names[names.size() - 1 - back];
    };
    const std::string a = any(squares);
    const std::string square = name + " = f32[48,48]{1,0} ";
    switch (rows.empty() ? random.below(6) : random.below(8)) {
      case 0:
        text += square + "logistic(" + a + ")\n";
        break;
      case 1:
        text += square + "transpose(" + a + "), dimensions={1,0}\n";
        break;
      case 2:
        text += name + " = f32[48]{0} reduce(" + a + ", zero), dimensions={1}, to_apply=sum\n";
        rows.push_back(name);
        continue;
      case 3:
        if (random.below(2) == 0) {
          text += square + "dot(" + a + ", " + any(squares) +
                  "), lhs_contracting_dims={1}, rhs_contracting_dims={0}\n";
          break;
        }
        [[fallthrough]];
      case 4:
      case 5:
        text += square + "add(" + a + ", " + any(squares) + ")\n";
        break;
      case 6:
        text += name + " = f32[48]{0} negate(" + any(rows) + ")\n";
        rows.push_back(name);
        continue;
      default:
        text += square + "broadcast(" + any(rows) + "), dimensions={0}\n";
        break;
    }
    squares.push_back(name);
  }
  std::string types;
  std::string names;
  for (size_t i = squares.size() - std::min<size_t>(3, squares.size()); i < squares.size(); ++i) {
    types += std::string(types.empty() ? "" : ", ") + "f32[48,48]{1,0}";
    names += (names.empty() ? "" : ", ") + squares[i];
  }
  return module_with_functions(text + "ROOT t = (" + types + ") tuple(" + names + ")");
}

/// Sums of columns and of rows in turn, each taken off again.
std::string alternating_sums(int steps) {
  std::string text = "x0 = f32[512,640]{1,0} parameter(0)\nzero = f32[] constant(0)\n";
  for (int i = 0; i < steps; ++i) {
    const std::string at = std::to_string(i);
    const bool columns = i % 2 == 0;
    text += "r" + at + " = f32[" + (columns ? "640" : "512") + "]{0} reduce(x" + at +
            ", zero), dimensions={" + (columns ? "0" : "1") + "}, to_apply=sum\n";
    text += "b" + at + " = f32[512,640]{1,0} broadcast(r" + at + "), dimensions={" +
            (columns ? "1" : "0") + "}\n";
    text += std::string(i + 1 == steps ? "ROOT " : "") + "x" + std::to_string(i + 1) +
            " = f32[512,640]{1,0} subtract(x" + at + ", b" + at + ")\n";
  }
  return module_with_functions(text);
}

// One kernel of all ops holds neither whole rows nor whole columns: greedy fusion loses to none.
TEST(FusionPlanners, CutWhatGreedyStitchingMakesTooLong) {
  FusionFixture at(alternating_sums(6));
  const FusionPlan greedy = at.plan("astitch");
  const FusionPlan searched = at.plan("tilewright");
  EXPECT_EQ(greedy.kernels.size(), 1U);
  EXPECT_GT(searched.kernels.size(), 1U);
  EXPECT_LT(1.3 * plan_us(at.cost, searched), plan_us(at.cost, greedy));
}

class RandomGraphs : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomGraphs, GetLegalPlansAndTheSearchLosesToNone) {
  FusionFixture at(random_module(GetParam(), 30));
  const FusionPlan searched = at.plan("tilewright");
  const double us = plan_us(at.cost, searched);
  for (const FusionPlanner& planner : fusion_planners()) {
    const FusionPlan plan = planner.plan(at.cost, {}).plan;
    EXPECT_EQ(why_illegal(at.graph, plan, at.cost.why_infeasible()), "") << planner.name;
    EXPECT_LE(us, plan_us(at.cost, plan) * (1 + 1e-9)) << planner.name;
  }
}

TEST_P(RandomGraphs, AreComputedAsTheInterpreterDoes) {
  const std::string text = random_module(GetParam() + 1000, 16);
  const OpGraph graph = flatten(parse_hlo(text, "m.hlo"));
  FusionStudy study(graph, load_machine("ascend-910b2"), 2);
  for (const FusionPlanner& planner : fusion_planners()) {
    const EqualityCheck check = study.check(study.plan(planner), 1e7, 3);
    EXPECT_EQ(check.verdict(), "full") << planner.name << ": " << check.first_failure << "\n"
                                       << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, testing::Range<uint64_t>(0, 8));

TEST(FusionPlanners, FindTheSameTwice) {
  const std::string text = random_module(5, 40);
  FusionFixture first(text);
  FusionFixture second(text);
  second.plan("fs2020");  // what is known before must not matter
  EXPECT_EQ(first.plan("tilewright"), second.plan("tilewright"));
}

// By estimate, as the exact planner judges: no plan without recomputation may beat it.
TEST(ExactPlanner, IsNoSlowerThanTheOthersOnSmallGraphs) {
  for (const uint64_t seed : {11U, 12U}) {
    FusionFixture at(module_with_functions(R"(p0 = f32[64,64]{1,0} parameter(0)
zero = f32[] constant(0)
a = f32[64,64]{1,0} exponential(p0)
s = f32[64]{0} reduce(a, zero), dimensions={1}, to_apply=sum
b = f32[64,64]{1,0} broadcast(s), dimensions={0}
c = f32[64,64]{1,0} divide(a, b)
t = f32[64,64]{1,0} transpose(c), dimensions={1,0}
u = f32[64,64]{1,0} add(t, p0)
v = f32[64]{0} reduce(u, zero), dimensions={)" +
                                           std::to_string(seed % 2) +
                                           R"(}, to_apply=sum
ROOT r = (f32[64,64]{1,0}, f32[64]{0}) tuple(u, v))"));
    const double best = at.estimate(at.plan("exact"));
    for (const char* planner : {"fs2018", "fs2020", "astitch"}) {
      EXPECT_LE(best, at.estimate(at.plan(planner)) + 1e-9) << planner << " " << seed;
    }
  }
}

/// The least estimate over all ways to part the nodes into kernels.
double least_estimate(FusionFixture& at) {
  std::vector<int32_t> nodes = at.graph.nodes();
  std::erase_if(nodes, [&](int32_t op) { return !at.graph.is_fusible(op); });
  double least = std::numeric_limits<double>::infinity();
  Groups groups;
  const auto part = [&](const auto& self, size_t place) -> void {
    if (place == nodes.size()) {
      if (!Clusters::of(at.graph, groups)) return;
      const FusionPlan plan = plan_of(at.graph, groups);
      if (at.why(plan).empty()) least = std::min(least, at.estimate(plan));
      return;
    }
    for (size_t i = 0; i < groups.size(); ++i) {
      groups[i].push_back(nodes[place]);
      self(self, place + 1);
      groups[i].pop_back();
    }
    groups.push_back({nodes[place]});
    self(self, place + 1);
    groups.pop_back();
  };
  part(part, 0);
  return least;
}

// With matrix products between them: nothing that the search leaves out may be better.
TEST(ExactPlanner, FindsWhatTryingAllPartitionsFinds) {
  int compared = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    FusionFixture at(random_module(seed, 9));
    if (at.graph.fusible_nodes() > 7 || at.graph.fusible_nodes() < 4) continue;
    const PlannedRegion planned = find_fusion_planner("exact").plan(at.cost, {});
    const double least = least_estimate(at);
    EXPECT_NEAR(at.estimate(planned.plan), least, 1e-9 * least) << seed;
    ASSERT_TRUE(planned.bound_us.has_value()) << seed;
    EXPECT_NEAR(*planned.bound_us, least, 1e-9 * least) << seed;
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

TEST(ExactPlanner, ProvesTheBestPlanOfAModelLayer) {
  const OpGraph graph = prepared_for_fusion(decoder_graph(load_model("qwen2-7b"), 256).graph);
  FusionStudy study(graph, load_machine("ascend-910b2"), 2);
  const PlanSummary exact = study.summarize(study.plan(find_fusion_planner("exact")));
  ASSERT_TRUE(exact.bound_us.has_value());
  EXPECT_NEAR(*exact.bound_us, exact.estimated_us, 1e-9 * exact.estimated_us);
  const PlanSummary searched = study.summarize(study.plan(find_fusion_planner("tilewright")));
  EXPECT_LE(searched.memory_us, exact.memory_us * (1 + 1e-9));
  EXPECT_LE(searched.estimated_us, exact.estimated_us * 1.03);
}

TEST(FusionStudy, RunsAWholeGraphByItsKernels) {
  // Attention with its scores' softmax, an update of a cache in place, a loop, and two results.
  const std::string text = R"(HloModule m
sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
larger { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] maximum(a, b) }
halve {
  s = (s32[], f32[24,16]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  x = f32[24,16] get-tuple-element(s), index=1
  one = s32[] constant(1)
  n = s32[] add(i, one)
  h = f32[] constant(0.5)
  hh = f32[24,16] broadcast(h), dimensions={}
  y = f32[24,16] multiply(x, hh)
  ROOT t = (s32[], f32[24,16]) tuple(n, y)
}
below {
  s = (s32[], f32[24,16]) parameter(0)
  i = s32[] get-tuple-element(s), index=0
  three = s32[] constant(3)
  ROOT c = pred[] compare(i, three), direction=LT
}
ENTRY e {
  q = f32[24,16] parameter(0)
  cache = f32[40,16] parameter(1)
  new = f32[2,16] parameter(2)
  zero = s32[] constant(0)
  at = s32[] constant(30)
  k = f32[40,16] dynamic-update-slice(cache, new, at, zero)
  first = (s32[], f32[24,16]) tuple(zero, q)
  loop = (s32[], f32[24,16]) while(first), condition=below, body=halve
  small = f32[24,16] get-tuple-element(loop), index=1
  s = f32[24,40] dot(small, k), lhs_contracting_dims={1}, rhs_contracting_dims={1}
  low = f32[] constant(-inf)
  nought = f32[] constant(0)
  m = f32[24] reduce(s, low), dimensions={1}, to_apply=larger
  mm = f32[24,40] broadcast(m), dimensions={0}
  d = f32[24,40] subtract(s, mm)
  e = f32[24,40] exponential(d)
  t = f32[24] reduce(e, nought), dimensions={1}, to_apply=sum
  tt = f32[24,40] broadcast(t), dimensions={0}
  p = f32[24,40] divide(e, tt)
  o = f32[24,16] dot(p, k), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  y = f32[24,16] add(o, q)
  ROOT r = (f32[24,16], f32[40,16]) tuple(y, k)
})";
  const OpGraph graph = prepared_for_fusion(parse_hlo(text, "m.hlo"));
  const Machine machine = load_machine("ascend-910b2");
  for (const FusionPlanner& planner : fusion_planners()) {
    FusionStudy study(graph, machine, 2);
    const EqualityCheck check = study.check(study.plan(planner), 1e7, 3);
    ASSERT_TRUE(check.whole_error.has_value()) << planner.name;
    EXPECT_LT(*check.whole_error, 1e-4) << planner.name;
  }
}

TEST(FusionStudy, TakesNoNumberOnBothSidesForEqual) {
  const OpGraph graph = prepared_for_fusion(
      parse_hlo("HloModule m\nENTRY e {\n x = f32[40,50] parameter(0)\n l = f32[40,50] log(x)\n"
                " c = f32[] constant(200)\n cc = f32[40,50] broadcast(c), dimensions={}\n"
                " m = f32[40,50] multiply(x, cc)\n e = f32[40,50] exponential(m)\n"
                " ROOT t = (f32[40,50], f32[40,50]) tuple(l, e)\n}\n",
                "m.hlo"));
  FusionStudy study(graph, load_machine("ascend-910b2"), 2);
  const EqualityCheck check = study.check(study.plan(find_fusion_planner("none")), 1e7, 3);
  ASSERT_TRUE(check.whole_error.has_value());
  EXPECT_LT(*check.whole_error, 1e-3);
}

TEST(FusionStudy, SearchIsNeverWorseThanWhatExactHasFoundBefore) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const OpGraph graph = prepared_for_fusion(parse_hlo(random_module(seed, 40), "m.hlo"));
    const Machine machine = load_machine("ascend-910b2");
    FusionStudy study(graph, machine, 2);
    const double exact = study.summarize(study.plan(find_fusion_planner("exact"))).time_us;
    const double searched =
        study.summarize(study.plan(find_fusion_planner("tilewright"))).time_us;
    EXPECT_LE(searched, exact + 1e-9) << seed;
  }
}

TEST(ExactPlanner, SaysWhatNoPlanGoesBelowWhereItEndsEarly) {
  PlanOptions few;
  few.exact_kernels = 10;
  PlanOptions more;
  more.exact_kernels = 4000;
  int ended_early = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    FusionFixture at(random_module(seed, 30));
    const PlannedRegion planned = find_fusion_planner("exact").plan(at.cost, few);
    ASSERT_TRUE(planned.bound_us.has_value()) << seed;
    const double us = at.estimate(planned.plan);
    EXPECT_GT(*planned.bound_us, 0) << seed;
    EXPECT_LE(*planned.bound_us, us + 1e-9) << seed;
    if (*planned.bound_us < us - 1e-9) {
      ++ended_early;
      EXPECT_NE(planned.note.find("not proven"), std::string::npos) << seed << planned.note;
    }
    const PlannedRegion better = find_fusion_planner("exact").plan(at.cost, more);
    EXPECT_LE(at.estimate(better.plan), us + 1e-9) << seed;
    EXPECT_GE(at.estimate(better.plan) + 1e-9, *planned.bound_us) << seed;
  }
  EXPECT_GE(ended_early, 2);
}

TEST(FusionOptions, JudgeByTheEstimateAloneWithoutSimulations) {
  FusionFixture at(alternating_sums(4));
  PlanOptions options;
  options.simulations = 0;
  const FusionPlan plan = at.plan("tilewright", options);
  EXPECT_EQ(at.shared.simulated(), 0);
  EXPECT_EQ(at.why(plan), "");
  for (const char* planner : {"xla", "fs2018", "fs2020", "astitch", "exact"}) {
    EXPECT_LE(at.estimate(plan), at.estimate(at.plan(planner)) + 1e-9) << planner;
  }
  // What was simulated before does not matter, and is known again afterwards.
  FusionFixture other(alternating_sums(4));
  other.plan("tilewright");
  const int64_t simulated = other.shared.simulated();
  EXPECT_GT(simulated, 0);
  EXPECT_EQ(other.plan("tilewright", options), plan);
  EXPECT_EQ(other.shared.simulated(), simulated);
  EXPECT_TRUE(other.shared.simulates());
}

TEST(FusionOptions, EndTheSearchWhenTimeIsOver) {
  FusionFixture at(random_module(7, 40));
  PlanOptions options;
  int asked = 0;
  options.is_over = [&] { return ++asked > 20; };
  const PlannedRegion hurried = find_fusion_planner("tilewright").plan(at.cost, options);
  EXPECT_TRUE(hurried.is_cut_short);
  EXPECT_EQ(why_illegal(at.graph, hurried.plan, at.cost.why_infeasible()), "");
  const PlannedRegion whole = find_fusion_planner("tilewright").plan(at.cost, {});
  EXPECT_FALSE(whole.is_cut_short);
  EXPECT_LT(hurried.candidates, whole.candidates);
}

// What planners look at grows with the graph, not faster: 60 ops a block, no two blocks alike.
TEST(FusionPlanners, LookAtTwiceAsMuchInAGraphOfTwiceTheSize) {
  PlanOptions options;
  options.simulations = 0;
  for (const char* planner : {"xla", "fs2018", "fs2020", "astitch"}) {
    FusionFixture small(LayeredModule(6).text());
    FusionFixture large(LayeredModule(12).text());
    const auto few = find_fusion_planner(planner).plan(small.cost, options);
    const auto many = find_fusion_planner(planner).plan(large.cost, options);
    EXPECT_EQ(large.why(many.plan), "") << planner;
    EXPECT_LE(static_cast<double>(many.candidates), 2.2 * static_cast<double>(few.candidates))
        << planner;
    EXPECT_LE(static_cast<double>(large.shared.planned()),
              2.2 * static_cast<double>(small.shared.planned()))
        << planner;
    EXPECT_LE(many.plan.kernels.size(), 2 * few.plan.kernels.size() + 2) << planner;
  }
}

TEST(FusionOptions, PinAndVetoPairsOfOps) {
  const std::string text = module_of(R"(x = f32[64,64]{1,0} parameter(0)
a = f32[64,64]{1,0} exponential(x)
b = f32[64,64]{1,0} negate(a)
ROOT c = f32[64,64]{1,0} exponential(b))");
  FusionFixture at(text);
  EXPECT_EQ(at.plan("tilewright").kernels.size(), 1U);
  PlanOptions apart;
  apart.vetoes = {{at.op("a"), at.op("b")}};
  for (const char* planner : {"astitch", "fs2018", "fs2020", "tilewright"}) {
    const FusionPlan plan = at.plan(planner, apart);
    EXPECT_EQ(at.why(plan), "") << planner;
    EXPECT_EQ(plan.kernels.size(), 2U) << planner;
  }
  PlanOptions together;
  together.pins = {{at.op("a"), at.op("c")}};
  together.vetoes = {{at.op("a"), at.op("b")}};
  EXPECT_THROW(at.plan("tilewright", together), Error);
}

TEST(FusionStudy, PlansALoopBodyByItselfAndCountsItsRuns) {
  const OpGraph graph = parse_hlo(R"(HloModule m
body {
  p = (s32[], f32[640]{0}) parameter(0)
  i = s32[] get-tuple-element(p), index=0
  v = f32[640]{0} get-tuple-element(p), index=1
  one = s32[] constant(1)
  j = s32[] add(i, one)
  w = f32[640]{0} negate(v)
  ROOT t = (s32[], f32[640]{0}) tuple(j, w)
}
condition {
  p = (s32[], f32[640]{0}) parameter(0)
  i = s32[] get-tuple-element(p), index=0
  n = s32[] constant(5)
  ROOT c = pred[] compare(i, n), direction=LT
}
ENTRY e {
  x = f32[640]{0} parameter(0)
  zero = s32[] constant(0)
  start = (s32[], f32[640]{0}) tuple(zero, x)
  ROOT loop = (s32[], f32[640]{0}) while(start), condition=condition, body=body
}
)",
                                  "m.hlo");
  FusionStudy study(graph, load_machine("ascend-910b2"), 2);
  ASSERT_EQ(study.region_count(), 3U);
  EXPECT_FALSE(study.has_unknown_runs());
  const PlanSummary summary = study.summarize(study.plan(find_fusion_planner("none")));
  // Two ops of the body, one of the condition.
  EXPECT_EQ(summary.launches, 3);
  EXPECT_EQ(summary.launches_run, 5 * 2 + 6);
}

TEST(FusionStudy, LeavesKernelsThatTheInterpreterRefusesUncompared) {
  // 2e8 elements: more memory than the interpreter takes, whatever work is allowed.
  const OpGraph graph = parse_hlo(module_of("x = f32[20000,10000]{1,0} parameter(0)\n"
                                            "ROOT y = f32[20000,10000]{1,0} negate(x)"),
                                  "m.hlo");
  FusionStudy study(graph, load_machine("ascend-910b2"), 2);
  const EqualityCheck check = study.check(study.plan(find_fusion_planner("none")), 1e12, 1);
  EXPECT_EQ(check.kernels, 1);
  EXPECT_EQ(check.checked, 0);
  EXPECT_EQ(check.verdict(), "reduced");
}

TEST(FusionStudy, TimesAModelLayerWithItsProductsApartAndJoined) {
  const OpGraph graph = prepared_for_fusion(decoder_graph(load_model("qwen2-7b"), 32).graph);
  const Machine machine = load_machine("ascend-910b2");
  FusionStudy apart(graph, machine, 2);
  FusionStudy joined(graph, machine, 2, true);
  const FusionPlanner& planner = find_fusion_planner("tilewright");
  const GraphPlan plan = joined.plan(planner);
  const PlanSummary with = joined.summarize(plan);
  const PlanSummary without = apart.summarize(apart.plan(planner));
  EXPECT_LT(with.launches, without.launches);
  EXPECT_LT(with.time_us, without.time_us);
  EXPECT_NE(joined.check(plan, 1e8, 1).verdict(), "no");
}

}  // namespace
}  // namespace tilewright
