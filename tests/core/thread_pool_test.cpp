#include "core/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"

namespace tilewright {
namespace {

bool never() {
  return false;
}

TEST(ThreadPool, HandsResultsOverInOrderOnTheCallersThread) {
  for (const int jobs : {1, 2, 7}) {
    constexpr size_t kCount = 200;
    std::vector<size_t> results(kCount);  // plain: done(i) must see what work(i) wrote
    std::vector<size_t> order;
    const auto caller = std::this_thread::get_id();
    const size_t finished = parallel_in_order(
        kCount, jobs, [&](size_t i) { results[i] = i * i; },
        [&](size_t i) {
          EXPECT_EQ(std::this_thread::get_id(), caller);
          EXPECT_EQ(results[i], i * i);
          order.push_back(i);
        },
        never);
    EXPECT_EQ(finished, kCount) << jobs;
    ASSERT_EQ(order.size(), kCount) << jobs;
    for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(order[i], i) << jobs;
  }
}

TEST(ThreadPool, StopsWithAFinishedPrefix) {
  for (const int jobs : {1, 2, 7}) {
    std::atomic<size_t> started = 0;
    size_t handed_over = 0;
    const size_t finished = parallel_in_order(
        1000, jobs, [&](size_t) { ++started; }, [&](size_t i) { EXPECT_EQ(i, handed_over++); },
        [&] { return started >= 10; });
    EXPECT_EQ(finished, handed_over) << jobs;
    EXPECT_GE(finished, 10u) << jobs;
    EXPECT_EQ(finished, started) << jobs;
    EXPECT_LT(finished, 10u + static_cast<size_t>(jobs)) << jobs;
  }
}

TEST(ThreadPool, RethrowsTheLowestFailureAfterAllBeforeItWereHandedOver) {
  for (const int jobs : {1, 2, 7}) {
    size_t handed_over = 0;
    try {
      parallel_in_order(
          100, jobs,
          [](size_t i) {
            if (i == 20 || i == 21) throw Error(ErrorKind::kFailed, std::to_string(i));
          },
          [&](size_t) { ++handed_over; }, never);
      ADD_FAILURE() << "no error with jobs " << jobs;
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "20") << jobs;
    }
    EXPECT_EQ(handed_over, 20u) << jobs;
  }
}

TEST(ThreadPool, DoesNothingForNoWork) {
  const auto fail = [](size_t) { ADD_FAILURE() << "there is no work"; };
  EXPECT_EQ(parallel_in_order(0, 4, fail, fail, never), 0u);
  EXPECT_EQ(parallel_in_order(5, 4, fail, fail, [] { return true; }), 0u);
}

}  // namespace
}  // namespace tilewright
