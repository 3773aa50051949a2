// Advice: each rule speaks where its problem is and nowhere else; ranking, feasibility, estimates.

#include "tuner/advice/advice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "simulator/roofline.h"
#include "tests/tuner/advised.h"
#include "tuner/advice/proposals.h"

namespace tilewright {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(AdviceRules, AreManyAndHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const AdviceRule& rule : advice_rules()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_FALSE(rule.meaning.empty());
    EXPECT_TRUE(std::ranges::all_of(rule.name, [](unsigned char c) {
      return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
    })) << rule.name;
  }
  EXPECT_GE(names.size(), 10u);
}

/// A request where a rule has to speak, and one where it has to be silent.
struct RuleCase {
  const char* rule;
  AdvisedRequest speaks;
  AdvisedRequest silent;
};

const AdvisedRequest kRoundGemm = {"gemm", {{"m", 1536}, {"n", 1536}, {"k", 1536}}};
/// One tile for each of 24 cores, so that all end together.
const AdvisedRequest kEvenGemm = {"gemm", {{"m", 512}, {"n", 3072}, {"k", 4096}}, "tile_n=256"};
const AdvisedRequest kTinyGemm = {"gemm", {{"m", 64}, {"n", 64}, {"k", 64}}};
const AdvisedRequest kStream = {"elementwise", {{"rows", 4096}, {"cols", 4096}}};

AdvisedRequest with(AdvisedRequest request, const char* config) {
  request.config = config;
  return request;
}

std::vector<RuleCase> rule_cases() {
  const AdvisedRequest decode = {"gemm", {{"m", 3}, {"n", 4096}, {"k", 4096}}};
  const AdvisedRequest padded = {"gemm_padded", {{"m", 130}, {"n", 4096}, {"k", 4096}}};
  const AdvisedRequest padded_full = {"gemm_padded", {{"m", 256}, {"n", 4096}, {"k", 4096}}};
  const AdvisedRequest attention = {"attention", {{"tokens", 512}, {"heads", 8}, {"kv_heads", 2}}};
  AdvisedRequest nz = kRoundGemm;
  nz.layout = "nz";
  return {
      {"enlarge_tile", with(kRoundGemm, "tile_m=32,tile_n=32"), kStream},
      {"deepen_chunk", with(kRoundGemm, "tile_k=64"), with(kEvenGemm, "tile_k=512,l1_buffers=1")},
      {"shorten_chunk",
       {"gemm", {{"m", 512}, {"n", 3072}, {"k", 512}}, "tile_k=512,l1_buffers=1"},
       kStream},
      {"deepen_step", with(kRoundGemm, "tile_m=64,tile_k0=16"),
       with(kEvenGemm, "tile_m=128,tile_k0=64")},
      {"double_buffer_loads", with(kRoundGemm, "l1_buffers=1"), with(kRoundGemm, "tile_m=32")},
      {"double_buffer_steps", with(kRoundGemm, "tile_k0=128,l0_buffers=1"), kRoundGemm},
      {"overlap_drain",
       {"gemm", {{"m", 4096}, {"n", 4096}, {"k", 128}}, ""},
       with(kEvenGemm, "tile_m=128")},
      {"speed_up_drain",
       {"gemm", {{"m", 4096}, {"n", 4096}, {"k", 64}}, "tile_n=96"},
       with(kEvenGemm, "tile_m=128")},
      {"reuse_l2", with(kRoundGemm, ""), kStream},
      {"fractal_weights", decode, nz},
      {"cut_padding", padded, padded_full},
      {"fill_fractals", decode, kRoundGemm},
      {"balance_waves",
       {"gemm", {{"m", 1000}, {"n", 4096}, {"k", 4096}}, ""},
       with(kEvenGemm, "tile_m=128")},
      {"use_more_cores", {"gemm", {{"m", 256}, {"n", 512}, {"k", 4096}}, ""}, kRoundGemm},
      {"amortise_launch", kTinyGemm, {"gemm", {{"m", 2048}, {"n", 2048}, {"k", 2048}}, ""}},
      {"at_the_roof", {"gemm", {{"m", 3072}, {"n", 4096}, {"k", 4096}}, "swizzle=4"}, kTinyGemm},
      {"deepen_ring", with(kStream, "buffers=1"), with(kStream, "buffers=4,tile_rows=2")},
      {"enlarge_transfers", with(kStream, "tile_rows=1,tile_cols=1024"),
       with(kStream, "tile_rows=4,tile_cols=4096")},
      {"shorten_pieces",
       {"elementwise", {{"rows", 192}, {"cols", 4096}}, "tile_rows=4,buffers=2"},
       kRoundGemm},
      {"fewer_handovers", attention, kRoundGemm},
      {"widen_softmax", with(attention, "tile_q=32"), kRoundGemm},
  };
}

TEST(AdviceRules, SpeakOnEvidenceAndAreSilentWithout) {
  for (const RuleCase& each : rule_cases()) {
    const Advised speaks = advised(each.speaks);
    EXPECT_TRUE(speaks.has(each.rule)) << each.rule << " on " << each.speaks.text();
    const Advised silent = advised(each.silent);
    EXPECT_FALSE(silent.has(each.rule)) << each.rule << " on " << each.silent.text();
  }
}

TEST(AdviceRules, SpeakOfConflictsAndIssueOnMachinesThatHaveThem) {
  Machine slow = load_machine("ascend-910b2");
  slow.scalar.issue_cycles = 100;
  EXPECT_TRUE(advised(with(kRoundGemm, "tile_k0=16"), slow).has("issue_less"));
  EXPECT_FALSE(advised(with(kRoundGemm, "tile_k0=16")).has("issue_less"));
  Machine crowded = load_machine("ascend-910b2");
  crowded.l2.same_address_cycles = 100;
  EXPECT_TRUE(advised(kRoundGemm, crowded).has("spread_readers"));
  crowded.l2.same_address_cycles = 0;
  EXPECT_FALSE(advised(kRoundGemm, crowded).has("spread_readers"));
  Machine banked = load_machine("ascend-910b2");
  banked.vector.bank_conflict_cycles = 200;
  const AdvisedRequest maxima = {"argmax", {{"rows", 4096}, {"cols", 4096}}, ""};
  EXPECT_TRUE(advised(maxima, banked).has("part_banks"));
  banked.vector.bank_conflict_cycles = 0;
  EXPECT_FALSE(advised(maxima, banked).has("part_banks"));
}

TEST(Advice, StatesTheProblemTheNumbersAndTheWholeRequest) {
  const Advised run = advised(with(kRoundGemm, "tile_m=32,tile_n=32"));
  ASSERT_FALSE(run.list.empty());
  for (const Advice& advice : run.list) {
    EXPECT_FALSE(advice.problem.empty());
    EXPECT_TRUE(std::ranges::any_of(advice.evidence, [](unsigned char c) {
      return std::isdigit(c) != 0;
    })) << advice.evidence;
    EXPECT_EQ(advice.is_feasible, advice.obstacle.empty());
    if (!advice.is_feasible) {
      EXPECT_EQ(advice.estimated_us, run.us);
      EXPECT_EQ(advice.estimated_gain, 0);
      continue;
    }
    const Kernel& kernel = find_kernel(advice.changed_problem.kernel);
    EXPECT_EQ(kernel.space(advice.changed_problem, run.machine).violation(advice.changed_config),
              "")
        << advice.change;
    EXPECT_TRUE(advice.changed_config != run.config || advice.changed_problem != run.problem);
    EXPECT_FALSE(advice.change.empty());
    EXPECT_DOUBLE_EQ(advice.estimated_gain, 1 - advice.estimated_us / run.us);
  }
  EXPECT_TRUE(contains(run.list[0].change, "tile_m 32 -> ")) << run.list[0].change;
}

TEST(Advice, IsRankedByGainAndWhatCannotBeDoneComesLast) {
  for (const RuleCase& each : rule_cases()) {
    const Advised run = advised(each.speaks);
    for (size_t i = 1; i < run.list.size(); ++i) {
      const Advice& before = run.list[i - 1];
      EXPECT_GE(before.is_feasible, run.list[i].is_feasible) << each.speaks.text();
      if (!run.list[i].is_feasible) continue;
      EXPECT_GE(before.estimated_gain, run.list[i].estimated_gain) << each.speaks.text();
      EXPECT_FALSE(before.changed_config == run.list[i].changed_config &&
                   before.changed_problem == run.list[i].changed_problem)
          << each.speaks.text();
    }
  }
}

TEST(Advice, ThatDoesNotPayComesBehindAndIsNotFollowed) {
  for (const AdvisedRequest& request :
       {AdvisedRequest{"silu_mul", {{"rows", 1024}, {"cols", 4096}}, ""},
        AdvisedRequest{"rope", {{"rows", 1024}, {"heads", 32}, {"kv_heads", 8}}, ""}, kTinyGemm}) {
    const Advised run = advised(request);
    const auto first = std::ranges::find_if(
        run.list, [](const Advice& advice) { return advice.is_feasible && !advice.pays(); });
    ASSERT_NE(first, run.list.end()) << request.text();
    EXPECT_LT(first->estimated_gain, kLeastGain);
    EXPECT_TRUE(std::none_of(first, run.list.end(), [](const Advice& each) { return each.pays(); }))
        << request.text();
    EXPECT_TRUE(contains(reason_against(*first), "would not pay (est. ")) << reason_against(*first);
    try {
      apply(*first, run.machine, run.us);
      FAIL() << "it does not pay";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
      EXPECT_TRUE(contains(error.message(), reason_against(*first))) << error.message();
    }
  }
}

TEST(Advice, IsTheSameEveryTime) {
  const Advised a = advised(with(kRoundGemm, "tile_m=48,tile_n=96"));
  const Advised b = advised(with(kRoundGemm, "tile_m=48,tile_n=96"));
  ASSERT_EQ(a.list.size(), b.list.size());
  for (size_t i = 0; i < a.list.size(); ++i) {
    EXPECT_EQ(a.list[i].rule, b.list[i].rule);
    EXPECT_EQ(a.list[i].problem, b.list[i].problem);
    EXPECT_EQ(a.list[i].evidence, b.list[i].evidence);
    EXPECT_EQ(a.list[i].change, b.list[i].change);
    EXPECT_EQ(a.list[i].estimated_us, b.list[i].estimated_us);
  }
}

TEST(Advice, NamesTheBufferThatRefusesAChange) {
  const Advised run = advised({"gemm", {{"m", 4096}, {"n", 4096}, {"k", 128}}, ""});
  const auto refused = std::ranges::find_if(run.list, [](const Advice& advice) {
    return advice.rule == "overlap_drain" && !advice.is_feasible;
  });
  ASSERT_NE(refused, run.list.end());
  EXPECT_EQ(refused->change, "l0c_buffers 1 -> 2");
  EXPECT_TRUE(contains(refused->obstacle, "of L0C, the machine has 128 KiB")) << refused->obstacle;
  try {
    apply(*refused, run.machine, run.us);
    FAIL() << "it cannot be applied";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
    EXPECT_TRUE(contains(error.message(), refused->obstacle)) << error.message();
  }
}

TEST(Advice, OffersFractalWeightsForAnySizes) {
  const Advised run = advised({"gemm", {{"m", 64}, {"n", 4095}, {"k", 4095}}, ""});
  const Advice* layout = run.find("fractal_weights");
  ASSERT_NE(layout, nullptr);
  EXPECT_TRUE(layout->is_feasible);
  EXPECT_EQ(layout->changed_problem.layouts[1], "nz");
}

TEST(Advice, LeavesPaddingByAnotherKernel) {
  const Advised run = advised({"gemm_padded", {{"m", 130}, {"n", 4096}, {"k", 4096}}, ""});
  const Advice* padding = run.find("cut_padding");
  ASSERT_NE(padding, nullptr);
  ASSERT_TRUE(padding->is_feasible);
  EXPECT_EQ(padding->changed_problem.kernel, "gemm");
  EXPECT_TRUE(contains(padding->evidence, "130 to 256")) << padding->evidence;
  EXPECT_GT(apply(*padding, run.machine, run.us).real_gain, 0.05);
}

TEST(Advice, AppliedShowsTheRealGainBesideTheEstimate) {
  const Advised run = advised(with(kRoundGemm, "tile_m=32,tile_n=64"));
  const Advice& best = run.list.front();
  const AppliedAdvice applied = apply(best, run.machine, run.us);
  EXPECT_EQ(applied.before_us, run.us);
  EXPECT_EQ(applied.estimated_us, best.estimated_us);
  EXPECT_EQ(applied.estimated_gain, best.estimated_gain);
  EXPECT_DOUBLE_EQ(applied.real_gain, 1 - applied.real_us / run.us);
  EXPECT_NEAR(applied.real_gain, applied.estimated_gain, 0.1);
}

TEST(Advice, AnOrderOfTilesYieldsInEitherDirection) {
  // 32 rows are one row of tiles of 32: bands of two (-2: of columns) are not in the space then.
  const Machine machine = load_machine("ascend-910b4");
  const Problem problem = AdvisedRequest{"gemm", {{"m", 32}, {"n", 8192}, {"k", 4096}}}.problem();
  const Space space = find_kernel("gemm").space(problem, machine);
  for (const char* order : {"-2", "2"}) {
    const Config from = parse_config(
        std::string("tile_m=16,tile_n=192,tile_k=256,tile_k0=64,l1_buffers=2,l0_buffers=2,"
                    "l0c_buffers=1,split_k=1,cores=0,swizzle=") +
        order + ",core_rows=0");
    ASSERT_EQ(space.violation(from), "");
    const Proposals found = propose(space, from, {{{"tile_m", Direction::kUp}}, {"swizzle"}});
    const auto is_taller = [](const Config& config) { return config.at("tile_m") == 32; };
    EXPECT_TRUE(std::ranges::any_of(found.configs, is_taller)) << order;
  }
}

TEST(Advice, WorksForEveryKernelOnItsDefault) {
  const std::vector<AdvisedRequest> requests = {
      kTinyGemm,
      kStream,
      {"gemm_padded", {{"m", 7}, {"n", 64}, {"k", 64}}, ""},
      {"attention", {{"tokens", 1}, {"context", 300}, {"heads", 4}}, ""},
      {"rms_norm", {{"rows", 3}, {"cols", 100}}, ""},
      {"add_rms_norm", {{"rows", 33}, {"cols", 1000}}, ""},
      {"silu_mul", {{"rows", 16}, {"cols", 512}}, ""},
      {"rope", {{"rows", 16}, {"heads", 4}, {"kv_heads", 2}}, ""},
      {"argmax", {{"rows", 4}, {"cols", 5000}}, ""},
  };
  for (const AdvisedRequest& request : requests) {
    for (const Advice& advice : advised(request).list) {
      EXPECT_FALSE(contains(advice.problem, "only 0 operations")) << request.text();
      EXPECT_LT(advice.estimated_gain, 1) << request.text();
    }
  }
}

}  // namespace
}  // namespace tilewright
