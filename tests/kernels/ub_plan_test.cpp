#include "kernels/vector/ub_plan.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

TEST(UbPlan, PlacesBuffersInTheHalfOfTheBankGroupsThatIsAskedFor) {
  // 16 groups of 32 B: the lower half begins at multiples of 512 B, the upper half 256 B later.
  UbPlan plan(load_machine("ascend-910b2"));
  EXPECT_EQ(plan.take(512, BankHalf::kLower), 0);
  EXPECT_EQ(plan.take(512, BankHalf::kUpper), 512 + 256);
  EXPECT_EQ(plan.take(4), 1280);
  EXPECT_EQ(plan.take(512, BankHalf::kLower), 1536);
  EXPECT_EQ(plan.bytes(), 2048);
}

TEST(UbPlan, SlotsOfARingBeginInOneHalf) {
  const Machine machine = load_machine("ascend-910b2");
  UbPlan slot(machine);
  slot.take(640);
  EXPECT_EQ(slot.take(640, BankHalf::kUpper), 768);
  EXPECT_EQ(slot.slot_bytes(), 1536);  // 768 + 640 bytes are used
  UbPlan plan(machine);
  plan.take(32);
  EXPECT_EQ(plan.take_ring(slot, 3, BankHalf::kUpper), 256);
  EXPECT_EQ(plan.bytes(), 256 + 2 * 1536 + 1408);
}

TEST(UbPlan, DistancesIntoTheOtherHalf) {
  const UbPlan plan(load_machine("ascend-910b2"));
  EXPECT_EQ(plan.apart(1), 256);
  EXPECT_EQ(plan.apart(256), 256);
  EXPECT_EQ(plan.apart(257), 768);
  EXPECT_EQ(plan.apart_within(255), 0);
  EXPECT_EQ(plan.apart_within(767), 256);
  EXPECT_EQ(plan.apart_within(768), 768);
}

TEST(UbPlan, BuffersOfAMachineWithOneGroupAreOnlyAligned) {
  Machine machine = load_machine("ascend-910b2");
  machine.vector.bank_groups = 1;
  UbPlan plan(machine);
  EXPECT_EQ(plan.take(40, BankHalf::kLower), 0);
  EXPECT_EQ(plan.take(40, BankHalf::kUpper), 64);
  EXPECT_EQ(plan.apart(40), 64);
  EXPECT_EQ(plan.apart_within(40), 32);
}

}  // namespace
}  // namespace tilewright
