#include "tuner/calibrate/fit.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tuner/calibrate/linear_solve.h"

namespace tilewright {
namespace {

/// Points whose values are what `truth` simulates.
std::vector<MeasuredPoint> points_of(const Machine& truth) {
  std::vector<MeasuredPoint> points;
  for (const char* params : {"M=512;N=1024;K=2048", "M=1024;N=1024;K=1024", "M=64;N=4096;K=1024",
                             "M=768;N=768;K=3072"}) {
    for (const char* metric : {"time", "cube_busy_pct", "l1_to_l0_busy_pct", "gm_load_busy_pct"}) {
      MeasuredPoint point;
      point.hardware = "Ascend 910B2";
      point.kernel = "gemm";
      point.params = params;
      point.metric = metric;
      point.unit = std::string(metric) == "time" ? "us" : "%";
      point.value = 1;
      points.push_back(point);
    }
  }
  const MeasuredPlan plan = plan_rows(points, row_rules(), truth);
  const std::vector<double> values = simulate_rows(plan, truth, 1, [](size_t) {});
  for (size_t i = 0; i < points.size(); ++i)
    points[i].value = values[i] / plan.rows[i].metric.scale;
  return points;
}

std::vector<FitParameter> parameters(const std::vector<std::string>& names) {
  std::vector<FitParameter> list;
  for (const std::string& name : names)
    list.push_back(fit_parameter(name, load_machine("ascend-910b2:datasheet")));
  return list;
}

TEST(Fit, FindsTheParametersThatMadeThePoints) {
  const Machine start = load_machine("ascend-910b2");
  Machine truth = start;
  truth.mte1.l0b_bytes_per_cycle = 160;
  truth.mte2.fixed_cycles = 250;
  truth.hbm.gb_per_s = 1100;
  truth.measured_as[0].boundary_us = 9;
  const MeasuredPlan plan = plan_rows(points_of(truth), row_rules(), start);
  const FitResult fit = fit_machine(plan, start,
                                    parameters({"mte1.l0b_bytes_per_cycle", "mte2.fixed_cycles",
                                                "hbm.gb_per_s", "measured_as.0.boundary_us"}),
                                    {});
  EXPECT_LT(fit.cost_after, 1e-2 * fit.cost_before);
  EXPECT_NEAR(fit.machine.mte1.l0b_bytes_per_cycle, 160, 8);
  EXPECT_NEAR(fit.machine.mte2.fixed_cycles, 250, 25);
  EXPECT_NEAR(fit.machine.hbm.gb_per_s, 1100, 110);
  EXPECT_NEAR(fit.machine.measured_as[0].boundary_us, 9, 1);
  for (const FittedParameter& fitted : fit.parameters)
    EXPECT_TRUE(fitted.is_determined) << fitted.parameter.name;
}

TEST(Fit, SaysWhichParametersThePointsDoNotDetermine) {
  const Machine start = load_machine("ascend-910b2");
  Machine truth = start;
  truth.mte1.l0b_bytes_per_cycle = 140;
  const MeasuredPlan plan = plan_rows(points_of(truth), row_rules(), start);
  const FitResult fit =
      fit_machine(plan, start, parameters({"mte1.l0b_bytes_per_cycle", "mte3.fixed_cycles"}), {});
  EXPECT_TRUE(fit.parameters[0].is_determined);
  EXPECT_FALSE(fit.parameters[1].is_determined) << "GEMMs store nothing from UB";
  EXPECT_DOUBLE_EQ(fit.machine.mte3.fixed_cycles, start.mte3.fixed_cycles);
}

TEST(Fit, StaysWithinBoundsAndIsTheSameForAnyNumberOfThreads) {
  const Machine start = load_machine("ascend-910b2");
  Machine truth = start;
  truth.hbm.gb_per_s = 800;
  const MeasuredPlan plan = plan_rows(points_of(truth), row_rules(), start);
  std::vector<FitParameter> list = parameters({"hbm.gb_per_s", "hbm.read_latency_cycles"});
  list[0].low = 1200;
  FitOptions two;
  two.jobs = 2;
  const FitResult one_thread = fit_machine(plan, start, list, {});
  const FitResult two_threads = fit_machine(plan, start, list, two);
  EXPECT_GE(one_thread.machine.hbm.gb_per_s, 1200);
  EXPECT_EQ(one_thread.machine.fingerprint(), two_threads.machine.fingerprint());
}

TEST(Fit, RefusesWhatCannotBeFitted) {
  const Machine datasheet = load_machine("ascend-910b2:datasheet");
  for (const char* name : {"cores.aic", "hbm.gb_per_second", "measured_as.99.boundary_us",
                           "measured_as.x.boundary_us", ""}) {
    EXPECT_THROW(fit_parameter(name, datasheet), Error) << name;
  }
  EXPECT_EQ(fit_parameter("hbm.gb_per_s", datasheet).high, 1760) << "never above the datasheet";
  for (const std::string& name : default_fit()) EXPECT_NO_THROW(fit_parameter(name, datasheet));
}

TEST(SplitPoints, KeepsTheRowsOfARunTogether) {
  std::vector<MeasuredPoint> points;
  for (int i = 0; i < 300; ++i) {
    MeasuredPoint point;
    point.kernel = "gemm";
    point.params = fmt::format("M={}", i / 3);
    point.metric = i % 3 == 0 ? "time" : "other";
    points.push_back(point);
  }
  const auto [fitting, aside] = split_points(points, 0.3);
  EXPECT_EQ(fitting.size() + aside.size(), 300u);
  EXPECT_NEAR(static_cast<double>(aside.size()), 90, 40);
  EXPECT_EQ(aside.size() % 3, 0u);
  for (size_t i = 0; i < aside.size(); i += 3) EXPECT_EQ(aside[i].params, aside[i + 2].params);
  EXPECT_TRUE(split_points(points, 0).second.empty());
}

TEST(InverseOf, SolvesSmallSystems) {
  const SmallMatrix inverse = inverse_of({{0, 2}, {4, 0}});
  EXPECT_EQ(inverse, (SmallMatrix{{0, 0.25}, {0.5, 0}}));
  EXPECT_TRUE(inverse_of({{1, 2}, {2, 4}}).empty());
}

}  // namespace
}  // namespace tilewright
