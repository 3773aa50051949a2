#include "simulator/profile.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

TEST(Profile, AddsUpEachInstructionOverCoresAndIterations) {
  const LaunchProfile profile = profile_launch(copy_launch(4, 2, 3), toy_machine());
  ASSERT_EQ(profile.ops.size(), 3u);
  EXPECT_EQ(profile.ops[0].name, "copy[body 0] load");
  EXPECT_EQ(profile.ops[0].count, 12);
  EXPECT_EQ(cycles(profile.ops[0].ticks), 12 * 32);
  EXPECT_EQ(profile.ops[0].bytes, 12 * 1024);
  EXPECT_EQ(profile.ops[2].pipe, Pipe::kMte3);
  EXPECT_EQ(cycles(profile.ops[2].ticks), 12 * 64);
}

TEST(Profile, NamesTheFlagThatAPipeWaitedFor) {
  // Loads run at 0-32, 32-64, 100-132, 164-196: the third and the fourth wait for a freed slot.
  const LaunchProfile profile = profile_launch(copy_launch(4, 2), toy_machine());
  std::map<std::string, const WaitProfile*> waits;
  for (const WaitProfile& wait : profile.waits) {
    waits[std::string(name_of(wait.pipe)) + " " + wait.on] = &wait;
  }
  ASSERT_TRUE(waits.contains("MTE2 flag free of MTE3"));
  EXPECT_EQ(cycles(waits.at("MTE2 flag free of MTE3")->ticks), 36 + 32);
  EXPECT_EQ(waits.at("MTE2 flag free of MTE3")->count, 2);
  EXPECT_EQ(cycles(waits.at("VEC flag full of MTE2")->ticks), 32 + 28 + 64 + 60);
  EXPECT_EQ(cycles(waits.at("MTE3 flag done of VEC")->ticks), 36);
}

TEST(Profile, EveryCycleOfAPipeIsBusyWaitedOrIdleAndEveryWaitHasAReason) {
  Machine machine = toy_machine();
  machine.launch.dispatch_cycles = 77;
  machine.scalar.issue_cycles = 3;
  machine.sync.flag_cycles = 5;
  machine.hbm.read_latency_cycles = 200;
  const LaunchProfile profile = profile_launch(copy_launch(9, 2, 4, false), machine);
  ASSERT_EQ(profile.pipes.size(), 3u);
  for (const PipeProfile& pipe : profile.pipes) {
    EXPECT_EQ(pipe.cores, 4);
    EXPECT_GE(pipe.idle_ticks, 0);
    EXPECT_EQ(pipe.busy_ticks + pipe.wait_ticks + pipe.idle_ticks,
              4 * (profile.timing.ticks - 77 * kTicksPerCycle));
    int64_t explained = 0;
    for (const WaitProfile& wait : profile.waits) {
      const bool before_start = wait.on == "issue" || wait.on.starts_with("flag ");
      if (wait.pipe == pipe.pipe && before_start) explained += wait.ticks;
    }
    EXPECT_EQ(explained, pipe.wait_ticks) << name_of(pipe.pipe);
  }
}

}  // namespace
}  // namespace tilewright
