// What sessions find on the spaces of our own kernels, against everything that could be found.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/machine/machine.h"
#include "kernels/kernel.h"
#include "tests/temp_folder.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/session/family.h"
#include "tuner/session/family_session.h"
#include "tuner/session/model_tuning.h"

namespace tilewright {
namespace {

class SessionQuality : public testing::Test {
 protected:
  SessionQuality() { store_.save_machine(machine_.name, machine_.fingerprint(), "{}"); }

  TuneResult tune_all(std::vector<TuneProblem>& problems, const TuneOptions& options) {
    return tune(problems, key_of_, pool_, store_, begin(), options, {});
  }

  int64_t begin() {
    tilewright::Run run;
    run.kind = RunKind::kTune;
    run.machine_fingerprint = machine_.fingerprint();
    run.date = "2026-01-02";
    run.tool = "test";
    return store_.begin_run(run);
  }

  double best_of(const std::string& problem, const TuneOptions& options) {
    std::vector<TuneProblem> list = {kernel_problem(parse_problem(problem), machine_)};
    return tune_all(list, options).problems[0].time_us;
  }

  const Machine machine_ = load_machine("ascend-910b2");
  const SimulatorEvaluator evaluator_{machine_};
  ThreadEvaluation pool_{evaluator_, 2, {}};
  const KeyMaker key_of_ = [this](const Problem& problem, const Config& config) {
    return kernel_key(problem, config, machine_);
  };
  TempFolder folder_;
  Store store_ = Store::open(folder_.path("quality.db"), OpenMode::kReadWrite);
};

TEST_F(SessionQuality, SlowFiftyEvaluationsComeWithinOnePercentOfTheOptimum) {
  const char* problems[] = {
      "gemm f16 f16 f16 nd nz nd m=16 n=1024 k=1024 epilogue=none",
      "gemm f16 f16 f16 nd nz nd m=48 n=1536 k=512 epilogue=none",
      "gemm f16 f16 f16 nd nz nd m=256 n=512 k=1024 epilogue=none",
      "gemm bf16 bf16 bf16 nd nd nd m=500 n=768 k=768 epilogue=none",
      "rms_norm f16 f16 f16 nd nd nd rows=256 cols=3584 epilogue=none",
      "silu_mul f16 f16 nd nd rows=64 cols=4096 epilogue=none",
      "kv_write f16 f16 f16 f16 nd nd nd nd rows=128 kv_heads=8 dim=128 epilogue=none",
  };
  for (const char* problem : problems) {
    TuneOptions options;
    const double optimum = best_of(problem, options);
    options.strategy = kDefaultStrategy;
    options.max_evaluations = 50;
    std::vector<double> shares;
    for (options.seed = 1; options.seed <= 3; ++options.seed) {
      shares.push_back(optimum / best_of(problem, options));
    }
    std::ranges::sort(shares);
    EXPECT_GE(shares[1], 0.99) << problem;  // the median seed
    EXPECT_GE(shares[0], 0.97) << problem;
  }
}

TEST_F(SessionQuality, SlowFamilyTableServesRowsBetweenItsMembers) {
  const auto member = [&](int64_t m) {
    return kernel_problem(
        parse_problem(fmt::format("gemm f16 f16 f16 nd nz nd m={} n=1024 k=1024 epilogue=none", m)),
        machine_);
  };
  std::vector<TuneProblem> members;
  for (const int64_t m : family_members(1, 512)) members.push_back(member(m));
  TuneOptions options;
  options.strategy = kDefaultStrategy;
  options.max_evaluations = 64;
  options.transfer = true;
  options.max_regret = 0.02;
  const TuneResult result =
      tune_family(members, {member}, key_of_, pool_, store_, begin(), options, {});
  ASSERT_EQ(result.families.size(), 1u);
  const FamilyTable& table = result.families[0];
  EXPECT_LE(table.worst_regret, 0.02);
  EXPECT_LT(table.ranges.size(), members.size() / 2);
  // At rows that are no members, against a search of their own.
  options.max_regret.reset();
  options.max_evaluations = 64;
  for (const int64_t m : {7, 37, 100, 129, 203, 301, 333, 475}) {
    const auto range = std::ranges::find_if(
        table.ranges, [&](const FamilyRangeResult& each) { return m <= each.m_max; });
    ASSERT_NE(range, table.ranges.end());
    std::vector<TuneProblem> own = {member(m)};
    const double served_us = measured(evaluator_, own[0].problem, range->config).time_us;
    const double own_us = tune_all(own, options).problems[0].time_us;
    EXPECT_LE(served_us / own_us - 1, 0.02) << m;
  }
}

}  // namespace
}  // namespace tilewright
