#include "kernels/executor/host_timeline.h"

#include <gtest/gtest.h>

#include <random>

namespace tilewright {
namespace {

/// Op by op, as the header defines it.
HostedTime slowly(const std::vector<int64_t>& durations, int64_t attention, int64_t attention_ns,
                  int64_t repeat, int64_t op_ns, HostedTime time) {
  for (int64_t round = 0; round < repeat; ++round) {
    for (size_t op = 0; op < durations.size(); ++op) {
      const bool attends = static_cast<int64_t>(op) == attention;
      time.host += op_ns;
      time.end = std::max(time.end, time.host) + (attends ? attention_ns : durations[op]);
    }
  }
  return time;
}

TEST(HostedOps, AgreeWithOpsSentOneByOne) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<int64_t> durations(1 + random() % 6);
    for (int64_t& duration : durations) duration = static_cast<int64_t>(random() % 50);
    const int64_t attention =
        static_cast<int64_t>(random() % (durations.size() + 1)) - 1;  // -1: none
    if (attention >= 0) durations[static_cast<size_t>(attention)] = 0;
    const auto repeat = static_cast<int64_t>(1 + random() % 5);
    const auto op_ns = static_cast<int64_t>(random() % 40);
    const auto attention_ns = static_cast<int64_t>(random() % 80);
    const HostedTime begin{static_cast<int64_t>(random() % 100),
                           static_cast<int64_t>(random() % 100)};
    const HostedTime fast =
        after(HostedOps(durations, attention, repeat, op_ns), begin, attention_ns);
    const HostedTime slow = slowly(durations, attention, attention_ns, repeat, op_ns, begin);
    EXPECT_EQ(fast.host, slow.host);
    EXPECT_EQ(fast.end, slow.end);
  }
}

TEST(CaptureSizes, AreThoseOfVllmUnlessSaidOtherwise) {
  const std::vector<int64_t> sizes = capture_sizes({}, 28, 1 << 20);
  EXPECT_EQ(sizes.size(), 3U + 64U);
  EXPECT_EQ(std::vector<int64_t>(sizes.begin(), sizes.begin() + 5),
            (std::vector<int64_t>{1, 2, 4, 8, 16}));
  EXPECT_EQ(sizes.back(), 512);
  EXPECT_EQ(capture_sizes({8, 2, 8}, 28, 1 << 20), (std::vector<int64_t>{2, 8}));
}

TEST(CaptureSizes, AreThinnedOutToTheGraphsThatStreamsAllow) {
  const std::vector<int64_t> sizes = capture_sizes({}, 80, 1920);
  EXPECT_EQ(sizes.size(), 1920U / 81U);
  EXPECT_EQ(sizes.front(), 1);
  EXPECT_EQ(sizes.back(), 512);
  EXPECT_EQ(capture_sizes({}, 4000, 1920), (std::vector<int64_t>{512}));
}

TEST(CaptureSizes, HoldAStepInTheSmallestThatIsLargeEnough) {
  const std::vector<int64_t> sizes = {1, 2, 4, 8, 16};
  EXPECT_EQ(bucket_of(sizes, 1), 1);
  EXPECT_EQ(bucket_of(sizes, 3), 4);
  EXPECT_EQ(bucket_of(sizes, 16), 16);
  EXPECT_EQ(bucket_of(sizes, 17), 0);
}

}  // namespace
}  // namespace tilewright
