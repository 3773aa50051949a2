// What advice promises beside what it really brings, over the slow configs of named GEMM spaces.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/base/statistics.h"
#include "kernels/gemm/gemm.h"
#include "simulator/timing.h"
#include "tests/tuner/advised.h"

namespace tilewright {
namespace {

/// A space by name: a problem on a machine, of which a seeded sample of configs is looked at.
struct NamedSpace {
  const char* name;
  AdvisedRequest request;
  const char* machine;
};

const NamedSpace kSpaces[] = {
    {"odd rows", {"gemm", {{"m", 1000}, {"n", 4096}, {"k", 4096}}}, "ascend-910b2"},
    {"square", {"gemm", {{"m", 1536}, {"n", 1536}, {"k", 1536}}}, "ascend-910b2"},
    {"decode", {"gemm", {{"m", 32}, {"n", 8192}, {"k", 4096}}}, "ascend-910b4"},
    {"bytes", {"gemm", {{"m", 2048}, {"n", 2048}, {"k", 2048}}, "", "", "i8"}, "ascend-910b1"},
};
constexpr size_t kSample = 100;
constexpr uint64_t kSeed = 20;

/// Where advice ends that is followed until it brings nothing more.
constexpr int kSteps = 5;

double detailed_us(const Problem& problem, const Config& config, const Machine& machine) {
  const Launch launch = find_kernel(problem.kernel).build(problem, config, machine);
  return machine.us_of_ticks(time_detailed(launch, machine).ticks);
}

struct Timed {
  Config config;
  double us = 0;
};

/// A sample without repetitions, by detailed time.
std::vector<Timed> sample_of(const std::vector<Config>& all, const Problem& problem,
                             const Machine& machine) {
  Random random(kSeed);
  std::set<size_t> chosen;
  while (chosen.size() < std::min(kSample, all.size())) chosen.insert(random.below(all.size()));
  std::vector<Timed> sample;
  for (const size_t i : chosen) {
    sample.push_back({all[i], detailed_us(problem, all[i], machine)});
  }
  std::ranges::stable_sort(sample, {}, &Timed::us);
  return sample;
}

/// The best of the configs that a first-order estimate likes most: about the best of the space.
double best_of(std::vector<Config> all, const Problem& problem, const Machine& machine) {
  constexpr size_t kTried = 30;
  std::ranges::stable_sort(
      all, {}, [&](const Config& config) { return gemm_estimate_us(problem, config, machine); });
  double best = INFINITY;
  for (size_t i = 0; i < std::min(kTried, all.size()); ++i) {
    best = std::min(best, detailed_us(problem, all[i], machine));
  }
  return best;
}

const Advice* top(const Advised& run) {
  const bool has_any =
      !run.list.empty() && run.list[0].is_feasible && run.list[0].estimated_gain > 0;
  return has_any ? &run.list[0] : nullptr;
}

/// The time after following the top advice that keeps the problem, as long as it brings anything.
double followed(const Advised& start) {
  Advised run = start;
  for (int step = 0; step < kSteps; ++step) {
    const auto next = std::ranges::find_if(run.list, [&](const Advice& advice) {
      return advice.is_feasible && advice.changed_problem == run.problem;
    });
    if (next == run.list.end() || next->estimated_gain <= 0) break;
    Advised after = advised(run.problem, next->changed_config, run.machine);
    if (after.us >= run.us) break;
    run = std::move(after);
  }
  return run.us;
}

struct SpaceReport {
  std::vector<double> errors;  ///< of the estimated gain, relative, ascending
  std::vector<double> all;     ///< the same of every advice, on some of the configs
  std::vector<double> ends;    ///< where followed advice ends, over the best time, ascending
  size_t advised = 0;          ///< configs with advice
  size_t slow = 0;
  size_t gained = 0;  ///< advice that saved time
};

double error_of(const AppliedAdvice& applied) {
  return std::abs(applied.estimated_gain - applied.real_gain) /
         std::max(1e-9, std::abs(applied.real_gain));
}

/// Errors of all advice that promises something.
void add_errors(const Advised& run, std::vector<double>& errors) {
  constexpr double kPromise = 0.01;
  for (const Advice& advice : run.list) {
    if (!advice.is_feasible || advice.estimated_gain < kPromise) continue;
    errors.push_back(error_of(apply(advice, run.machine, run.us)));
  }
}

SpaceReport report_of(const NamedSpace& space) {
  constexpr size_t kLookEach = 5;
  const Machine machine = load_machine(space.machine);
  const Problem problem = space.request.problem();
  const std::vector<Config> all = find_kernel("gemm").space(problem, machine).enumerate();
  const std::vector<Timed> sample = sample_of(all, problem, machine);
  const double best = std::min(sample.front().us, best_of(all, problem, machine));
  SpaceReport report;
  for (size_t i = sample.size() / 2; i < sample.size(); ++i) {
    ++report.slow;
    const Advised run = advised(problem, sample[i].config, machine);
    if (i % kLookEach == 0) {
      report.ends.push_back(followed(run) / best);
      add_errors(run, report.all);
    }
    const Advice* advice = top(run);
    if (!advice) continue;
    ++report.advised;
    const AppliedAdvice applied = apply(*advice, machine, run.us);
    report.gained += applied.real_gain > 0;
    report.errors.push_back(error_of(applied));
  }
  std::ranges::sort(report.errors);
  std::ranges::sort(report.all);
  std::ranges::sort(report.ends);
  return report;
}

TEST(AdviceAccuracy, SlowMedianEstimateIsWithinAFifthOfTheRealGain) {
  for (const NamedSpace& space : kSpaces) {
    const SpaceReport report = report_of(space);
    std::printf(
        "%-9s %s on %s: %zu slow configs, %zu with advice; error of the gain median %.1f %%, p90 "
        "%.1f %%, of all %zu advices median %.1f %%; gained %zu; after %d steps median %.2f, worst "
        "%.2f times the best\n",
        space.name, space.request.problem().text().c_str(), space.machine, report.slow,
        report.advised, 100 * percentile(report.errors, 50), 100 * percentile(report.errors, 90),
        report.all.size(), 100 * percentile(report.all, 50), report.gained, kSteps,
        percentile(report.ends, 50), report.ends.back());
    EXPECT_GE(report.slow, kSample / 2);
    EXPECT_EQ(report.advised, report.slow) << "a slow config deserves advice";
    EXPECT_LE(percentile(report.errors, 50), 0.2) << space.name;
    EXPECT_LE(percentile(report.all, 50), 0.2) << space.name;
    EXPECT_GE(static_cast<double>(report.gained), 0.95 * static_cast<double>(report.advised));
    EXPECT_LE(percentile(report.ends, 50), 1.2) << space.name;
    EXPECT_LE(report.ends.back(), 1.4) << space.name;
  }
}

}  // namespace
}  // namespace tilewright
