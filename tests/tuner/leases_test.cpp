#include "tuner/session/leases.h"

#include <gtest/gtest.h>

#include <vector>

namespace tilewright {
namespace {

TEST(Leases, GiveEachTaskToOneWorker) {
  Leases leases(2);
  EXPECT_EQ(leases.take(1, 0, 10), 0u);
  EXPECT_EQ(leases.take(2, 0, 10), 1u);
  EXPECT_FALSE(leases.take(3, 0, 10));
  EXPECT_TRUE(leases.answer(1));
  EXPECT_FALSE(leases.all_answered());
  EXPECT_TRUE(leases.answer(0));
  EXPECT_TRUE(leases.all_answered());
  EXPECT_FALSE(leases.has_leases());
}

TEST(Leases, TaskOfALostWorkerReturnsAndIsCounted) {
  Leases leases(3);
  leases.take(1, 0, 10);
  leases.take(2, 0, 10);
  EXPECT_EQ(leases.lose(1)->workers, 1);
  EXPECT_EQ(leases.take(3, 0, 10), 0u);
  EXPECT_EQ(leases.lose(3)->workers, 2);
  EXPECT_FALSE(leases.lose(1));
}

TEST(Leases, RunOutLeaseReturnsItsTaskWithTwiceTheTime) {
  Leases leases(1);
  leases.take(1, 0, 10);
  EXPECT_TRUE(leases.expire(9).empty());
  EXPECT_EQ(leases.expire(10), std::vector<int>{1});
  EXPECT_EQ(leases.take(2, 10, 10), 0u);
  EXPECT_TRUE(leases.expire(29).empty());
  EXPECT_EQ(leases.expire(30), std::vector<int>{2});
}

TEST(Leases, FirstAnswerCountsAndEndsEveryLeaseOfItsTask) {
  Leases leases(1);
  leases.take(1, 0, 10);
  leases.expire(10);
  leases.take(2, 10, 10);
  EXPECT_TRUE(leases.answer(0));
  EXPECT_FALSE(leases.answer(0));
  EXPECT_FALSE(leases.has_leases());
  EXPECT_FALSE(leases.take(3, 11, 10));
}

TEST(Leases, LateAnswerTakesTheTaskFromTheQueue) {
  Leases leases(1);
  leases.take(1, 0, 10);
  leases.expire(10);
  EXPECT_TRUE(leases.has_waiting());
  EXPECT_TRUE(leases.answer(0));
  EXPECT_FALSE(leases.has_waiting());
}

}  // namespace
}  // namespace tilewright
