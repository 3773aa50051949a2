#include "tuner/xyserve/serving_experiment.h"

#include <gtest/gtest.h>

#include "core/machine/machine.h"

namespace tilewright {
namespace {

TEST(ServingExperimentSlow, OursGainsOverTheBaselineOnEveryTraffic) {
  const ServingExperiment experiment =
      run_serving_experiment(load_machine("ascend-910b2"), true, {.jobs = 2, .progress = {}});
  ASSERT_EQ(experiment.points.size(), 6u);
  for (const ServingPoint& point : experiment.points) {
    ASSERT_EQ(point.engines.size(), experiment.engines.size());
    for (const ServedTraffic& served : point.engines) {
      EXPECT_EQ(served.metrics.completed, experiment.requests) << point.traffic;
      EXPECT_LT(utilisation_of(served.totals.work, served.totals.device_ns,
                               served.totals.peak_flops, served.totals.peak_bytes_per_s)
                    .mfu,
                1);
    }
    // The last engine mixes stages; the paper's order is baseline, kernels, mixed.
    EXPECT_GT(point.qps_percent(3), 0) << point.traffic << " " << point.rate;
    EXPECT_LT(point.tbt_percent(3), 0) << point.traffic << " " << point.rate;
    EXPECT_GE(point.qps_percent(3), point.qps_percent(2) - 1) << point.traffic;
  }
  ASSERT_EQ(experiment.ablation.size(), 4u);
  EXPECT_GT(experiment.ablation_percent(1), 0);
  EXPECT_GT(experiment.ablation_percent(2), experiment.ablation_percent(1));
  EXPECT_GT(experiment.ablation_percent(3), experiment.ablation_percent(2));
  EXPECT_NEAR(experiment.ablation_mean_input, 2169, 150);
}

TEST(ServingExperimentSlow, IsTheSameForAnyNumberOfThreads) {
  const Machine machine = load_machine("ascend-910b2");
  const ServingExperiment one = run_serving_experiment(machine, true, {.jobs = 1, .progress = {}});
  const ServingExperiment two = run_serving_experiment(machine, true, {.jobs = 2, .progress = {}});
  for (size_t i = 0; i < one.points.size(); ++i) {
    for (size_t k = 0; k < one.engines.size(); ++k) {
      EXPECT_EQ(one.points[i].engines[k].metrics.duration,
                two.points[i].engines[k].metrics.duration);
      EXPECT_EQ(one.points[i].engines[k].metrics.ttft.mean,
                two.points[i].engines[k].metrics.ttft.mean);
    }
  }
}

}  // namespace
}  // namespace tilewright
