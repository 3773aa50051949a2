#include "simulator/shared_port.h"

#include <gtest/gtest.h>

#include "core/machine/machine.h"

namespace tilewright {
namespace {

int64_t at(int64_t cycle) {
  return cycle * kTicksPerCycle;
}

TEST(SharedPort, AloneAFlowRunsAtItsCap) {
  SharedPort port(100, {10});
  port.start(0, 1000, 1, 0);
  EXPECT_EQ(port.next_end(), at(100));
  EXPECT_EQ(port.alone(0, 1000), at(100));
}

TEST(SharedPort, FlowsShareTheTotalFromTheMomentTheyMeet) {
  // A has 10 B/cycle alone until 40 (400 of 1000 done), then 5 each: B's 300 end at 100.
  // A has 700 done by then and ends 30 later at full speed.
  SharedPort port(10, {10});
  port.start(0, 1000, 1, 0);
  port.start(0, 300, 2, at(40));
  EXPECT_EQ(port.next_end(), at(100));
  EXPECT_EQ(port.finish_next(), 2);
  EXPECT_EQ(port.next_end(), at(130));
  EXPECT_EQ(port.finish_next(), 1);
  EXPECT_EQ(port.next_end(), SharedPort::kNever);
}

TEST(SharedPort, ClassesKeepTheirOwnCaps) {
  SharedPort port(100, {10, 40});
  port.start(0, 400, 1, 0);
  port.start(1, 400, 2, 0);
  EXPECT_EQ(port.next_end(), at(10));
  EXPECT_EQ(port.finish_next(), 2);
  EXPECT_EQ(port.next_end(), at(40));
}

TEST(SharedPort, TheTotalIsNeverExceeded) {
  // 7 flows of 1000 B over 10 B/cycle take at least 700 cycles together.
  SharedPort port(10, {10});
  for (int32_t i = 0; i < 7; ++i) port.start(0, 1000, i, 0);
  int64_t end = 0;
  for (int i = 0; i < 7; ++i) {
    end = port.next_end();
    port.finish_next();
  }
  EXPECT_GE(end, at(700));
  EXPECT_LE(end, at(701));
}

TEST(SharedPort, EqualFlowsEndInTheOrderTheyCame) {
  SharedPort port(10, {10});
  for (int32_t i = 0; i < 5; ++i) port.start(0, 100, i, 0);
  for (int32_t i = 0; i < 5; ++i) EXPECT_EQ(port.finish_next(), i);
}

}  // namespace
}  // namespace tilewright
