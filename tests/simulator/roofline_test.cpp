#include "simulator/roofline.h"

#include <gtest/gtest.h>

#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

/// One cube core and two vector cores, with the toy machine's round rates.
Machine small_machine() {
  Machine machine = toy_machine();
  machine.cores.aic = 1;
  machine.cores.aiv_per_aic = 2;
  return machine;
}

/// 1000 cycles on one cube core; active cycles by pipe.
TimingResult timing(std::initializer_list<std::pair<Pipe, int64_t>> active) {
  TimingResult result;
  result.ticks = 1000 * kTicksPerCycle;
  CoreCounters core;
  for (const auto& [pipe, busy] : active) {
    core.busy_ticks[static_cast<size_t>(pipe)] = busy * kTicksPerCycle;
    core.instructions[static_cast<size_t>(pipe)] = 1;
  }
  result.cores = {core};
  return result;
}

/// Cycles of work at peak rate.
ComponentWork work(Component component, double ideal_cycles, std::string path = "f16") {
  return {component, CoreKind::kAic, std::move(path), 0, ideal_cycles * kTicksPerCycle};
}

const ComponentUse& use_of(const Roofline& roofline, Component component) {
  for (const ComponentUse& use : roofline.components) {
    if (use.component == component) return use;
  }
  ADD_FAILURE() << name_of(component) << " has no work";
  return roofline.components.front();
}

TEST(Roofline, ACubeUsedToMoreThanFourFifthsBoundsByCompute) {
  // Active 950 of 1000, 855 of them at peak: E 0.9, R 0.95, U 0.855.
  const Roofline found = component_roofline(
      timing({{Pipe::kCube, 950}, {Pipe::kMte2, 400}}),
      {work(Component::kCube, 855), work(Component::kMteGm, 200)}, small_machine());
  const ComponentUse& cube = use_of(found, Component::kCube);
  EXPECT_DOUBLE_EQ(cube.efficiency, 0.9);
  EXPECT_DOUBLE_EQ(cube.active_ratio, 0.95);
  EXPECT_DOUBLE_EQ(cube.utilisation(), 0.855);
  EXPECT_DOUBLE_EQ(use_of(found, Component::kMteGm).efficiency, 0.5);
  EXPECT_EQ(found.verdict, Verdict::kComputeBound);
  EXPECT_NE(found.reason.find("Cube is active 95.0 % of the time at 90.0 % of its peak"),
            std::string::npos)
      << found.reason;
}

TEST(Roofline, ATransferUsedToMoreThanFourFifthsBoundsByMemory) {
  const Roofline found = component_roofline(
      timing({{Pipe::kCube, 500}, {Pipe::kMte2, 1000}}),
      {work(Component::kCube, 500), work(Component::kMteGm, 810)}, small_machine());
  EXPECT_EQ(found.verdict, Verdict::kMemoryBound);
}

TEST(Roofline, AFullHbmIsMemoryBoundThoughThePortHasRoom) {
  // The port needs 300 cycles; 90,000 B at 100 B/cycle keep the HBM at it for 900.
  TimingResult result = timing({{Pipe::kMte2, 950}});
  result.memory.hbm_read_bytes = 60'000;
  result.memory.hbm_write_bytes = 30'000;
  const Roofline found =
      component_roofline(result, {work(Component::kMteGm, 300)}, small_machine());
  EXPECT_NEAR(use_of(found, Component::kMteGm).utilisation(), 0.9, 1e-9);
  EXPECT_EQ(found.verdict, Verdict::kMemoryBound);
}

TEST(Roofline, WithoutABusyComponentParallelismIsInsufficient) {
  const Roofline found = component_roofline(
      timing({{Pipe::kCube, 450}, {Pipe::kMte2, 500}}),
      {work(Component::kCube, 440), work(Component::kMteGm, 500)}, small_machine());
  EXPECT_EQ(found.verdict, Verdict::kInsufficientParallelism);
}

TEST(Roofline, CoresThatDoNothingCountAsParallelismThatIsMissing) {
  Machine machine = small_machine();
  machine.cores.aic = 4;
  const Roofline found =
      component_roofline(timing({{Pipe::kCube, 1000}}), {work(Component::kCube, 1000)}, machine);
  EXPECT_DOUBLE_EQ(use_of(found, Component::kCube).active_ratio, 0.25);
  EXPECT_EQ(found.verdict, Verdict::kInsufficientParallelism);
  EXPECT_NE(found.reason.find("1 of 4 AIC cores worked"), std::string::npos) << found.reason;
}

TEST(Roofline, AFullHbmIsMemoryBoundThoughFewCoresFillIt) {
  Machine machine = small_machine();
  machine.cores.aic = 4;
  TimingResult result = timing({{Pipe::kMte2, 1000}});
  result.memory.hbm_read_bytes = 90'000;
  const Roofline full = component_roofline(result, {work(Component::kMteGm, 300)}, machine);
  EXPECT_NEAR(use_of(full, Component::kMteGm).utilisation(), 0.9, 1e-9);
  EXPECT_EQ(full.verdict, Verdict::kMemoryBound);
  // At half its rate the idle cores could use it: E 0.5, R 1 / 4.
  result.memory.hbm_read_bytes = 50'000;
  const Roofline half = component_roofline(result, {work(Component::kMteGm, 300)}, machine);
  EXPECT_NEAR(use_of(half, Component::kMteGm).efficiency, 0.5, 1e-9);
  EXPECT_NEAR(use_of(half, Component::kMteGm).active_ratio, 0.25, 1e-9);
  EXPECT_EQ(half.verdict, Verdict::kInsufficientParallelism);
}

TEST(Roofline, ATransferThatIsAlwaysActiveButSlowIsInefficient) {
  const Roofline found = component_roofline(
      timing({{Pipe::kCube, 500}, {Pipe::kMte2, 950}}),
      {work(Component::kCube, 500), work(Component::kMteGm, 475)}, small_machine());
  EXPECT_DOUBLE_EQ(use_of(found, Component::kMteGm).utilisation(), 0.475);
  EXPECT_EQ(found.verdict, Verdict::kInefficientTransfer);
}

TEST(Roofline, ACubeThatIsAlwaysActiveButSlowIsInefficient) {
  const Roofline found = component_roofline(
      timing({{Pipe::kCube, 950}, {Pipe::kMte2, 300}}),
      {work(Component::kCube, 190), work(Component::kMteGm, 300)}, small_machine());
  EXPECT_EQ(found.verdict, Verdict::kInefficientCompute);
}

TEST(Roofline, PrecisionsCombineByTheHarmonicMeanOfTheirPeaks) {
  // As many operations in f16 (100 cycles) as in f32 of half the peak (200): 300 cycles at peak.
  const Roofline found = component_roofline(
      timing({{Pipe::kCube, 600}}),
      {work(Component::kCube, 100, "f16"), work(Component::kCube, 200, "f32")}, small_machine());
  EXPECT_DOUBLE_EQ(use_of(found, Component::kCube).efficiency, 0.5);
}

TEST(Roofline, TheWorkOfALaunchIsCountedByItsRealSizes) {
  // Three tiles of 1024 B on two cores: loads at 32 B/cycle, stores at 16, four repeats each.
  Machine machine = toy_machine();
  machine.scalar.issue_cycles = 5;
  const std::vector<ComponentWork> found = work_of(copy_launch(3, 2, 2), machine);
  const auto cycles_of = [&](Component component, const std::string& path, double amount) {
    for (const ComponentWork& each : found) {
      if (each.component != component || each.path != path) continue;
      EXPECT_EQ(each.kind, CoreKind::kAiv);
      EXPECT_DOUBLE_EQ(each.amount, amount);
      return each.ideal_ticks / kTicksPerCycle;
    }
    return -1.0;
  };
  EXPECT_DOUBLE_EQ(cycles_of(Component::kMteGm, "GM to UB", 6 * 1024), 6 * 32);
  EXPECT_DOUBLE_EQ(cycles_of(Component::kMteUb, "UB to GM", 6 * 1024), 6 * 64);
  EXPECT_DOUBLE_EQ(cycles_of(Component::kVector, "muls", 6 * 512), 6 * 4);
  EXPECT_DOUBLE_EQ(cycles_of(Component::kScalar, "issue", 18), 18 * 5);
  EXPECT_EQ(found.size(), 4u);
}

TEST(Roofline, ALongCopyIsBoundByTheSlowerOfItsTransfers) {
  // Stores of 64 cycles back to back from 36 on: R of MTE-UB is 6400 / 6436, E is 1.
  Machine machine = small_machine();
  machine.cores.aiv_per_aic = 1;
  const Launch launch = copy_launch(100, 2);
  const TimingResult result = time_detailed(launch, machine);
  const Roofline found = component_roofline(result, work_of(launch, machine), machine);
  EXPECT_DOUBLE_EQ(use_of(found, Component::kMteUb).efficiency, 1);
  EXPECT_NEAR(use_of(found, Component::kMteUb).active_ratio, 6400.0 / 6436, 1e-12);
  EXPECT_EQ(found.verdict, Verdict::kMemoryBound);
}

}  // namespace
}  // namespace tilewright
