#include "core/timeline/timeline_index.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/timeline/timeline_area.h"
#include "core/timeline/timeline_cells.h"
#include "core/timeline/timeline_path.h"
#include "kernels/attention/attention.h"
#include "kernels/kernel.h"
#include "simulator/cost.h"
#include "simulator/profile.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine machine = load_machine("ascend-910b2");
  return machine;
}

Launch gemm_launch() {
  const Kernel& gemm = find_kernel("gemm");
  const Problem problem = gemm.problem({{{"m", 1000}, {"n", 1024}, {"k", 2048}}, "f16", "", ""});
  return gemm.build(problem, gemm.default_config(problem, machine()), machine());
}

Launch attention_launch() {
  const AttentionShape shape{DType::kBF16, 28, 4, 128, 128};
  const std::vector<AttentionSequence> sequences(8, {1, 1300});
  return build_attention_launch(shape, sequences, attention_default(shape, true, machine()),
                                machine());
}

/// The index sees the critical path that the simulator sums up while it runs.
void expect_same_critical_path(const TimelineIndex& index, const TimingResult& timing) {
  ASSERT_EQ(index.end(), timing.ticks);
  const TimelinePath path = critical_path(index);
  ASSERT_FALSE(path.steps().empty());
  EXPECT_EQ(path.steps().back().id, index.last_event());
  EXPECT_EQ(index.event(path.steps().front().id).predecessor, -1);
  int64_t sum = 0;
  int64_t before = -1;
  for (const PathStep& step : path.steps()) {
    EXPECT_EQ(index.event(step.id).predecessor, before);
    EXPECT_GE(step.waited, 0);
    EXPECT_GE(step.busy, 0);
    EXPECT_TRUE(path.contains(step.id));
    before = step.id;
    sum += step.waited + step.busy;
  }
  EXPECT_EQ(sum, timing.ticks);

  int64_t shares = 0;
  int64_t waits = 0;
  for (const PathShare& share : path.shares()) shares += share.ticks;
  for (const PathWait& wait : path.waits()) waits += wait.ticks;
  EXPECT_EQ(shares + waits, timing.ticks);
  int64_t on_pipes = 0;
  for (int pipe = 0; pipe < kPipeCount; ++pipe) {
    on_pipes += timing.critical_path.ticks[Cause::busy(static_cast<Pipe>(pipe)).id()];
  }
  for (Cause cause : {Cause::hbm(), Cause::l2(), Cause::link(), Cause::conflict()}) {
    on_pipes += timing.critical_path.ticks[cause.id()];
  }
  EXPECT_EQ(shares, on_pipes);
}

/// Statistics of the whole agree with the counters of the simulator.
void expect_same_totals(const TimelineIndex& index, const TimingResult& timing) {
  std::map<Pipe, PipeStatistics> pipes;
  for (PipeStatistics& pipe : area_statistics(index, TimelineArea::whole(index))) {
    pipes[pipe.pipe] = pipe;
  }
  int64_t loaded = 0;
  int64_t flops = 0;
  for (int p = 0; p < kPipeCount; ++p) {
    int64_t busy = 0;
    int64_t count = 0;
    for (const CoreCounters& core : timing.cores) {
      busy += core.busy_ticks[static_cast<size_t>(p)];
      count += core.instructions[static_cast<size_t>(p)];
    }
    EXPECT_EQ(pipes[static_cast<Pipe>(p)].busy_ticks, busy);
    EXPECT_EQ(pipes[static_cast<Pipe>(p)].events, count);
    flops += pipes[static_cast<Pipe>(p)].flops;
  }
  int64_t expected_flops = 0;
  for (const CoreCounters& core : timing.cores) {
    loaded += core.load_bytes;
    expected_flops += core.flops;
  }
  EXPECT_EQ(pipes[Pipe::kMte2].bytes, loaded);
  EXPECT_EQ(flops, expected_flops);

  const CellRange range(0, index.end(), 118);
  double moved = 0;
  const std::vector<double> rates = byte_rates(index, index.load_lanes(), range);
  for (int i = 0; i < range.count(); ++i) moved += rates[static_cast<size_t>(i)] * range.ticks(i);
  EXPECT_NEAR(moved, static_cast<double>(loaded), static_cast<double>(loaded) * 1e-9);
}

TEST(TimelineIndexOfGemm, AgreesWithTheSimulator) {
  TimelineIndex index;
  const TimingResult timing = time_detailed(gemm_launch(), machine(), &index);
  expect_same_critical_path(index, timing);
  expect_same_totals(index, timing);
}

TEST(TimelineIndexOfAttention, AgreesWithTheSimulator) {
  TimelineIndex index;
  const TimingResult timing = time_detailed(attention_launch(), machine(), &index);
  expect_same_critical_path(index, timing);
  expect_same_totals(index, timing);
}

TEST(TimelineIndexOfGemm, GivesIdleTimeTheCausesOfTheProfile) {
  const Launch launch = gemm_launch();
  TimelineIndex index;
  time_detailed(launch, machine(), &index);
  const LaunchProfile profile = profile_launch(launch, machine());
  std::map<std::pair<Pipe, std::string>, int64_t> expected;
  for (const WaitProfile& wait : profile.waits) {
    if (wait.on.starts_with("flag ")) expected[{wait.pipe, wait.on}] = wait.ticks;
  }
  ASSERT_GE(expected.size(), 5u);
  // The profile counts flags that hold up a pipe's first instruction from the launch's end, the
  // index from the launch's first instruction, which the scalar unit has issued by then.
  const int64_t issued = index.first_start() - launch_ticks_of(machine());
  std::map<std::pair<Pipe, std::string>, int64_t> found;
  std::map<Pipe, int64_t> lanes;
  for (const PipeStatistics& pipe : area_statistics(index, TimelineArea::whole(index))) {
    lanes[pipe.pipe] = pipe.lanes;
    for (const IdleShare& share : pipe.idle) {
      if (share.cause != IdleCause::kFlag) continue;
      found[{pipe.pipe, share.name(index.names())}] = share.ticks;
    }
  }
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [key, ticks] : expected) {
    EXPECT_LE(found[key], ticks) << key.second;
    EXPECT_GE(found[key], ticks - issued * lanes[key.first]) << key.second;
  }
}

}  // namespace
}  // namespace tilewright
