#include <gtest/gtest.h>

#include "simulator/timing.h"
#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

TEST(WarmTensors, HitUntilTheirSectorsAreEvicted) {
  const TimingResult result = time_detailed(copy_launch(4, 2), toy_machine());
  EXPECT_EQ(result.memory.l2_hit_bytes, 4 * 1024);
  EXPECT_EQ(result.memory.hbm_read_bytes, 0);
}

TEST(WarmTensors, KeepWhatALaunchBeforeReadLast) {
  // 8 tiles of input, room for 4: the launch before left the last four, and the first loads push
  // them out before they are reached.
  Machine machine = toy_machine();
  machine.l2.capacity_bytes = 4096;
  EXPECT_EQ(time_detailed(copy_launch(8, 2), machine).memory.hbm_read_bytes, 8 * 1024);
  // Two cores with four tiles each: the later core finds the last four of a single walk,
  machine.l2.capacity_bytes = 12 * 1024;
  Launch launch = copy_launch(4, 2, 2);
  launch.tensors[1].warm = true;
  EXPECT_GT(time_detailed(launch, machine).memory.l2_hit_bytes, 0);
  // but of two walks side by side the end of each.
  launch.tensors[0].warm_parts = 2;
  launch.tensors[1].warm_parts = 2;
  machine.l2.capacity_bytes = 8 * 1024;
  EXPECT_EQ(time_detailed(launch, machine).memory.l2_hit_bytes, 0);
}

TEST(WarmTensors, WriteBackWhatTheLaunchBeforeLeftDirty) {
  Machine machine = toy_machine();
  machine.l2.capacity_bytes = 4096;  // two tiles of each tensor
  Launch launch = copy_launch(8, 1);
  launch.tensors[1].warm = true;
  const int64_t clean = time_detailed(launch, machine).memory.hbm_write_bytes;
  launch.tensors[1].dirty = true;
  // All eight tiles of output go to HBM for each launch: those left behind and those of its own.
  EXPECT_EQ(time_detailed(launch, machine).memory.hbm_write_bytes, 8 * 1024);
  EXPECT_EQ(clean, 6 * 1024);
}

}  // namespace
}  // namespace tilewright
